"""What a cluster has already, as far as the stack's configuration depends on it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypeAlias

import yaml

from components.manifests import INSTANCE, PART_OF

Document: TypeAlias = Mapping[str, Any]
"""An object or a list of them, as the API server gives it."""

PATHS: Mapping[str, str] = {
    "version": "/version",
    "namespaces": "/api/v1/namespaces",
    "services": "/api/v1/services",
    "storage_classes": "/apis/storage.k8s.io/v1/storageclasses",
    "ingress_classes": "/apis/networking.k8s.io/v1/ingressclasses",
    # Where developers' tools look for a registry: KEP-1755, "Communicating a local registry".
    "registry": "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting",
    "metrics_api": "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io",
    "nodes": "/api/v1/nodes",
    "daemon_sets": "/apis/apps/v1/daemonsets",
}
"""What the API server is asked for, by the name of the fact."""

ENFORCERS = re.compile(
    r"(.*-)?(anetd|antrea-agent|azure-npm|calico-node|canal|cilium|kube-network-policies|kube-ovn-cni|kube-router"
    r"|ovnkube-node|weave-net)"
)
"""Names of the DaemonSets that enforce NetworkPolicies, whoever installed them.

Not kindnet, whose older versions don't; and kind's nodes have no public addresses.
"""


@dataclass(frozen=True)
class Found:
    """An object of the cluster."""

    name: str
    stack: str | None = None
    """Which stack of this program made it; ``None``: somebody else did."""

    @property
    def whose(self) -> str:
        """Who has made it, for an error about what isn't this stack's."""
        return f"there already, of the stack {self.stack}" if self.stack else "there already, and isn't of this stack"


@dataclass(frozen=True)
class FoundClass(Found):
    """A StorageClass or an IngressClass."""

    default: bool = False


@dataclass(frozen=True)
class FoundService(Found):
    """A Service."""

    namespace: str = "default"
    dns: bool = False
    """Whether programs recognise the cluster's DNS by its label."""
    node_ports: frozenset[int] = frozenset()


@dataclass(frozen=True)
class FoundRegistry(Found):
    """The ConfigMap that tells where the cluster's image registry is."""

    host: str | None = None
    """As in image names; ``None``: it doesn't tell."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    addresses: tuple[str, ...] = ()
    """Its own, inside of the cluster's network and on the internet."""
    overlay_addresses: tuple[str, ...] = ()
    """Those with which it may send something to the pods of other nodes, where the pods have a network of their own."""


@dataclass(frozen=True)
class ClusterFacts:
    """What a cluster has already."""

    stack: str
    """The name by which this stack's objects are recognised."""
    version: tuple[int, int] | None = None
    """Major and minor version of Kubernetes; ``None``: the cluster doesn't tell."""
    namespaces: tuple[Found, ...] = ()
    services: tuple[FoundService, ...] = ()
    storage_classes: tuple[FoundClass, ...] = ()
    ingress_classes: tuple[FoundClass, ...] = ()
    registry: FoundRegistry | None = None
    metrics_api: Found | None = None
    nodes: tuple[Node, ...] = ()
    enforces_policies: bool = False
    """Whether something is seen that enforces NetworkPolicies. There may be more: it needn't be a DaemonSet."""
    denied: Mapping[str, str] = field(default_factory=dict)
    """What these credentials may not ask: name of the fact to the API server's words."""

    def foreign(self, found: Found | None) -> bool:
        """Tell whether there is such an object, and it isn't this stack's."""
        return found is not None and found.stack != self.stack


def facts_of(documents: Mapping[str, Document | None], stack: str, denied: Mapping[str, str]) -> ClusterFacts:
    """Return the facts in the API server's answers to ``PATHS``; ``None`` is the answer about what isn't there."""
    registry, metrics_api = documents.get("registry"), documents.get("metrics_api")
    return ClusterFacts(
        stack=stack,
        version=_version(documents.get("version")),
        namespaces=found_in(documents.get("namespaces"), stack),
        services=tuple(_service(item, stack) for item in _items(documents.get("services"))),
        storage_classes=tuple(
            _class(item, stack, "storageclass.kubernetes.io", "storageclass.beta.kubernetes.io")
            for item in _items(documents.get("storage_classes"))
        ),
        ingress_classes=tuple(
            _class(item, stack, "ingressclass.kubernetes.io") for item in _items(documents.get("ingress_classes"))
        ),
        registry=FoundRegistry(*_whose(registry, stack), _host(registry)) if registry else None,
        metrics_api=Found(*_whose(metrics_api, stack)) if metrics_api else None,
        nodes=tuple(map(_node, _items(documents.get("nodes")))),
        enforces_policies=_enforces_policies(documents.get("version"), documents.get("daemon_sets")),
        denied=denied,
    )


