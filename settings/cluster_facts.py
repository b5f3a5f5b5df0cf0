"""What a cluster has already, as far as the stack's configuration depends on it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

import yaml

from components.addons import ADDONS
from components.addons.addon import Detection, Document
from components.manifests import INSTANCE, PART_OF, PROGRAM

VERSION = "/version"
NAMESPACES = "/api/v1/namespaces"
SERVICES = "/api/v1/services"
NODES = "/api/v1/nodes"
DAEMON_SETS = "/apis/apps/v1/daemonsets"
SITES = "/apis/apps/v1/deployments?labelSelector=app.kubernetes.io%2Fcomponent%3Dsite"

DETECTED: Mapping[str, Detection] = {addon.name: addon.detection for addon in ADDONS if addon.detection}
"""How addons are seen to be there already, by name."""

PATHS = list(
    dict.fromkeys(
        [VERSION, NAMESPACES, SERVICES, NODES, DAEMON_SETS, SITES, *(each.path for each in DETECTED.values())]
    )
)
"""What the API server is asked for. The first is answered to whoever may connect."""

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
    default: bool = False
    """Whether it is the class that is meant where none is named."""
    data: Mapping[str, str] = field(default_factory=dict)
    """What is in it, if it is a ConfigMap."""

    @property
    def whose(self) -> str:
        """Who has made it, for an error about what isn't this stack's."""
        return f"there already, of the stack {self.stack}" if self.stack else "there already, and isn't of this stack"


@dataclass(frozen=True)
class FoundService(Found):
    """A Service."""

    namespace: str = "default"
    node_ports: frozenset[int] = frozenset()


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
    found: Mapping[str, tuple[Found, ...]] = field(default_factory=dict)
    """What has to do with an addon, by the addon's name, whoever made it."""
    nodes: tuple[Node, ...] = ()
    enforces_policies: bool = False
    """Whether something is seen that enforces NetworkPolicies. There may be more: it needn't be a DaemonSet."""
    recorded: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Annotations of the stack's sites, by name."""
    images: Mapping[str, str] = field(default_factory=dict)
    """What these sites run, by name."""
    denied: Mapping[str, str] = field(default_factory=dict)
    """What these credentials may not ask: path to the API server's words."""

    def of(self, addon: str) -> tuple[Found, ...]:
        """Return what has to do with ``addon``."""
        return self.found.get(addon, ())

    def others(self, addon: str) -> list[Found]:
        """Return what of it somebody else has made."""
        return [each for each in self.of(addon) if self.foreign(each)]

    def foreign(self, found: Found) -> bool:
        """Tell whether an object isn't this stack's."""
        return found.stack != self.stack


def facts_of(documents: Mapping[str, Document | None], stack: str, denied: Mapping[str, str]) -> ClusterFacts:
    """Return the facts in the API server's answers to ``PATHS``; ``None`` is the answer about what isn't there."""
    sites = [item for item in _items(documents.get(SITES)) if _whose(item, stack)[1] == stack]
    return ClusterFacts(
        stack=stack,
        version=_version(documents.get(VERSION)),
        namespaces=found_in(documents.get(NAMESPACES), stack),
        services=tuple(_service(item, stack) for item in _items(documents.get(SERVICES))),
        found={
            name: tuple(_found(item, stack) for item in _items(documents.get(each.path)) if each.concerns(item))
            for name, each in DETECTED.items()
        },
        nodes=tuple(map(_node, _items(documents.get(NODES)))),
        recorded={item["metadata"]["name"]: item["metadata"].get("annotations") or {} for item in sites},
        images={item["metadata"]["name"]: item["spec"]["template"]["spec"]["containers"][0]["image"] for item in sites},
        enforces_policies=_enforces_policies(documents.get(VERSION), documents.get(DAEMON_SETS)),
        denied=denied,
    )


def found_in(listed: Document | None, stack: str) -> tuple[Found, ...]:
    """Return the objects of a list; ``stack`` is the one that asks."""
    return tuple(_found(item, stack) for item in _items(listed))


def _items(answer: Document | None) -> Iterable[Document]:
    """Return the objects of a list; or the one that is no list."""
    if answer is None:
        return ()
    if "items" not in answer and "metadata" in answer and "name" in answer["metadata"]:
        return (answer,)
    # An empty list is null in what some API servers that aren't written in Go give.
    return answer.get("items") or ()


def _whose(item: Document, stack: str) -> tuple[str, str | None]:
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    # What an older version of this program made doesn't say of which stack it is.
    return metadata["name"], labels.get(INSTANCE, stack) if labels.get(PART_OF) == PROGRAM else None


def _found(item: Document, stack: str) -> Found:
    annotations = item["metadata"].get("annotations") or {}
    # Of a StorageClass as of an IngressClass, but for the group before it.
    default = any(key.endswith("/is-default-class") and value == "true" for key, value in annotations.items())
    return Found(*_whose(item, stack), default, item.get("data") or {})


def _service(item: Document, stack: str) -> FoundService:
    metadata, spec = item["metadata"], item.get("spec") or {}
    ports = {port.get("nodePort") for port in spec.get("ports") or ()} | {spec.get("healthCheckNodePort")}
    return FoundService(
        *_whose(item, stack), namespace=metadata["namespace"], node_ports=frozenset(port for port in ports if port)
    )


def registry_host(config_map: Found) -> str | None:
    """Return where a ConfigMap says that the cluster's registry is, as in image names; ``None``: it doesn't tell.

    Source: KEP-1755, "Communicating a local registry".
    """
    text = config_map.data.get("localRegistryHosting.v1", "")
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
