"""The stack's configuration, typed and checked as a whole before any resource is registered.

The name of the project in ``Pulumi.yaml`` is what the keys begin with. The models of the options are the components'
own; what ``Pulumi.yaml`` and the documentation say of them is made of these by :mod:`docs.configuration`.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_core.core_schema import ValidationInfo

from components.addons import reserved
from components.addons.cert import CERT
from components.addons.postgres import POSTGRES
from components.certificate_authority_options import CertificateAuthorityOptions
from components.chart_options import ChartOptions
from components.ingress import IngressOptions
from components.manifests import LONGEST_LABEL, PROGRAM
from components.options import LABEL, Allowed, Host, Model, keys, shortened, shown
from components.registry import RegistryOptions
from components.site.egress import SITE, peer
from components.site.options import SiteOptions
from settings.addons import Addons, completed
from settings.clashes import Clashes
from settings.file_secrets import encrypted_paths
from settings.kubeconfig import check_kubeconfig
from settings.problems import describe, dotted, qualified, unknown_key

if TYPE_CHECKING:
    from components.site.component import Place

T = TypeVar("T")

DEFAULT_SITE: Mapping[str, Any] = {"name": "inspiration", "healthPath": "/healthz"}
"""The site where the configuration has no list of them: the folder ``site``."""

KEPT_SECRET: Mapping[str, tuple[str, ...]] = {
    "certificateAuthority": ("privateKey",),
    "charts": ("values",),
    "kubeconfig": (),
    "sites": ("secretEnv", "basicAuth"),
}
"""Keys to what of them is secret in the stack's state, too: options of the map, or of the list's maps; none are all."""

TEXTS = ("kubeconfig", "context", "domain", "prefix")
"""Keys that hold text; the others hold structures, which Pulumi hands over as JSON."""


class SettingsError(pulumi.RunError):
    """The configuration has problems; Pulumi shows the lines without a traceback."""

    problems: list[str]
    """One line each: the key, what is wrong, what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(Model):
    """The stack's configuration. An object of this class is valid."""

    kubeconfig: str | None = Field(
        default=None,
        description="Path or text (then set it with --secret) of a kubeconfig. Unset, $KUBECONFIG or ~/.kube/config.",
    )
    context: str | None = Field(default=None, description="Context in the kubeconfig. Unset, its current one.")
    domain: Host = Field(
        default="localhost",
        description="Domain of the sites' host names. Names under localhost reach this machine without a hosts file.",
    )
    prefix: Annotated[
        str | None,
        Allowed("1 to 40 lower-case letters, digits and hyphens, not beginning or ending in a hyphen"),
    ] = Field(
        default=None,
        max_length=40,
        pattern=rf"^{LABEL}$",
        description="Put before the names of the sites' namespaces and images, and before the domain of their hosts by "
        "default: several stacks on a cluster may then have sites of one name.",
    )
    sites: Annotated[
        list[SiteOptions],
        Allowed(f"a list of sites, each a map of {', '.join(keys(SiteOptions))}"),
    ] = Field(
        default_factory=lambda: [DEFAULT_SITE],
        validate_default=True,
        description="The sites, each a map; an empty list is a cluster without any. A first one without a name is "
        "the default one, with what it says otherwise.",
    )
    ingress: IngressOptions = Field(
        default=IngressOptions(), description="How the sites are reached, whoever deployed the ingress controller."
    )
    registry: RegistryOptions = Field(
        default_factory=RegistryOptions, description="How the image registry is reached, whoever deployed it."
    )
    certificate_authority: CertificateAuthorityOptions = Field(
        default=CertificateAuthorityOptions(),
        description="Who issues the certificates: an authority that the stack makes, or one of yours.",
    )
    addons: Addons = Field(
        # Validated, since there are defaults in it that depend on other keys.
        default_factory=dict,
        validate_default=True,
        description="What is deployed besides the sites: each true, false or a map of its options. On auto, an "
        "addon is deployed unless the cluster has it from somebody else; with options, auto is one of them.",
    )
    charts: Annotated[
        list[ChartOptions],
        Allowed(f"a list of charts, each a map of {', '.join(keys(ChartOptions))}"),
    ] = Field(default_factory=list, description="Helm charts, each a map.")

    _secrets: frozenset[str] = PrivateAttr(default=frozenset())

    @field_validator("sites", mode="before")
    @classmethod
    def _complete_sites(cls, sites: Any, info: ValidationInfo) -> Any:
        """Fill in what depends on other keys, where those are valid."""
        domain, prefix = info.data.get("domain", "localhost"), info.data.get("prefix")
        if prefix:
            domain = f"{prefix}.{domain}"
        if not isinstance(sites, list):
            return sites
        return [_completed(site, domain) for site in [*map(_first, sites[:1]), *sites[1:]]]

    @field_validator("addons", mode="before")
    @classmethod
    def _complete_addons(cls, addons: Any, info: ValidationInfo) -> Any:
        """Fill in the hosts of the addons, which depend on the domain."""
        return completed(addons, info.data.get("domain", "localhost"))

    def guarded(self, key: str, value: T) -> pulumi.Input[T]:
        """Return a value of the top-level ``key``, secret if anything of that key is.

        Pulumi hands over a structure as a whole, and doesn't say which of its values were set with ``--secret``.
        """
        return pulumi.Output.secret(value) if key in self._secrets else value

    @property
    def builds_images(self) -> bool:
        """Whether a Docker Engine is needed."""
        return any(not site.image for site in self.sites)

    def namespace(self, site: str) -> str:
        """Return the namespace of the site of that name."""
        return shortened(f"{self.prefix}-{site}", LONGEST_LABEL) if self.prefix else site

    def image(self, site: str) -> str:
        """Return the name of the image of the site of that name, in the registry."""
        return f"{self.prefix}/{site}" if self.prefix else site

    def images_in(self, registry: pulumi.Input[str]) -> pulumi.Input[str]:
        """Return what the names of the sites' images in ``registry`` begin with, up to the last slash."""
        return pulumi.Output.concat(registry, "/", self.prefix) if self.prefix else registry

    def place(self, site: SiteOptions) -> "Place":
        """Return where ``site`` is, and the sites that connect to it, or that it connects to."""
        callers = [self.namespace(other.name) for other in self.sites if f"{SITE}{site.name}" in other.egress]
        peers = {name: self.namespace(name) for name in filter(None, map(peer, site.egress))}
        return {"namespace": self.namespace(site.name), "callers": callers, "peers": peers}

    @property
    def hosts_entry(self) -> str | None:
        """Line for a hosts file that makes all hosts of the stack resolve; ``None`` where they do by themselves."""
        served = [host for site in self.sites for host in site.reached_by]
        served += self.addons.hosts.values()
        # RFC 6761: localhost and all names under it are the loopback address.
        hosts = dict.fromkeys(host for host in served if host.rpartition(".")[2] != "localhost")
        return " ".join([self.ingress.address, *hosts]) if hosts else None

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ, *, encrypted: bool = False) -> Self:
        """Read the configuration of the stack. Folders are relative to the working directory, the project.

        Args:
            environ: Where the kubeconfigs in use are looked up.
            encrypted: Whether secrets still are, as in a stack's file: what has one is taken for unset then, if it may
                have one, and no kubeconfig is looked for, since the cluster may not be there yet.

        Raises:
            SettingsError: With all problems at once.
        """
        names = keys(cls)
        raw = {name: value for name in names if (value := _value(name)) is not None}
        secrets = [name for name in names if pulumi.runtime.is_config_secret(qualified(name))]
        masked = [name for name in secrets if name != "sites" or not _keeps(name, raw.get(name))]
        clashes = Clashes(masked)
        problems = [
            *_unknown(names),
            *(line for name in secrets for line in _not_kept(name, raw.get(name))),
        ]
        if encrypted:
            raw = {name: value for name, value in raw.items() if name not in secrets or name == "sites"}
        else:
            problems += check_kubeconfig(raw.get("kubeconfig"), raw.get("context"), environ, secrets)
        try:
            settings = cls.model_validate(raw, by_alias=True, by_name=False)
        except ValidationError as error:
            problems += describe(error, cls, masked)
            # What depends on an invalid key is looked at as if that key were unset.
            invalid = {details["loc"][0] for details in error.errors() if len(details["loc"]) == 1}
            usable = {name: value for name, value in raw.items() if name not in invalid}
            raise SettingsError([*problems, *clashes.of_sites(_valid_sites(cls, usable), {})]) from None
        problems += clashes.of_sites(enumerate(settings.sites), settings.addons.hosts)
        problems += _unmet(settings)
        if "sites" not in secrets:
            problems += _plain(settings.sites)
        problems += clashes.of_knative(settings.sites, settings.addons)
        namespaces = {settings.namespace(site.name): f"sites[{index}]" for index, site in enumerate(settings.sites)}
        problems += _reserved(namespaces)
        problems += clashes.of_charts(settings.charts, namespaces)
        problems += clashes.of_ports(settings.ingress, settings.registry, settings.addons)
        if problems:
            raise SettingsError(problems)
        settings._secrets = frozenset(secrets)
        return settings


