"""The further nodes of the cluster: what runs on each, how it comes, and how it goes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from embedded import files, interruption
from embedded.cluster import configuration, control_groups, joining, node_network, pki, plan, volumes
from embedded.cluster.access import FURTHER
from embedded.cluster.kubectl import Kubectl
from embedded.cluster.plan import Files
from embedded.cluster.programs import node_programs
from embedded.cluster.supervision import Supervisor
from embedded.errors import Failure

Load: TypeAlias = Callable[[Path], object]

DRAIN_SECONDS = 180
"""As long as a pod may take to end, and another one to come in its place, many times over."""


class FurtherNode:
    """A node besides the first one.

    Args:
        cluster: Where the cluster keeps what it has.
        number: From 2 on.
    """

    def __init__(self, cluster: Files, number: int) -> None:
        self.number = number
        self.node = plan.further_node(number)
        self.files = cluster.node(number)
        self.supervisor = Supervisor(self.files)
        self._cluster = cluster

    def provide(self, cni_bin: Path) -> bool:
        """Make its folders, certificates, configuration and cgroups; tell whether its certificates are new."""
        self.files.make()
        renewed = pki.provide_node(self.files.pki, self._cluster.pki, self.node)
        configuration.write_node(self.files, cni_bin, self.node)
        control_groups.up(self.node.name)
        return renewed

    def begin(self, bin_dir: Path, kube_router: Path, load: Load, *, renewed: bool) -> None:
        """Start its containerd, and load its images before the first pod wants one.

        Raises:
            Failure: It doesn't start, or can't load them.
        """
        self.supervisor.start(node_programs(self.files, bin_dir, kube_router, self.node))
        if renewed:
            self.supervisor.restart(["kube-proxy", "kube-router"])
        running, socket = self.supervisor.processes(), self.files.containerd_socket
        if "containerd" not in running:
            socket.unlink(missing_ok=True)  # of one that was killed
        self.supervisor.run("containerd")
        if "kubelet" not in running:
            what = f"containerd of {self.node.name} doesn't listen"
            self.supervisor.wait("containerd", socket.is_socket, what, seconds=60)
            load(socket)

    def join(self, bin_dir: Path, kube_router: Path, kubectl: Kubectl) -> bool:
        """Start the rest, and wait until its kubelet has its first certificate.

        Returns:
            Whether something was started.

        Raises:
            Failure: Something doesn't start, or the kubelet gets none; with its last words.
        """
        token = None if joining.is_joined(self.files) else joining.invite(self.files, kubectl)
        try:
            if token:
                self.supervisor.restart(["kubelet"])
            programs = node_programs(self.files, bin_dir, kube_router, self.node)
            started = [program.name for program in programs if self.supervisor.run(program.name)]
            self._wait(lambda: joining.is_joined(self.files), "gets no certificate")
        finally:
            if token:
                joining.close(self.files, kubectl, token)
        return bool(started)

    def certify(self, kubectl: Kubectl) -> None:
        """Approve the certificate that its kubelet serves with, the first one or the next one.

        Raises:
            Failure: It asks for none.
        """

        def serves() -> bool:
            joining.approve(kubectl, [self.node])
            return joining.is_serving(self.files)

        self._wait(serves, "has no certificate to serve with")

    def end(self) -> None:
        """Stop what runs on it, and give back its network and its cgroups; its data stays."""
        self.supervisor.stop()
        node_network.leave(self._cluster, self.number)
        self.files.remove_sockets()

    def _wait(self, is_ready: Callable[[], bool], what: str) -> None:
        self.supervisor.wait("kubelet", is_ready, f"the kubelet of {self.node.name} {what}", seconds=60)


class FurtherNodes:
    """Those of a cluster.

    Args:
        cluster: Where it keeps what it has.
    """

    def __init__(self, cluster: Files) -> None:
        self._cluster = cluster

    def count(self) -> int:
        """How many nodes the cluster is to have, the first one among them.

        Raises:
            Failure: The record of it can't be read.
        """
        try:
            return int(json.loads(self._cluster.record.read_text())["nodes"])
        except FileNotFoundError:
            return 1
        except (ValueError, LookupError, TypeError):
            raise Failure(
                f"{self._cluster.record} can't be read: it is damaged", fix="say how many: script/up --nodes 1"
            ) from None

    def record(self, count: int) -> None:
        """Keep how many it is to have; of one, nothing is said."""
        if count == 1:
            self._cluster.record.unlink(missing_ok=True)
        else:
            files.replace(self._cluster.record, json.dumps({"nodes": count}))

    @property
    def unspread(self) -> Path:
        """A file that is there while pods haven't been spread over nodes that came."""
        return self._cluster.nodes / "unspread"

    def wanted(self, count: int) -> list[FurtherNode]:
        """Those of a cluster of ``count`` nodes."""
        return [FurtherNode(self._cluster, number) for number in range(2, count + 1)]

    def there(self) -> list[FurtherNode]:
        """Those that have a folder, wanted or not."""
        folders = self._cluster.nodes.glob("[2-9]") if self._cluster.nodes.exists() else ()
        return [FurtherNode(self._cluster, int(folder.name)) for folder in sorted(folders)]

    def start(
        self, nodes: Sequence[FurtherNode], bin_dir: Path, kube_router: Path, kubectl: Kubectl, load: Load
    ) -> list[str]:
        """Start what isn't running of nodes; the API server answers.

        Args:
            nodes: Those that there are to be.
            bin_dir: The toolchain's executables.
            kube_router: The one that enforces NetworkPolicies.
            kubectl: Of the cluster.
            load: Loads the images into the containerd at a socket.

        Returns:
            Names of the nodes that something was started on.

        Raises:
            Failure: Something doesn't start, or a kubelet gets no certificate.
        """
        if not nodes:
            return []
        renewed = {node.number: node.provide(bin_dir) for node in nodes}
        node_network.up(self._cluster, [node.number for node in nodes])
        with ThreadPoolExecutor() as threads:
            begun = [
                threads.submit(node.begin, bin_dir, kube_router, load, renewed=renewed[node.number]) for node in nodes
            ]
            for each in begun:
                each.result()
        started = []
        for node in nodes:
            interruption.check()
            if node.join(bin_dir, kube_router, kubectl):
                started.append(node.node.name)
                self.unspread.touch()
        for node in nodes:
            node.certify(kubectl)
        return started

    def refuse_loss(self, leaving: Sequence[FurtherNode], kubectl: Kubectl) -> None:
        """Refuse to let nodes go with volumes that can't be moved.

        Raises:
            Failure: There are some.
        """
        if not leaving:
            return
        held = [
            f"{volumes.claim_of(each)} on {' and '.join(sorted(volumes.nodes_of(each)))}"
            for each in volumes.on([node.node.name for node in leaving], kubectl)
            if volumes.folder_of(each) is None
        ]
        if held:
            raise Failure(
                f"volumes that aren't of the StorageClass local-path are on nodes that are to go: {', '.join(held)}",
                fix="keep these nodes, or delete the claims (kubectl delete pvc) with what is in the volumes",
            )

    def remove(self, leaving: Sequence[FurtherNode], kubectl: Kubectl) -> None:
        """Drain nodes, take them out of the cluster, and remove all that they had.

        Their pods go to the other nodes, and their volumes to the first one.

        Raises:
            Failure: A pod can't leave; nothing is lost.
        """
        if not leaving:
            return
        known = {each["metadata"]["name"] for each in kubectl.objects("nodes")}
        names = [node.node.name for node in leaving if node.node.name in known]
        if names:
            kubectl.run("cordon", *names)
        volumes.finish(self._cluster, kubectl)
        # First, since other pods may wait for those that have one: for the registry, who hasn't got its image yet.
        for node in leaving:
            for each in volumes.on([node.node.name], kubectl):
                volumes.move(each, node.files, self._cluster, kubectl, dead=node.supervisor.root() is None)
        # Of one that doesn't run, Kubernetes removes the pods with the node.
        if living := [node.node.name for node in leaving if node.node.name in names and node.supervisor.root()]:
            try:
                kubectl.run(
                    "drain", *living, "--ignore-daemonsets", "--delete-emptydir-data", "--force",
                    f"--timeout={DRAIN_SECONDS}s",
                )  # fmt: skip
            except Failure as failure:
                raise Failure(
                    f"pods don't leave {' and '.join(living)}: {failure.cause.splitlines()[-1]}",
                    fix="see with script/up --status what those wait for that are to take their place, then run this "
                    "again",
                ) from None
        if names:
            kubectl.run("delete", "node", *names)
        for node in leaving:
            node.end()
            control_groups.down(node.node.name)
            shutil.rmtree(node.files.state)
            # Those of DaemonSets, which Kubernetes' own garbage collector would find after a while.
            kubectl.run(
                "delete", "pods", "--all-namespaces", f"--field-selector=spec.nodeName={node.node.name}", "--force",
                "--grace-period=0",
            )  # fmt: skip
        if not self.there():
            node_network.down(self._cluster)
            bindings = [f"inspiration:{name}" for name in FURTHER]
            kubectl.run("delete", "clusterrolebinding", *bindings, "--ignore-not-found")
            shutil.rmtree(self._cluster.nodes)

    def forget_dead(self, kubectl: Kubectl) -> None:
        """Take nodes on which nothing runs out of the API, so that it doesn't wait for somebody there to end pods.

        They register again when they are started.

        Raises:
            Failure: There is no answer.
        """
        if dead := [node.node.name for node in self.there() if node.supervisor.root() is None]:
            kubectl.run("delete", "node", *dead, "--ignore-not-found")

    def end(self) -> None:
        """Stop all, and give the machine back what it has of their network."""
        with ThreadPoolExecutor() as threads:
            list(threads.map(FurtherNode.end, self.there()))
        node_network.down(self._cluster)
