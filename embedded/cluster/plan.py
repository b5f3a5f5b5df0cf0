"""The addresses and ports of the embedded cluster, in one place.

All but the node's address exist only inside the cluster's network namespace, so the standard ports are free there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NODE = "inspiration"
"""The first node's name, and that of the kubeconfig's context."""

INTERFACE = "inspiration0"
"""The machine's end of the link to the cluster. Its address never changes, whatever network the machine is on."""

LINK_NETWORK = "10.215.0.0/30"
HOST_ADDRESS = "10.215.0.1"
NODE_ADDRESS = "10.215.0.2"
POD_NETWORK = "10.213.0.0/16"
"""Of the first node, which has it all."""
SERVICE_NETWORK = "10.214.0.0/16"
API_SERVICE_ADDRESS = "10.214.0.1"
"""The first address of the Service network is the API server's, by Kubernetes' own rule."""
DNS_ADDRESS = "10.214.0.10"
DOCKER_BRIDGE = "10.216.0.1/24"

MOST_NODES = 9
BRIDGE = "inspiration1"
"""The machine's bridge, on which the further nodes are."""
BRIDGE_ADDRESS, BRIDGE_NETWORK = "10.215.1.1", "10.215.1.0/24"
NODE_NETWORKS = "10.215.0.0/23"
"""All nodes: the first one's link, and the bridge."""
ALL_PODS = "10.212.0.0/15"
"""The pods of all nodes: the first one's, and a /24 each of the further ones in 10.212.0.0/16."""
CLUSTER_NETWORKS = "10.212.0.0/14"
"""Pods, Services and nodes: all that the cluster has of its own."""
VOLUMES = Path("/run/inspiration")
"""Where the cluster sees its volumes: a bind mount of its own, so that their path doesn't name this checkout."""

OWN_FOLDERS = {
    "cni": Path("/var/lib/cni"),
    "cni-config": Path("/etc/cni"),
    "container-logs": Path("/var/log/containers"),
    "containerd-run": Path("/run/containerd"),
    "kubelet-sockets": Path("/var/lib/kubelet"),
    "pod-networks": Path("/run/netns"),
    "otel-collector": Path("/var/lib/otel-collector"),
    "pod-logs": Path("/var/log/pods"),
    "volumes": VOLUMES,
}
"""Folders of :attr:`Files.data`, and where programs look for them whatever they are told: bind mounts of the cluster's.

Without them the machine's own would be used, by a MicroK8s or a Docker Engine as well, and the pods' logs and addresses
of a cluster that was removed would be found by the next one.
"""

API_SERVER = f"https://{NODE_ADDRESS}:6443"


@dataclass(frozen=True)
class Node:
    """A node of the cluster, in network, mount and PID namespaces of its own."""

    name: str
    """Also that of the cgroup below which its pods are: a kubelet removes what it doesn't know from there."""
    address: str
    pods: str
    """The network of its pods."""


FIRST = Node(NODE, NODE_ADDRESS, POD_NETWORK)
"""The one with the control plane."""


def further_node(number: int) -> Node:
    """Return the node of a number from 2 to :data:`MOST_NODES`."""
    return Node(f"{NODE}-{number}", f"10.215.1.{number}", f"10.212.{number}.0/24")


def all_nodes() -> list[Node]:
    """Return all nodes that there may be."""
    return [FIRST, *(further_node(number) for number in range(2, MOST_NODES + 1))]


def without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """``NO_PROXY`` with what is on this machine added, so that a proxy is asked for the rest only.

    Programs differ in which spelling they prefer: what either of them says holds, and both are set.
    """
    here = ("localhost", "127.0.0.1", NODE_ADDRESS, CLUSTER_NETWORKS, ".svc", ".cluster.local")
    names = ("NO_PROXY", "no_proxy")
    given = [part for name in names for part in environment.get(name, "").split(",") if part]
    return dict.fromkeys(names, ",".join(dict.fromkeys([*given, *here])))


def remove_own_folders() -> None:
    """Remove :data:`OWN_FOLDERS` from the machine; those that aren't empty are somebody else's."""
    for place in OWN_FOLDERS.values():
        with contextlib.suppress(OSError):
            place.rmdir()


@dataclass(frozen=True)
class Ports:
    """TCP ports that the machine listens on for the cluster."""

    http: int = 80
    https: int = 443
    registry: int = 32000
    http_on_node: int | None = None
    """Where the node listens for `http`; by default on the same port."""
    https_on_node: int | None = None
    """The same for `https`."""
    project: str = "inspiration"
    """Name of the project, which the keys of its configuration begin with."""

    def on_node(self) -> dict[int, int]:
        """Each port with that of the node where it leads to."""
        return {
            self.http: self.http_on_node or self.http,
            self.https: self.https_on_node or self.https,
            self.registry: self.registry,
        }

    def keys(self) -> dict[int, str]:
        """Each port with the config key that changes it, as ``{80: "inspiration:ingress.httpPort"}``."""
        keys = {self.http: "ingress.httpPort", self.https: "ingress.httpsPort", self.registry: "registry.nodePort"}
        return {port: f"{self.project}:{key}" for port, key in keys.items()}


@dataclass(frozen=True)
class Files:
    """Where the cluster keeps what it has, below the state folder."""

    state: Path

    @property
    def record(self) -> Path:
        """How many nodes the cluster has, where that was said."""
        return self.state / "cluster.json"

    @property
    def nodes(self) -> Path:
        """The folders of the further nodes."""
        return self.state / "nodes"

    def node(self, number: int) -> Files:
        """Where a further node keeps what it has, as if it were a machine of its own."""
        return Files(self.nodes / str(number))

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """Configuration files, written anew at each start."""
        return self.state / "config"

    @property
    def bootstrap_kubeconfig(self) -> Path:
        """With what the kubelet of a further node asks for its certificate, while it has none."""
        return self.config / "bootstrap-kubelet.kubeconfig"

    @property
    def logs(self) -> Path:
        """A log a process, rotated by the supervisor, and the API server's audit log."""
        return self.state / "logs"

    @property
    def data(self) -> Path:
        """What must survive a restart: etcd, images, volumes."""
        return self.state / "data"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def environment(self) -> Path:
        """What the last ``script/up`` has for the commands that use the cluster."""
        return self.state / "environment.json"

    @property
    def volume_plugins(self) -> Path:
        """Where the kubelet and the controller manager look for FlexVolume drivers, of which there are none."""
        return self.data / "volume-plugins"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd serves the kubelet."""
        return self.state / "containerd.sock"

    @property
    def docker_socket(self) -> Path:
        """Where the embedded Docker Engine listens."""
        return self.state / "docker.sock"

    @property
    def supervisor_socket(self) -> Path:
        """Where the supervisor is asked and told."""
        return self.state / "supervisor.sock"

    @property
    def network_namespace(self) -> Path:
        """The file that the cluster's network namespace is bound to."""
        return self.state / "netns"

    def make(self) -> None:
        """Make the folders, closed to other users."""
        own = (self.data / name for name in OWN_FOLDERS)
        for folder in (self.state, self.pki, self.config, self.logs, self.data, *own):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def remove_sockets(self) -> None:
        """Remove what containerd and the Docker Engine leave of theirs."""
        for socket in (self.containerd_socket, self.docker_socket):
            for path in (socket, socket.with_name(f"{socket.name}.ttrpc")):
                path.unlink(missing_ok=True)