def _first(site: Any) -> Any:
    """Return the first site as the default one where it has no name.

    The default list isn't in the stack's file. What ``pulumi config set --path 'sites[0].tls' true`` writes there is a
    site that has nothing else, and before ``sites[1].name`` comes ``null``.
    """
    if site is not None and (not isinstance(site, dict) or "name" in site):
        return site
    given = site or {}
    # The page of another folder or image is its own.
    same = "image" not in given and given.get("source", "site") == "site"
    return {**DEFAULT_SITE, **given} if same else {"name": DEFAULT_SITE["name"], **given}


def _completed(site: Any, domain: str) -> Any:
    if not isinstance(site, dict):
        return site
    name = site.get("name")
    # Where the name is wrong, that is reported, and not a host made of it.
    label = name if isinstance(name, str) and re.fullmatch(LABEL, name) else "site"
    # Given rather than left to the field's default: pydantic doesn't check that one.
    source = {} if "image" in site else {"source": "site"}
    return {"host": f"{label}.{domain}"} | source | site


def _value(name: str) -> Any:
    text = pulumi.Config().get(name)
    # Empty is what Pulumi.yaml gives as the default of texts that may be left unset.
    if not text or name in TEXTS:
        return text or None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _not_kept(name: str, value: Any) -> Iterator[str]:
    """Yield what of the key ``name``, in which a secret is, isn't kept secret in the stack's state.

    Pulumi hands over a structure as a whole, and doesn't say which of its values were set with ``--secret``. Most end
    up in names, host names and URLs, where everybody sees them; so they are refused rather than marked.
    """
    if name not in KEPT_SECRET:
        yield (
            f"{qualified(name)}: a secret is in it, and nothing of it is kept secret in the stack's state; "
            "set it without --secret"
        )
        return
    parts = KEPT_SECRET[name]
    kept = f"only {' and '.join(parts)} {'are' if parts[1:] else 'is'} kept secret in the stack's state"
    if not _keeps(name, value):
        yield f"{qualified(name)}: a secret is in it, and {kept}; set all else without --secret"
        return
    # Pulumi doesn't say which part of it is secret, the stack's file does.
    for path in encrypted_paths(name) if parts else ():
        option = next((step for step in path if isinstance(step, str)), None)
        if option and option not in parts:
            yield f"{qualified(dotted((name, *path)))}: a secret, and {kept}; set it without --secret"


