"""What is allowed in each of the configuration's keys. A field's description is what an error says is allowed."""

import re
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from components.build_context import files
from settings.problems import shown

RESERVED_NAMES = frozenset(
    {
        "cattle-system",
        "cilium",
        "container-registry",
        "dashboard",
        "default",
        "gpu-operator",
        "ingress",
        "istio-system",
        "jaeger",
        "linkerd",
        "local-path-storage",
        "logs",
        "logs-collector",
        "prometheus",
        "rbac",
    }
)
"""Namespaces of the cluster and of the addons, besides those that begin with ``kube-``."""


class Model(BaseModel):
    """A map of the configuration: no unknown keys, no silent conversions (``"3"`` is no number, ``true`` isn't 1)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


def problem(text: str) -> PydanticCustomError:
    """Return the error whose line has ``text`` after the key, in place of the description."""
    return PydanticCustomError("problem", "{text}", {"text": text})


def problem_of_secret(text: str) -> PydanticCustomError:
    """Return the same for a ``text`` that quotes nothing of a value which may be a secret."""
    return PydanticCustomError("problem_of_secret", "{text}", {"text": text})


def _site_name(name: str) -> str:
    if name in RESERVED_NAMES or name.startswith("kube-"):
        raise problem(f"{shown(name)} is the name of a namespace of the cluster; give the site another name")
    return name


def _host(host: str) -> str:
    # Kubernetes allows no addresses in an Ingress; a last label of digits would make it look like one.
    if len(host) > 253 or host.rpartition(".")[2].isdigit():
        raise ValueError(host)
    return host


def _address(address: str) -> str:
    return str(ip_address(address))


def _folder(source: str) -> str:
    folder = Path(source)
    # A folder of the project: so the stack's state is the same wherever the project is checked out.
    if folder.is_absolute() or ".." in folder.parts or not folder.parts:
        raise ValueError(source)
    try:
        if not folder.is_dir():
            raise problem(f"{shown(source)} is no folder of the project; create it, with an index.html or a Dockerfile")
        if not any((folder / name).is_file() for name in ("index.html", "Dockerfile")):
            raise problem(f"{shown(source)} has neither index.html nor Dockerfile; add one of them")
        if not (folder / "Dockerfile").is_file() and (hidden := _hidden(folder)):
            raise problem(
                f"{shown(source)} has no Dockerfile, so all of it would be served, {shown(hidden)} too; "
                f"give it a .dockerignore with the line **/.*"
            )
    except OSError as error:
        raise problem(f"{shown(source)} can't be read: {error.strerror}; name another folder") from error
    return folder.as_posix()


def _hidden(folder: Path) -> str | None:
    """Return the first hidden file or folder that the image of ``folder`` would have: a ``.git``, an ``.env``."""
    names = (part for path in files(folder) for part in path.relative_to(folder).parts)
    # RFC 8615: .well-known is there to be served.
    return next((name for name in names if name.startswith(".") and name not in (".well-known", ".dockerignore")), None)


LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST = rf"^{LABEL}(\.{LABEL})*$"

SiteName = Annotated[
    str,
    # RFC 1035 rather than 1123: it is also the name of a Service.
    Field(
        pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
        description="1 to 63 lower-case letters, digits and hyphens, beginning with a letter, not ending in a hyphen",
    ),
    AfterValidator(_site_name),
]
Host = Annotated[str, Field(pattern=HOST, description="a host name in lower case"), AfterValidator(_host)]
Address = Annotated[str, Field(description="an IP address"), AfterValidator(_address)]
Port = Annotated[int, Field(ge=1, le=65535, description="a port, 1 to 65535")]
UrlPath = Annotated[
    str,
    # What controllers take as a Prefix under strict validation (ingress-nginx' strict-validate-path-type).
    Field(
        min_length=1,
        max_length=1024,
        pattern=r"^(/[A-Za-z0-9_-]+)*/?$",
        description="a path that begins with / and has only letters, digits, -, _ and / in it",
    ),
]
Quantity = Annotated[
    str,
    Field(
        pattern=r"^[1-9][0-9]{0,14}(\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$",
        description='a Kubernetes quantity, such as "100m" (of a CPU) or "64Mi" (of memory)',
    ),
]
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def _amount(quantity: str) -> Decimal:
    number, unit = re.split(r"(?<=[0-9])(?![0-9.])", quantity, maxsplit=1)
    return Decimal(number) * (Decimal("0.001") if unit == "m" else _UNITS[unit])


class Requests(Model):
    """What a pod of a site is sure to get."""

    cpu: Quantity = "10m"
    memory: Quantity = "32Mi"


class Limits(Model):
    """What a pod of a site may use at most."""

    cpu: Quantity = "500m"
    memory: Quantity = "128Mi"


class Resources(Model):
    """Requests and limits of a pod of a site."""

    requests: Requests = Field(default=Requests(), description="a map of cpu, memory")
    limits: Limits = Field(default=Limits(), description="a map of cpu, memory")

    @model_validator(mode="after")
    def _requests_within_limits(self) -> Self:
        for resource in ("cpu", "memory"):
            request, limit = getattr(self.requests, resource), getattr(self.limits, resource)
            if _amount(request) > _amount(limit):
                raise problem(
                    f"requests.{resource} {request} is more than limits.{resource} {limit}; allowed: at most as much"
                )
        return self


class SiteSettings(Model):
    """A website: a folder that is built, or an image that is ready."""

    name: SiteName
    source: Annotated[
        str,
        Field(description="a folder inside the project, relative to it, with an index.html or a Dockerfile in it"),
        AfterValidator(_folder),
    ] = "site"
    image: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-zA-Z0-9._:/-]{0,500}@sha256:[0-9a-f]{64}$",
        description="an image by digest, name@sha256:<64 hexadecimal digits>",
    )
    host: Host
    path: UrlPath = "/"
    port: Port = 8080
    health_path: Annotated[
        str,
        Field(
            max_length=1024,
            pattern=r"^/[!-~]*$",
            description="a path that begins with / and answers a GET with 200 where the site can serve",
        ),
    ] = "/"
    replicas: Annotated[int, Field(ge=1, le=100, description="a whole number from 1 to 100")] = 2
    tls: Annotated[bool, Field(description="true or false")] = False
    resources: Resources = Field(default=Resources(), description="a map of requests, limits")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if {"source", "image"} <= self.model_fields_set:
            raise problem("source and image given; allowed: one of them")
        return self


class IngressSettings(Model):
    """How the sites are reached, whoever deployed the ingress controller."""

    class_name: Annotated[str, Field(max_length=253, pattern=HOST, description="the name of an IngressClass")] = "nginx"
    http_port: Port = 80
    https_port: Port = 443
    address: Address = "127.0.0.1"
    passthrough: Annotated[
        Literal["auto", "nginx", "traefik", "haproxy", "gateway"],
        Field(description="auto (as the IngressClass says), nginx, traefik, haproxy, gateway"),
    ] = "auto"
    gateway: str | None = Field(
        default=None, pattern=rf"^{LABEL}/{LABEL}(\.{LABEL})*$", description="a Gateway, namespace/name"
    )

    @model_validator(mode="after")
    def _a_gateway_where_one_is_used(self) -> Self:
        if (self.passthrough == "gateway") != (self.gateway is not None):
            raise problem(
                f"passthrough is {self.passthrough} {'with' if self.gateway else 'without'} a gateway; "
                "allowed: passthrough gateway and a gateway, or neither"
            )
        return self

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.http_port == self.https_port:
            raise problem(f"httpPort and httpsPort are both {self.http_port}; allowed: two different ports")
        return self


class RegistrySettings(Model):
    """How the image registry is reached, whoever deployed it."""

    node_port: Annotated[int, Field(ge=30000, le=32767, description="a NodePort, 30000 to 32767")] = 32000
    address: str = Field(
        # By default the node port, as every node and this machine see it.
        default_factory=lambda fields: f"localhost:{fields.get('node_port', 32000)}",
        # With a dot or a port in the first part, or Docker takes it for a user name on Docker Hub.
        pattern=r"^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9.-]+:[0-9]{1,5})(/[a-z0-9._-]+)*$",
        description='a registry as in image names, such as "localhost:32000" or "ghcr.io/me"',
    )


class CertificateAuthoritySettings(Model):
    """Who issues the certificates: an authority of the stack, or one's own."""

    common_name: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r"^[ -~]+$", description="1 to 64 printable ASCII characters")
    ] = "inspiration"
    certificate: Annotated[str | None, Field(description="a certificate, PEM")] = None
    private_key: Annotated[str | None, Field(description="the unencrypted private key of certificate, PEM")] = None

    @model_validator(mode="after")
    def _whole_or_none(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise problem_of_secret("certificate and privateKey belong together; allowed: both of them, or neither")
        if self.certificate is not None and self.private_key is not None:
            # Takes a while to import, for what most stacks don't have.
            from settings.authority import flaw

            if text := flaw(self.certificate, self.private_key):
                raise problem_of_secret(text)
        return self