def found_in(listed: Document | None, stack: str) -> tuple[Found, ...]:
    """Return the objects of a list; ``stack`` is the one that asks."""
    return tuple(Found(*_whose(item, stack)) for item in _items(listed))


def _items(listed: Document | None) -> Iterable[Document]:
    # An empty list is null in what some API servers that aren't written in Go give.
    return (listed or {}).get("items") or ()


def _whose(item: Document, stack: str) -> tuple[str, str | None]:
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    # What an older version of this program made doesn't say of which stack it is.
    return metadata["name"], labels.get(INSTANCE, stack) if labels.get(PART_OF) == "inspiration" else None


def _class(item: Document, stack: str, *prefixes: str) -> FoundClass:
    annotations = item["metadata"].get("annotations") or {}
    default = any(annotations.get(f"{prefix}/is-default-class") == "true" for prefix in prefixes)
    return FoundClass(*_whose(item, stack), default)


def _service(item: Document, stack: str) -> FoundService:
    metadata, spec = item["metadata"], item.get("spec") or {}
    name, namespace = metadata["name"], metadata["namespace"]
    labelled = (metadata.get("labels") or {}).get("k8s-app") == "kube-dns"
    ports = {port.get("nodePort") for port in spec.get("ports") or ()} | {spec.get("healthCheckNodePort")}
    return FoundService(
        *_whose(item, stack),
        namespace,
        # The label is what kubeadm, k3s, MicroK8s and managed clusters agree on, where the name may be another one.
        namespace == "kube-system" and (name == "kube-dns" or labelled),
        frozenset(port for port in ports if port),
    )


def _host(config_map: Document) -> str | None:
    text = (config_map.get("data") or {}).get("localRegistryHosting.v1", "")
    try:
        hosting = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    host = hosting.get("host") if isinstance(hosting, dict) else None
    return host if isinstance(host, str) else None


def _node(item: Document) -> Node:
    annotations = item["metadata"].get("annotations") or {}
    known = (item.get("status") or {}).get("addresses") or ()
    own = [each["address"] for each in known if each.get("type") in ("InternalIP", "ExternalIP")]
    tunnels = [annotations[name] for name in sorted(annotations) if _CALICO_TUNNEL.fullmatch(name)]
    # Flannel's device has the first address of the node's range, the bridge or the gateway of its pods the second.
    # Where Calico hands out the addresses, these may be pods'. Canal is Flannel with Calico's policies.
    of_calico, of_flannel = (
        any(name.startswith(prefix) for name in annotations) for prefix in ("projectcalico.org/IPv", "flannel.")
    )
    ranges = () if of_calico and not of_flannel else _pod_ranges(item)
    return Node(tuple(own), (*tunnels, *(str(each[index]) for each in ranges for index in (0, 1))))


_CALICO_TUNNEL = re.compile(r"projectcalico\.org/IPv[46](IPIP|VXLAN)TunnelAddr")


def _pod_ranges(node: Document) -> Iterator[IPv4Network | IPv6Network]:
    for text in (node.get("spec") or {}).get("podCIDRs") or ():
        known = ip_network(text)
        if known.num_addresses > 1:
            yield known


def _enforces_policies(version: Document | None, daemon_sets: Document | None) -> bool:
    # The program k3s has kube-router in itself.
    if "+k3s" in str((version or {}).get("gitVersion", "")):
        return True
    return any(
        ENFORCERS.fullmatch(item["metadata"]["name"]) or "--enable-network-policy=true" in _arguments(item)
        for item in _items(daemon_sets)
    )


def _arguments(daemon_set: Document) -> Iterator[str]:
    """Yield the arguments of its containers: by one of them, Amazon's aws-node enforces NetworkPolicies."""
    containers = (((daemon_set.get("spec") or {}).get("template") or {}).get("spec") or {}).get("containers") or ()
    for container in containers:
        yield from container.get("args") or ()


def _version(document: Document | None) -> tuple[int, int] | None:
    # Managed clusters have a suffix, as in "33+".
    numbers = [str((document or {}).get(part, "")).rstrip("+") for part in ("major", "minor")]
    return (int(numbers[0]), int(numbers[1])) if all(number.isdigit() for number in numbers) else None


def refusal(body: bytes) -> str:
    """Return what the API server says may not be done, and by whom, from its answer 403."""
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return "may not ask that"
    # 'services is forbidden: User "eve" cannot list resource "services" in API group "" at the cluster scope'
    return message.partition(" is forbidden: ")[2] or message