def _keeps(name: str, value: Any) -> bool:
    """Tell whether the value of the key ``name`` has what is kept secret of it."""
    # In the stack's file, all of it may be the secret.
    return not KEPT_SECRET[name] or any(
        isinstance(each, dict) and (any(map(each.get, KEPT_SECRET[name])) or "secure" in each)
        for each in _as_list(value)
    )


def _plain(sites: Iterable[SiteOptions]) -> Iterator[str]:
    """Yield what of ``sites``, none of which was set with ``--secret``, has to be secret."""
    for index, site in enumerate(sites):
        for name in site.secret_env:
            yield f"{qualified(f'sites[{index}].secretEnv.{name}')}: given in plain text; set it with --secret"
        if site.basic_auth:
            yield f"{qualified(f'sites[{index}].basicAuth.password')}: given in plain text; set it with --secret"


def _unmet(settings: Settings) -> Iterator[str]:
    """Yield what sites need and the configuration hasn't got."""
    names = [site.name for site in settings.sites]
    cert = settings.addons.of(CERT)
    for index, site in enumerate(settings.sites):
        key = f"sites[{index}]"
        if site.tls == "acme" and not (cert and cert.acme):
            acme = qualified("addons.cert.acme")
            yield (
                f"{qualified(f'{key}.tls')}: acme given, and there is no {acme}; give that an email, or set tls to true"
            )
        yield from _beyond_gateway(settings, key, site)
        if site.database and not settings.addons.of(POSTGRES):
            addon = qualified("addons.postgres")
            yield f"{qualified(f'{key}.database')}: there is no database server; set {addon} to true"
        for name in filter(None, map(peer, site.egress)):
            if name not in names or name == site.name:
                yield (
                    f"{qualified(f'{key}.egress')}: {shown(f'{SITE}{name}')} given, and no other site has that name; "
                    f"allowed: {', '.join(f'{SITE}{other}' for other in names if other != site.name) or 'none'}"
                )


