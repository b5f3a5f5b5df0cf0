"""How what the stack serves is reached, whoever deployed the ingress controller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from components.options import HOST, LABEL, Address, Allowed, Model, Port

if TYPE_CHECKING:
    import pulumi

Strategy: TypeAlias = Literal["auto", "nginx", "traefik", "haproxy", "gateway"]
"""How a controller is told to pass TLS through: ingress-nginx' annotation, Traefik's IngressRouteTCP, HAProxy's
annotation, a TLSRoute; ``auto``: as its IngressClass says."""


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
    passthrough: Annotated[Strategy, Allowed("auto (as the IngressClass says), nginx, traefik, haproxy, gateway")] = (
        Field(
            default="auto",
            description="how the controller is told to pass the dashboard's TLS through; auto: as its IngressClass "
            "says",
        )
    )
    gateway: Annotated[str | None, Allowed("a Gateway, namespace/name")] = Field(
        default=None,
        pattern=rf"^{LABEL}/{LABEL}(\.{LABEL})*$",
        description="for passthrough gateway, the Gateway, namespace/name",
    )

    def _contradictions(self) -> Iterator[str]:
        if (self.passthrough == "gateway") != (self.gateway is not None):
            yield (
                f"passthrough is {self.passthrough} {'with' if self.gateway else 'without'} a gateway; "
                "allowed: passthrough gateway and a gateway, or neither"
            )
        if self.http_port == self.https_port:
            yield f"httpPort and httpsPort are both {self.http_port}; allowed: two different ports"


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

    @property
    def tls_peer(self) -> pulumi.Input[str] | None:
        """Namespace from which TLS is passed through; ``None``: a Gateway's, which may be any."""
        return None if self.options.passthrough == "gateway" else self.namespace
