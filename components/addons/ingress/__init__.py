"""The ingress controller: Traefik in its ingress-nginx mode."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from components.addons.addon import Addon, Detectable, Detection
from components.options import Default, Model, NodePort

NAMESPACE = "ingress"
DEFAULT_CLASS = "nginx"
"""Name of the IngressClass unless another one is asked for."""
DEFINITIONS = "https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.5.1/standard-install.yaml"
"""Where upstream has those of the Gateway API, in the version that Traefik 3.7 is made for."""

_CERTIFICATES = "Certificates of Ingresses are in Secrets of all namespaces."


class NodePorts(Model):
    """NodePorts of the ingress controller's Service."""

    http: NodePort = Field(description="for HTTP")
    https: NodePort = Field(description="for HTTPS and TLS passthrough")

    def _contradictions(self) -> Iterator[str]:
        if self.http == self.https:
            yield f"http and https are both {self.http}; allowed: two different ports"


class IngressControllerOptions(Detectable):
    """Options of the ingress controller."""

    node_ports: Annotated[NodePorts | None, Default("none: it has ports of the nodes themselves")] = Field(
        default=None,
        description="where a load balancer in front of the nodes reaches the controller, and then no request is "
        "lost when it is updated: these ports go to pods that are ready, of which there are two while one is "
        "replaced; the ports of the nodes themselves have room for one pod at a time",
    )
    gateway_api: Annotated[
        bool,
        Field(
            alias="gatewayAPI",
            description="with ingress.routes gateway, false where the cluster has the definitions of the Gateway API",
        ),
    ] = True


INGRESS = Addon(
    name="ingress",
    what="Traefik as the ingress controller",
    options=IngressControllerOptions,
    component="IngressController",
    default="auto",
    optional=False,
    namespaces=(NAMESPACE,),
    detection=Detection("/apis/networking.k8s.io/v1/ingressclasses", "IngressClass", DEFAULT_CLASS),
    exemptions={
        "host-ports": {
            "DaemonSet ingress/traefik": "It is what listens on the ports 80 and 443 of the nodes, without nodePorts.",
        },
        "pod-security-restricted": {
            "Namespace ingress": "Host ports need the level privileged, which it has where it has no node ports.",
        },
        "rbac-secrets": {"ClusterRole traefik": _CERTIFICATES, "ClusterRoleBinding traefik": _CERTIFICATES},
        "service-account-token": {"DaemonSet ingress/traefik": "It watches Ingresses and what they route to."},
        "service-type": {
            "Service ingress/traefik": "A load balancer in front of the nodes reaches it at its NodePorts.",
        },
    },
)
