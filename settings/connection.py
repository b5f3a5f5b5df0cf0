"""Which cluster, as whom: one context of the kubeconfigs in use, with all that it needs.

It is what ``kubectl config view --minify --flatten --raw`` shows. What client-go refuses is refused.
"""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from components.options import problem, shown
from settings.kubeconfig import Entry, Kubeconfig, UnusableError, merged, shown_path
from settings.problems import dotted

PLUGIN_CONFIG = "client.authentication.k8s.io/exec"
"""Name of the extension of a cluster that is for credential plugins."""

PROXIES = ("http", "https", "socks5")
"""Schemes of the URLs of proxies."""

_FIX = "correct it, or write it again"


def _header(value: str) -> str:
    # What is sent in a header; Go's net/http refuses the others too.
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise problem("should be on one line")
    return value


Header = Annotated[str, AfterValidator(_header)]
"""A text that can be the value of a header."""


class Part(BaseModel):
    """A part of a kubeconfig: no silent conversions, unset is the same as empty, and what isn't known is ignored."""

    model_config = ConfigDict(strict=True, frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, entry: Any) -> Any:
        return {key: value for key, value in entry.items() if value is not None} if isinstance(entry, dict) else entry


class Context(Part):
    """Names of a cluster and of a user."""

    cluster: str = Field(min_length=1)
    user: str = ""


class Extension(Part):
    """Of a cluster, for others than kubectl."""

    name: str = ""
    extension: Any = None


class Cluster(Part):
    """Where the API server is, and whom to trust."""

    server: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    proxy_url: str = ""
    extensions: list[Extension] = []


class Variable(Part):
    """Of the environment of a credential plugin."""

    name: str = Field(min_length=1)
    value: str = ""


