"""The Gateway API in the ingress controller: its definitions, the Gateway of plain HTTP, and Traefik's part."""

from collections.abc import Iterator

import pulumi
import yaml

from components.ingress import GATEWAY_API
from components.manifests import Manifest, metadata

NAME = "traefik"
"""Of the GatewayClass, and of the Gateway."""
CONTROLLER = "traefik.io/gateway-controller"
HTTP_PORT, HTTPS_PORT = 8000, 8443
"""Ports of listeners: those on which Traefik listens in its pod, wherever clients connect."""
GROUP = GATEWAY_API.partition("/")[0]
ROUTES = ("httproutes", "grpcroutes", "tlsroutes")


def arguments(address: str) -> list[str]:
    """Return the part of Traefik's static configuration; ``address`` is what the status of each Gateway says.

    Source: https://doc.traefik.io/traefik/v3.7/reference/install-configuration/providers/kubernetes/kubernetes-gateway/
    """
    provider = "--providers.kubernetesGateway"
    return [
        f"{provider}=true",
        f"{provider}.statusAddress.ip={address}",
        # Routes have no such thing of their own yet. What an Ingress says of it wins there.
        "--serversTransport.forwardingTimeouts.dialTimeout=1s",
    ]


def rules() -> list[Manifest]:
    """Return what Traefik may do besides: watch what routes are made of, and write how they fare."""
    classes = ["gatewayclasses", "gateways", *ROUTES, "backendtlspolicies"]
    return [
        {
            "apiGroups": [GROUP],
            "resources": [*classes, "referencegrants"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": [GROUP], "resources": [f"{each}/status" for each in classes], "verbs": ["update"]},
    ]


def definitions(text: str) -> Iterator[tuple[str, Manifest]]:
    """Yield the CustomResourceDefinitions in a file of upstream's, each with its plural, and nothing else of it."""
    for document in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if document and document["kind"] == "CustomResourceDefinition":
            name, upstream = document["metadata"]["name"], document["metadata"]
            described = {**metadata(name, None, "ingress", NAME), "annotations": upstream["annotations"]}
            yield document["spec"]["names"]["plural"], {"metadata": described, "spec": document["spec"]}


def gateway_class() -> Manifest:
    """Return the GatewayClass of Traefik."""
    return {
        "apiVersion": GATEWAY_API,
        "kind": "GatewayClass",
        "metadata": metadata(NAME, None, "ingress"),
        "spec": {"controllerName": CONTROLLER},
    }


def gateway(ns: pulumi.Input[str], class_name: pulumi.Input[str]) -> Manifest:
    """Return the Gateway for plain HTTP, which routes of all namespaces may attach to."""
    listener = {
        "name": "http",
        "protocol": "HTTP",
        "port": HTTP_PORT,
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return {
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": metadata(NAME, ns, "ingress"),
        "spec": {"gatewayClassName": class_name, "listeners": [listener]},
    }


def startup_route(ns: pulumi.Input[str], parent: pulumi.Input[str], host: str) -> Manifest:
    """Return the route that each Traefik is asked for until it has read it, and all others with it."""
    ping = {"group": "traefik.io", "kind": "TraefikService", "name": "ping@internal"}
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": metadata("startup-probe", ns, "ingress", NAME),
        "spec": {
            "parentRefs": [{"name": parent}],
            "hostnames": [host],
            "rules": [{"matches": [{"path": {"type": "Exact", "value": "/ping"}}], "backendRefs": [ping]}],
        },
    }
