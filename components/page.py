"""What the addons with a page have in common: a host, TLS that ends in the pod, and a password."""

import pulumi
import pulumi_random as random

from components.ingress import IngressArgs
from components.kinds import Service
from components.manifests import Manifest, internal_service, metadata
from components.tls_passthrough import TlsPassthroughIngress


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
    host: str,
    ingress: IngressArgs,
    app: str,
    ns: pulumi.Input[str],
    pods: pulumi.Resource,
    parent: pulumi.Resource,
) -> None:
    """Declare the Service of a page, and the way of TLS for the page's host to it.

    Args:
        name: What the names of the resources begin with.
        host: Host name of its URL.
        ingress: How it is reached.
        app: Name of the workload, of its Service, and of the part it plays in the stack.
        ns: Its namespace.
        pods: The workload. The Service is ready when a pod answers behind it; without this, both would report the same
            failure.
        parent: The component whose page it is.
    """
    service = Service(
        f"{name}-service", **service_args(app, ns), opts=pulumi.ResourceOptions(parent=parent, depends_on=[pods])
    )
    TlsPassthroughIngress(
        f"{name}-ingress",
        {
            "host": host,
            "namespace": ns,
            "service": service.metadata["name"],
            "port": 443,
            "component": app,
            "ingress_class": ingress.class_name,
            "controller": ingress.controller,
            "strategy": ingress.options.passthrough,
            "gateway": ingress.options.gateway,
            "https_port": ingress.options.https_port,
        },
        pulumi.ResourceOptions(parent=parent),
    )


def service_args(app: str, ns: pulumi.Input[str]) -> Manifest:
    """Return the Service of the pods of ``app``, whose port ``https`` is the page's."""
    return internal_service(metadata(app, ns, app), app, "https", 443)