def _beyond_gateway(settings: Settings, key: str, site: SiteOptions) -> Iterator[str]:
    """Yield what a site asks of its routes that these can't do."""
    routes = qualified("ingress.routes")
    if settings.ingress.routes != "gateway":
        if site.canary:
            yield (
                f"{qualified(f'{key}.canary')}: {routes} is ingress, which routes to one version only; set that to "
                "gateway, or remove canary"
            )
        return
    if site.basic_auth:
        yield (
            f"{qualified(f'{key}.basicAuth')}: {routes} is gateway, and routes can't ask for a password; set that to "
            "ingress, or let the site ask by itself"
        )
    if site.tls and settings.ingress.gateway:
        yield (
            f"{qualified(f'{key}.tls')}: the Gateway {settings.ingress.gateway} has the certificates of all its hosts; "
            f"remove tls, or {qualified('ingress.gateway')}"
        )


def _reserved(namespaces: Mapping[str, str]) -> Iterator[str]:
    """Yield which sites' namespaces, by which key has them, are the cluster's. Without a prefix, none can be."""
    for namespace, key in namespaces.items():
        if reserved(namespace):
            yield (
                f"{qualified('prefix')}: with it, {qualified(key)} would have the namespace {namespace}, which is the "
                "cluster's; give another prefix"
            )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unknown(names: list[str]) -> Iterator[str]:
    """Yield a line for each key of the stack that is none of the ``names``, its namespace mistyped perhaps."""
    project = pulumi.get_project()
    # pulumi.Config reads single keys only; these are the two places where it looks for them.
    for key in sorted({**get_config_env(), **CONFIG.get()}):
        namespace, _, name = key.partition(":")
        if namespace == project and name not in names:
            yield unknown_key(qualified(dotted((name,))), name, names)
        # Also from when the project had its first name.
        elif namespace != project and (namespace == PROGRAM or get_close_matches(namespace, [project], cutoff=0.8)):
            yield f"{namespace}:{dotted((name,))}: unknown key; did you mean {qualified(name)}?"


def _valid_sites(model: type[Settings], raw: Mapping[str, Any]) -> Iterator[tuple[int, SiteOptions]]:
    sites = raw.get("sites")
    others = {"domain": raw["domain"]} if "domain" in raw else {}
    for index, site in enumerate(sites if isinstance(sites, list) else []):
        if index and not (isinstance(site, dict) and "name" in site):
            continue  # alone, it would be the first one
        try:
            yield index, model.model_validate({**others, "sites": [site]}, by_alias=True, by_name=False).sites[0]
        except ValidationError:
            continue
