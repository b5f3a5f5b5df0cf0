"""How what the stack serves is reached, whoever deployed the ingress controller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field

from components.options import HOST, LABEL, Address, Allowed, Default, Model, Port

if TYPE_CHECKING:
    import pulumi

Strategy: TypeAlias = Literal["auto", "nginx", "traefik", "haproxy", "gateway"]
"""How a controller is told to pass TLS through: ingress-nginx' annotation, Traefik's IngressRouteTCP, HAProxy's
annotation, a TLSRoute; ``auto``: as its IngressClass says."""

GATEWAY_API = "gateway.networking.k8s.io/v1"
"""Version of the kinds of the Gateway API."""

Routes: TypeAlias = Literal["ingress", "gateway"]
"""What routes the sites: Ingresses, or HTTPRoutes of the Gateway API."""


class IngressOptions(Model):
    """How the sites are reached, whoever deployed the ingress controller."""

    class_name: Annotated[
        str, Allowed("auto (the cluster's own, or nginx of the addon ingress), or the name of an IngressClass")
    ] = Field(
        default="auto",
        max_length=253,
        pattern=HOST,
        description="name of the IngressClass; auto is the cluster's own, or nginx of the addon ingress",
    )
    http_port: Port = Field(default=80, description="port for HTTP")
    https_port: Port = Field(default=443, description="port for HTTPS")
    address: Address = Field(
        default="127.0.0.1",
        description="IP address that is published in the status of each Ingress, and used in the output hosts_entry",
    )
    confirm: bool = Field(
        default=True,
        description="true ends an update of a site of pages when the controller answers with it; false where another "
        "one answers at address",
    )
    routes: Annotated[Routes, Allowed("ingress, gateway")] = Field(
        default="ingress",
        description="what routes the sites: ingress, or gateway for HTTPRoutes of the Gateway API",
    )
    passthrough: Annotated[Strategy, Allowed("auto (as the IngressClass says), nginx, traefik, haproxy, gateway")] = (
        Field(
            default="auto",
            description="how the controller is told to pass the dashboard's TLS through; auto: as its IngressClass "
            "says",
        )
    )
    gateway: Annotated[
        str | None, Default("for routes, that of the addon ingress"), Allowed("a Gateway, namespace/name")
    ] = Field(
        default=None,
        pattern=rf"^{LABEL}/{LABEL}(\.{LABEL})*$",
        description="for passthrough or routes gateway, the Gateway, namespace/name",
    )

    def _contradictions(self) -> Iterator[str]:
        if self.passthrough == "gateway" and self.gateway is None:
            yield "passthrough is gateway without a gateway; allowed: passthrough gateway and a gateway, or neither"
        if self.gateway is not None and "gateway" not in (self.passthrough, self.routes):
            yield (
                f"passthrough is {self.passthrough} with a gateway, and routes is {self.routes}; allowed: gateway for "
                "one of them, or no gateway"
            )
        if self.http_port == self.https_port:
            yield f"httpPort and httpsPort are both {self.http_port}; allowed: two different ports"

    @property
    def by_addons_gateway(self) -> bool:
        """Whether the sites are routed by the Gateway of the addon ingress."""
        return self.routes == "gateway" and self.gateway is None

    @property
    def own_gateway(self) -> Gateway | None:
        """The Gateway that the configuration names for the sites' routes, if it names one."""
        return Gateway.named(self.gateway) if self.routes == "gateway" and self.gateway else None


@dataclass(frozen=True)
class Gateway:
    """A Gateway that routes of plain HTTP attach to."""

    namespace: pulumi.Input[str]
    name: pulumi.Input[str]
    class_name: pulumi.Input[str] | None = None
    """GatewayClass of further Gateways, for HTTPS; default: there can't be any, and this one has all certificates."""
    https_port: int = 443
    """Port of their listeners, which needn't be the one that clients connect to."""

    @classmethod
    def named(cls, text: str) -> Self:
        """Return the Gateway ``namespace/name``."""
        namespace, _, name = text.partition("/")
        return cls(namespace, name)

    @property
    def reference(self) -> dict[str, Any]:
        """What refers to it in a route's ``parentRefs``."""
        return {"namespace": self.namespace, "name": self.name}


@dataclass(frozen=True)
class IngressArgs:
    """The ingress controller, as those know it who are reached by it."""

    class_name: pulumi.Input[str]
    """IngressClass of the Ingresses."""
    namespace: pulumi.Input[str] | None = None
    """Namespace of the ingress controller, the only one that may connect; default: any."""
    controller: str | None = None
    """Controller of the IngressClass; default: read from the cluster."""
    options: IngressOptions = field(default_factory=IngressOptions)
    """Its ports, and how it is told to pass TLS through. Its class is the one above."""
    of_addon: Gateway | None = None
    """The Gateway of the addon ingress, where the sites are routed by that."""

    @property
    def gateway(self) -> Gateway | None:
        """What the sites' routes attach to; ``None``: they have Ingresses."""
        return self.options.own_gateway or self.of_addon

    @property
    def peer(self) -> pulumi.Input[str] | None:
        """Namespace from which sites are asked; ``None``: any, such as that of a Gateway of somebody else."""
        return None if self.options.own_gateway else self.namespace

    @property
    def tls_peer(self) -> pulumi.Input[str] | None:
        """Namespace from which TLS is passed through; ``None``: a Gateway's, which may be any."""
        return None if self.options.passthrough == "gateway" else self.namespace
