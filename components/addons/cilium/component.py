"""Cilium: the network of the pods, and the policies on it."""

import pulumi
from typing_extensions import override

from components.addons.addon import Context
from components.addons.cilium import NAMESPACE, CiliumOptions
from components.chart import Charts, Product, Release
from components.manifests import Manifest

# Privileged: the agent loads programs into the kernel and writes the node's CNI configuration.
PRODUCT = Product(NAMESPACE, "privileged", {"chart": Release("cilium", "cilium", "1.20.2", "https://helm.cilium.io")})

# Of Hubble in the cluster named "default": https://docs.cilium.io/en/stable/observability/hubble/configuration/tls/
SERVER, SERVER_SECRET = "*.default.hubble-grpc.cilium.io", "hubble-server-certs"
CLIENT, CLIENT_SECRET = "*.hubble-relay.cilium.io", "hubble-relay-client-certs"


class Cilium(Charts[CiliumOptions]):
    """Cilium, on a cluster that has no other CNI."""

    product = PRODUCT

    @override
    def values(self, options: CiliumOptions, context: Context, ns: pulumi.Output[str]) -> dict[str, Manifest]:
        secrets: list[pulumi.Output[str]] = []
        if options.hubble:
            # By itself, the chart makes new certificates whenever it is rendered: each preview would show changes.
            for part, host, secret in (("server", SERVER, SERVER_SECRET), ("relay", CLIENT, CLIENT_SECRET)):
                certificate = context.authority.issue(
                    f"{self.name}-{part}-tls",
                    {"hosts": [host], "secret_name": secret, "namespace": ns, "component": "cilium", "peers": True},
                    pulumi.ResourceOptions(parent=self),
                )
                secrets.append(certificate.secret)
        return {"chart": values(options, bool(context.addons & {"istio", "linkerd"}), *secrets)}


def values(options: CiliumOptions, service_mesh: bool, *secrets: pulumi.Input[str]) -> Manifest:
    """Return the values of the chart.

    Args:
        options: The options.
        service_mesh: Whether a service mesh shares the network of the pods with it.
        *secrets: Those of Hubble's server and of its relay, where it is on.
    """
    chosen: Manifest = {
        # In the chart this is a text.
        "kubeProxyReplacement": "true" if options.kube_proxy_replacement else "false",
        "operator": {"replicas": options.operator_replicas},
        "hubble": {"enabled": False},
    }
    if address := options.api_server:
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
    if service_mesh:
        # Else Cilium removes the mesh's CNI plugin, and picks a pod for a connection before the mesh sees it.
        chosen |= {"cni": {"exclusive": False}, "socketLB": {"hostNamespaceOnly": True}}
    return chosen
