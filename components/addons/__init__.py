"""The addons that there are. What is optional is deployed in this order, after all else."""

from collections.abc import Mapping
from typing import Any

from components.addons.addon import Addon
from components.addons.cert import CERT
from components.addons.cilium import CILIUM
from components.addons.dashboard import DASHBOARD
from components.addons.dns import DNS
from components.addons.gpu import GPU
from components.addons.ingress import INGRESS
from components.addons.istio import ISTIO
from components.addons.jaeger import JAEGER
from components.addons.knative import KNATIVE
from components.addons.linkerd import LINKERD
from components.addons.logs import LOGS
from components.addons.metrics_server import METRICS_SERVER
from components.addons.postgres import POSTGRES
from components.addons.prometheus import PROMETHEUS
from components.addons.rancher import RANCHER
from components.addons.rbac import RBAC
from components.addons.registry import REGISTRY
from components.addons.storage import STORAGE

ADDONS: tuple[Addon[Any], ...] = (
    DNS,
    STORAGE,
    REGISTRY,
    INGRESS,
    DASHBOARD,
    METRICS_SERVER,
    PROMETHEUS,
    LOGS,
    RBAC,
    JAEGER,
    KNATIVE,
    POSTGRES,
    CERT,
    CILIUM,
    GPU,
    ISTIO,
    LINKERD,
    RANCHER,
)

NAMESPACES: Mapping[str, str] = {namespace: addon.name for addon in ADDONS for namespace in addon.namespaces}
"""The namespaces that addons make, and which of them."""


def reserved(namespace: str) -> bool:
    """Tell whether a namespace is one of the cluster's or of an addon's, which nothing else may have."""
    return namespace in NAMESPACES or namespace == "default" or namespace.startswith("kube-")