class Plugin(Part):
    """A command that gives credentials."""

    model_config = ConfigDict(alias_generator=to_camel)

    api_version: Literal["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]
    command: str = Field(min_length=1)
    args: list[str] = []
    env: list[Variable] = []
    provide_cluster_info: bool = False
    interactive_mode: Literal["", "Never", "IfAvailable", "Always"] = ""
    install_hint: str = ""


class User(Part):
    """Who asks, and how that is proven."""

    token: Header = Field(default="", repr=False)
    token_file: str = Field(default="", alias="tokenFile")
    username: str = ""
    password: str = Field(default="", repr=False)
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = Field(default="", repr=False)
    exec: Plugin | None = None
    auth_provider: dict[str, Any] = Field(default={}, repr=False)
    impersonated: Header = Field(default="", alias="as")
    as_uid: Header = ""
    as_groups: list[Header] = []
    as_user_extra: dict[str, list[Header]] = {}


class Connection(BaseModel):
    """A context with its cluster and its user, which name no files any more."""

    context: str
    cluster: Cluster
    user: User


PartT = TypeVar("PartT", bound=Part)


def connection_of(kubeconfig: str | None, context: str | None, environ: Mapping[str, str]) -> Connection:
    """Return what the ``context`` of the kubeconfigs in use stands for.

    Args:
        kubeconfig: Path or text; ``None``: the files of ``$KUBECONFIG``, else ``~/.kube/config``.
        context: Context in it; ``None``: its current one.
        environ: Where ``KUBECONFIG`` and ``HOME`` are looked up.

    Raises:
        UnusableError: Something is missing, isn't what it should be, or can't be read.
    """
    config = merged(kubeconfig, environ)
    name = config.current if context is None else context
    if name is None:
        raise UnusableError(f"Invalid kube-config file. Expected key current-context in kube-config; {_FIX}")
    chosen = _read(Context, f"context {shown(name)}", _entry(config, "contexts", name))
    title = f"cluster {shown(chosen.cluster)}"
    cluster = _whole_cluster(_read(Cluster, title, _entry(config, "clusters", chosen.cluster)), title)
    title = f"user {shown(chosen.user)}"
    # A user that isn't there is nobody: the API server tells whether that is enough.
    user = _read(User, title, config.users.get(chosen.user, {}))
    user = _whole_user(user, title, over_tls=cluster.server.startswith("https:"))
    return Connection(context=name, cluster=cluster, user=user)


def _entry(config: Kubeconfig, section: str, name: Any) -> Entry:
    entries: Mapping[Any, Entry] = getattr(config, section)
    if not isinstance(name, str) or name not in entries:
        called = name if isinstance(name, str) and name.isprintable() else shown(name)
        text = f"Invalid kube-config file. Expected object with name {called} in kube-config/{section} list"
        raise UnusableError(f"{text}; {_FIX}")
    return entries[name]


def _read(kind: type[PartT], title: str, entry: Entry) -> PartT:
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        # Not the value, which may be a secret.
        details = error.errors(include_url=False, include_input=False)[0]
        text = "is missing" if details["type"] == "missing" else re.sub(r"^(Input|String) ", "", details["msg"])
        raise UnusableError(f"{dotted(details['loc'])} of {title} {text}; {_FIX}") from None


def _whole_cluster(cluster: Cluster, title: str) -> Cluster:
    """Return ``cluster`` with its authority as data, and its server as a URL."""
    try:
        url = urlsplit(cluster.server if "://" in cluster.server else f"http://{cluster.server}")
        is_url = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise UnusableError(f"server of {title} is no URL; {_FIX}")
    if "@" in url.netloc:
        raise UnusableError(f"server of {title} has a user in it; write it as username and password of the user")
    if cluster.proxy_url and cluster.proxy_url.partition("://")[0] not in PROXIES:
        raise UnusableError(f"proxy-url of {title} is none of a proxy; allowed: URLs with {', '.join(PROXIES)}")
    # Without TLS nobody is asked for a certificate.
    authority = _content(cluster, "certificate_authority", title) if url.scheme == "https" else ""
    if authority and cluster.insecure_skip_tls_verify:
        raise UnusableError(f"{title} has both certificate-authority and insecure-skip-tls-verify; remove one of them")
    found = {"certificate_authority": "", "certificate_authority_data": authority}
    return cluster.model_copy(update={"server": url.geturl().rstrip("/"), **found})


def _whole_user(user: User, title: str, over_tls: bool) -> User:
    """Return ``user`` with its credentials as data, of several methods those that client-go takes."""
    if (user.as_uid or user.as_groups or user.as_user_extra) and not user.impersonated:
        raise UnusableError(f"{title} has as-uid, as-groups or as-user-extra without as; add it, or remove them")
    if (user.token or user.token_file) and (user.username or user.password):
        raise UnusableError(f"{title} has both a token and a password; remove one of them")
    if user.exec and user.auth_provider:
        raise UnusableError(f"{title} has both exec and auth-provider; remove one of them")
    if user.auth_provider and user.auth_provider.get("name") != "oidc":
        raise UnusableError(f"auth-provider of {title} is none that kubectl has; use exec")
    if user.exec and not user.exec.interactive_mode and user.exec.api_version.endswith("/v1"):
        raise UnusableError(f"exec of {title} has no interactiveMode; add it, such as IfAvailable")
    found = {name: getattr(user, name) for name in ("impersonated", "as_uid", "as_groups", "as_user_extra")}
    if not over_tls:
        # Anybody on the way could read what it proves itself with.
        return User().model_copy(update=found)
    if certificate := _content(user, "client_certificate", title):
        found |= {"client_certificate_data": certificate, "client_key_data": _content(user, "client_key", title)}
        if not found["client_key_data"]:
            raise UnusableError(f"{title} has a client-certificate without a client-key; add it")
    if token := _token(user, title):
        found["token"] = token
    elif user.username:
        found |= {"username": user.username, "password": user.password}
    elif user.auth_provider:
        found["auth_provider"] = user.auth_provider
    elif not certificate:
        found["exec"] = user.exec
    return User().model_copy(update=found)


def _token(user: User, title: str) -> str:
    """Return the token: that of the file, where it is renewed, before that in the kubeconfig."""
    if not user.token_file:
        return user.token
    try:
        token = _file(user.token_file).decode(errors="replace").strip()
    except UnusableError:
        if user.token:
            return user.token
        raise
    if not token and not user.token:
        raise UnusableError(f"tokenFile of {title} is empty; {_FIX}")
    return _read(User, title, {"token": token or user.token}).token


def _content(part: Cluster | User, name: str, title: str) -> str:
    """Return in base64 what the field ``name`` names a file of, or what is there as its data."""
    path, data = getattr(part, name), getattr(part, f"{name}_data")
    key = name.replace("_", "-")
    if path and data:
        raise UnusableError(f"{title} has both {key} and {key}-data; remove one of them")
    if path:
        return base64.b64encode(_file(path)).decode()
    try:
        base64.b64decode(re.sub(r"[\r\n]", "", data), validate=True)
    except ValueError:
        raise UnusableError(f"{key}-data of {title} is no base64; {_FIX}") from None
    return str(data)


def _file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UnusableError(f"File does not exist: {shown_path(path)}; {_FIX}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of one"
        raise UnusableError(f"File can't be read: {shown_path(path)}: {reason}; {_FIX}") from None
