"""Cilium: the network of the pods, and the policies on it."""

from typing import NotRequired, TypedDict

import pulumi

from components.addons.catalogue import CATALOGUE
from components.addons.chart import home, install
from components.certificate_authority import CertificateAuthority
from components.manifests import Manifest

PRODUCT = CATALOGUE["cilium"]

# Of Hubble in the cluster named "default": https://docs.cilium.io/en/stable/observability/hubble/configuration/tls/
SERVER, SERVER_SECRET = "*.default.hubble-grpc.cilium.io", "hubble-server-certs"
CLIENT, CLIENT_SECRET = "*.hubble-relay.cilium.io", "hubble-relay-client-certs"


class CiliumArgs(TypedDict):
    """Cilium."""

    authority: CertificateAuthority
    """Who issues the certificates of Hubble."""
    kube_proxy_replacement: NotRequired[bool]
    """Whether it does kube-proxy's work too; default ``False``."""
    api_server: NotRequired[str | None]
    """Host and port of the API server as nodes reach it without kube-proxy; needed where that is replaced."""
    hubble: NotRequired[bool]
    """Whether flows can be watched: Hubble with its relay and its page; default ``False``."""
    operator_replicas: NotRequired[int]
    """Pods of the operator, each on a node of its own; default 1."""
    service_mesh: NotRequired[bool]
    """Whether a service mesh shares the network of the pods with it; default ``False``."""


class Cilium(pulumi.ComponentResource):
    """Cilium, on a cluster that has no other CNI."""

    namespace: pulumi.Output[str]
    """Where it is; known when it is ready."""

    def __init__(self, name: str, args: CiliumArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Cilium", name, None, opts)
        ns = home(name, PRODUCT, self).metadata.name
        secrets: list[pulumi.Output[str]] = []
        if args.get("hubble"):
            # By itself, the chart makes new certificates whenever it is rendered: each preview would show changes.
            for part, host, secret in (("server", SERVER, SERVER_SECRET), ("relay", CLIENT, CLIENT_SECRET)):
                certificate = args["authority"].issue(
                    f"{name}-{part}-tls",
                    {"hosts": [host], "secret_name": secret, "namespace": ns, "component": "cilium", "peers": True},
                    pulumi.ResourceOptions(parent=self),
                )
                secrets.append(certificate.secret)
        self.namespace = install(name, PRODUCT, ns, {"chart": values(args, *secrets)}, self)
        self.register_outputs({"namespace": self.namespace})


def values(args: CiliumArgs, *secrets: pulumi.Input[str]) -> Manifest:
    """Return the values of the chart; ``secrets`` are those of Hubble's server and of its relay, where it is on."""
    chosen: Manifest = {
        # In the chart this is a text.
        "kubeProxyReplacement": "true" if args.get("kube_proxy_replacement") else "false",
        "operator": {"replicas": args.get("operator_replicas", 1)},
        "hubble": {"enabled": False},
    }
    if address := args.get("api_server"):
        host, _, port = address.rpartition(":")
        chosen |= {"k8sServiceHost": host.strip("[]"), "k8sServicePort": port}
    if secrets:
        server, relay = secrets
        chosen["hubble"] = {
            "enabled": True,
            "tls": {"auto": {"enabled": False}, "server": {"existingSecret": server}},
            "relay": {"enabled": True, "tls": {"client": {"existingSecret": relay}}},
            "ui": {"enabled": True},
        }
    if args.get("service_mesh"):
        # Else Cilium removes the mesh's CNI plugin, and picks a pod for a connection before the mesh sees it.
        chosen |= {"cni": {"exclusive": False}, "socketLB": {"hostNamespaceOnly": True}}
    return chosen
