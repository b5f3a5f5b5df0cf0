"""The products that upstream ships as Helm charts only: which charts, of which version, and what their pods may do."""

from collections.abc import Mapping

from components.addons.chart import Product, Release

_CILIUM = "https://helm.cilium.io"
_ISTIO = "https://istio-release.storage.googleapis.com/charts"
_LINKERD = "https://helm.linkerd.io/edge"
_NVIDIA = "https://helm.ngc.nvidia.com/nvidia"
_RANCHER = "https://releases.rancher.com/server-charts/stable"

CATALOGUE: Mapping[str, Product] = {
    # Privileged: the agent loads programs into the kernel and writes the node's CNI configuration.
    "cilium": Product("cilium", "privileged", {"chart": Release("cilium", "cilium", "1.20.2", _CILIUM)}),
    # Privileged: the operator's pods load drivers into the kernel and change the node's container runtime.
    "gpu": Product(
        "gpu-operator", "privileged", {"chart": Release("gpu-operator", "gpu-operator", "v26.7.0", _NVIDIA)}
    ),
    # Privileged: the CNI agent and ztunnel redirect the traffic of pods, from within their network namespaces.
    "istio": Product(
        "istio-system",
        "privileged",
        {
            "base": Release("istio-base", "base", "1.30.4", _ISTIO),
            "istiod": Release("istiod", "istiod", "1.30.4", _ISTIO),
            "cni": Release("istio-cni", "cni", "1.30.4", _ISTIO),
            "ztunnel": Release("ztunnel", "ztunnel", "1.30.4", _ISTIO),
        },
    ),
    # Privileged: an init container of each pod, the control plane's too, writes iptables rules (NET_ADMIN, NET_RAW).
    "linkerd": Product(
        "linkerd",
        "privileged",
        {
            "crds": Release("linkerd-crds", "linkerd-crds", "2026.9.1", _LINKERD),
            "control-plane": Release("linkerd-control-plane", "linkerd-control-plane", "2026.9.1", _LINKERD),
        },
    ),
    # Privileged: it runs as root, and starts pods here whose demands the chart doesn't show.
    "rancher": Product("cattle-system", "privileged", {"chart": Release("rancher", "rancher", "2.15.1", _RANCHER)}),
}
"""By the addon's name in the configuration."""
