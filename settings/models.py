"""What is allowed in each of the configuration's keys. A field's description is what an error says is allowed."""

import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from settings.base import Model as Model
from settings.base import fraction
from settings.problems import problem as problem
from settings.problems import problem_of_secret, shown
from settings.sources import folder_of_site

ADDON_NAMESPACES: Mapping[str, str] = {
    "cattle-system": "rancher",
    "cert-manager": "cert",
    "cilium": "cilium",
    "container-registry": "registry",
    "dashboard": "dashboard",
    "gpu-operator": "gpu",
    "ingress": "ingress",
    "istio-system": "istio",
    "jaeger": "jaeger",
    "knative-serving": "knative",
    "linkerd": "linkerd",
    "local-path-storage": "storage",
    "logs": "logs",
    "logs-collector": "logs",
    "prometheus": "prometheus",
    "rbac": "rbac",
}
"""Namespaces that addons make, and which of them."""

RESERVED_NAMES = frozenset({"default", *ADDON_NAMESPACES})
"""Namespaces of the cluster and of the addons, besides those that begin with ``kube-``."""


def _site_name(name: str) -> str:
    if name in RESERVED_NAMES or name.startswith("kube-"):
        raise problem(f"{shown(name)} is the name of a namespace of the cluster; give the site another name")
    return name


def _host(host: Any) -> Any:
    """Name what is wrong with a host where its pattern alone wouldn't tell."""
    if not isinstance(host, str):
        return host
    if "*" in host:
        raise problem(f"{shown(host)} is a wildcard; name one host")
    if _is_address(host):
        raise problem(f"{shown(host)} is an IP address, which no Ingress may have; name a host, such as site.localhost")
    if len(longest := max(host.split("."), key=len)) > 63:
        raise problem(f"{shown(host)} has {len(longest)} characters between two dots; allowed: at most 63")
    if len(host) > 253:
        raise problem(f"{shown(host)} has {len(host)} characters; allowed: at most 253")
    # A last label of digits would make it look like an address.
    if host.rpartition(".")[2].isdigit():
        raise ValueError(host)
    return host


def _address_range(given: str) -> str:
    if "/" not in given or "%" in given:  # which ip_network takes for a range of one
        raise ValueError(given)
    return str(ip_network(given))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _address(address: str) -> str:
    # Zones are a matter of one machine: Kubernetes takes no address with one.
    if "%" in address:
        raise ValueError(address)
    return str(ip_address(address))


def _registry(address: str) -> str:
    if (port := address.partition("/")[0].partition(":")[2]) and not 1 <= int(port) <= 65535:
        raise problem(f"{shown(address)} has no port from 1 to 65535 in it; correct the port")
    return address


LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST = rf"^{LABEL}(\.{LABEL})*$"
REGISTRY = rf"(localhost|{LABEL}(\.{LABEL})+|{LABEL}(\.{LABEL})*:[0-9]{{1,5}})"
"""With a dot or a port, or Docker takes it for a user name on Docker Hub."""
NAME = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
"""A part of an image's name. Source: https://pkg.go.dev/github.com/distribution/reference"""

SiteName = Annotated[
    str,
    # RFC 1035 rather than 1123: it is also the name of a Service.
    Field(
        pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
        description="1 to 63 lower-case letters, digits and hyphens, beginning with a letter, not ending in a hyphen",
    ),
    AfterValidator(_site_name),
]
Host = Annotated[str, BeforeValidator(_host), Field(pattern=HOST, description="a host name in lower case")]
Address = Annotated[str, Field(description="an IP address"), AfterValidator(_address)]
AddressRange = Annotated[str, Field(max_length=43), AfterValidator(_address_range)]
Port = Annotated[int, Field(ge=1, le=65535, description="a port, 1 to 65535")]
NodePort = Annotated[int, Field(ge=30000, le=32767, description="a NodePort, 30000 to 32767")]
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
    BeforeValidator(fraction),
    Field(
        pattern=r"^([1-9][0-9]{0,14}(\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?|0\.[0-9]{0,2}[1-9])$",
        description='a Kubernetes quantity, such as "100m" (of a CPU) or "64Mi" (of memory)',
    ),
]
Memory = Annotated[
    str,
    BeforeValidator(fraction),
    # No "m": a thousandth of a byte is always meant to be a megabyte.
    Field(
        pattern=r"^[1-9][0-9]{0,14}(\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?$",
        description='a Kubernetes quantity of memory, such as "64Mi"',
    ),
]
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def _amount(quantity: str) -> Decimal:
    number, unit = re.split(r"(?<=[0-9])(?![0-9.])", quantity, maxsplit=1)
    return Decimal(number) * (Decimal("0.001") if unit == "m" else _UNITS[unit])


class Requests(Model):
    """What a pod of a site is sure to get."""

    cpu: Quantity = "10m"
    memory: Memory = "32Mi"


class Limits(Model):
    """What a pod of a site may use at most."""

    cpu: Quantity = "500m"
    memory: Memory = "128Mi"


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
        AfterValidator(folder_of_site),
    ] = "site"
    image: str | None = Field(
        default=None,
        max_length=500,
        pattern=rf"^({REGISTRY}/)?{NAME}(/{NAME})*(:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?@sha256:[0-9a-f]{{64}}$",
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
    progress_deadline_seconds: Annotated[
        int, Field(ge=10, le=3600, description="a whole number of seconds, 10 to 3600")
    ] = 300
    tls: Annotated[bool, Field(description="true or false")] = False
    resources: Resources = Field(default=Resources(), description="a map of requests, limits")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if {"source", "image"} <= self.model_fields_set:
            raise problem("source and image given; allowed: one of them")
        return self


class IngressSettings(Model):
    """How the sites are reached, whoever deployed the ingress controller."""

    class_name: Annotated[
        str,
        Field(
            max_length=253,
            pattern=HOST,
            description="auto (the cluster's own, or nginx of the addon ingress), or the name of an IngressClass",
        ),
    ] = "auto"
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

    node_port: NodePort = 32000
    address: Annotated[str, AfterValidator(_registry)] = Field(
        # By default the node port, as every node and this machine see it.
        default_factory=lambda fields: f"localhost:{fields.get('node_port', 32000)}",
        pattern=rf"^{REGISTRY}(/{NAME})*$",
        description='a registry as in image names, such as "localhost:32000" or "ghcr.io/me"',
    )


class CertificateAuthoritySettings(Model):
    """Who issues the certificates: an authority of the stack, or one's own."""

    common_name: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r"^[ -~]+$", description="1 to 64 printable ASCII characters")
    ] = "inspiration"
    certificate: Annotated[str | None, Field(description="a certificate, PEM")] = None
    private_key: Annotated[
        str | None,
        Field(description="the unencrypted private key of certificate, PEM", repr=False),
    ] = None

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
