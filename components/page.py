"""What the addons with a page have in common: a host, TLS that ends in the pod, and a password."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_random as random
from pulumi_kubernetes.core.v1 import Service

from components.certificate_authority import CertificateAuthority
from components.manifests import Manifest, metadata, selector
from components.tls_passthrough import Strategy, TlsPassthroughIngress


class IngressArgs(TypedDict):
    """How pages are reached, the same for all of them."""

    authority: CertificateAuthority
    """Who issues the certificates."""
    ingress_class: pulumi.Input[str]
    """IngressClass of the Ingresses."""
    ingress_namespace: NotRequired[pulumi.Input[str] | None]
    """Namespace of the ingress controller, the only one that may connect; default: any."""
    controller: NotRequired[str | None]
    """Controller of the IngressClass; default: read from the cluster."""
    passthrough: NotRequired[Strategy]
    """How the controller is told to pass TLS through; default ``auto``."""
    gateway: NotRequired[str | None]
    """The Gateway, ``namespace/name``, where ``passthrough`` is ``gateway``."""
    https_port: NotRequired[int]
    """Port of the ingress controller for HTTPS, for the URL; default 443."""


class PageArgs(IngressArgs):
    """A page."""

    host: str
    """Host name of its URL."""


def random_password(name: str, parent: pulumi.Resource) -> random.RandomPassword:
    """Declare the password of the component ``name``, kept in the state as a secret."""
    provider = random.Provider(f"{name}-random", opts=pulumi.ResourceOptions(parent=parent))
    return random.RandomPassword(
        f"{name}-password",
        length=24,
        special=False,
        opts=pulumi.ResourceOptions(parent=parent, provider=provider),
    )


def expose(
    name: str,
    args: PageArgs,
    app: str,
    ns: pulumi.Input[str],
    pods: pulumi.Resource,
    parent: pulumi.Resource,
) -> None:
    """Declare the Service of a page, and the way of TLS for the page's host to it.

    Args:
        name: What the names of the resources begin with.
        args: The page.
        app: Name of the workload, of its Service, and of the part it plays in the stack.
        ns: Its namespace.
        pods: The workload. The Service is ready when a pod answers behind it; without this, both would report the same
            failure.
        parent: The component whose page it is.
    """
    exposed = Service(
        f"{name}-service", **service(app, ns), opts=pulumi.ResourceOptions(parent=parent, depends_on=[pods])
    )
    TlsPassthroughIngress(
        f"{name}-ingress",
        {
            "host": args["host"],
            "namespace": ns,
            "service": exposed.metadata.name,
            "port": 443,
            "component": app,
            "ingress_class": args["ingress_class"],
            "controller": args.get("controller"),
            "strategy": args.get("passthrough", "auto"),
            "gateway": args.get("gateway"),
            "https_port": args.get("https_port", 443),
        },
        pulumi.ResourceOptions(parent=parent),
    )


def service(app: str, ns: pulumi.Input[str]) -> Manifest:
    """Return the Service of the pods of ``app``, whose port ``https`` is the page's."""
    return {
        "metadata": metadata(app, ns, app),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(app),
            "ports": [{"name": "https", "port": 443, "targetPort": "https"}],
        },
    }
