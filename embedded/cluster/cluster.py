"""Start, stop and remove the embedded cluster."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from embedded import interruption
from embedded.cluster import configuration, control_groups, kernel_settings, network, pki, plan, preflight
from embedded.cluster.kubectl import Kubectl
from embedded.cluster.nodes import FurtherNodes, Load
from embedded.cluster.plan import Files, Ports
from embedded.cluster.programs import programs
from embedded.cluster.supervision import Supervisor


class Cluster:
    """The embedded cluster whose state is in one folder."""

    def __init__(self, state: Path) -> None:
        self.files = Files(state)
        self.supervisor = Supervisor(self.files)
        self.further = FurtherNodes(self.files)

    def check(self, ports: Ports) -> None:
        """Find what would stop it; see :func:`embedded.cluster.preflight.check`."""
        preflight.check(self.files, ports, {process.pid for process in self.supervisor.processes().values()})

    def start(
        self,
        bin_dir: Path,
        kube_router: Path,
        ports: Ports,
        dockerd: Path,
        nodes: int | None = None,
        load: Load = lambda _: None,
    ) -> str:
        """Start what isn't running, and wait until the API server answers; the nodes may need a little longer.

        Args:
            bin_dir: The toolchain's executables.
            kube_router: The one that enforces NetworkPolicies.
            ports: What the relay listens on, on 127.0.0.1.
            dockerd: The Docker Engine.
            nodes: How many there are to be, from now on; by default as many as were.
            load: Loads the images into the containerd at a socket: on further nodes, before they are wanted.

        Returns:
            What was done, in a few words.

        Raises:
            Failure: Something doesn't start; it names what, with its last words and its log. Or nodes that are to go
                have volumes.
        """
        kubectl = Kubectl(bin_dir / "kubectl", self.files.kubeconfig)
        count = nodes or self.further.count()
        leaving = [node for node in self.further.there() if node.number > count]
        if leaving and not self.is_answering():
            # Their pods leave them: so all is started as it was.
            self.start(bin_dir, kube_router, ports, dockerd, max(node.number for node in leaving), load)
            self.wait_for_nodes()
        if count > 1:
            preflight.refuse_deep(self.files, preflight.DEEPEST_OF_NODES)
        self.further.refuse_loss(leaving, kubectl)
        self.further.record(count)
        further = self.further.wanted(count)
        others = [node.node for node in further]
        was_running = self.supervisor.root() is not None
        self.files.make()
        renewed = pki.provide(self.files.pki)
        configuration.write(self.files, bin_dir, others)
        configuration.write_addresses(self.files, [node.node for node in further if node.supervisor.root()])
        control_groups.up(plan.NODE)
        network.up(self.files)
        kernel_settings.remember(self.files)
        wanted = programs(self.files, bin_dir, kube_router, ports, dockerd)
        stopped, started = self.supervisor.start(wanted), set()
        if renewed:
            stopped |= self.supervisor.restart(program.name for program in wanted)

        def run(name: str) -> None:
            if self.supervisor.run(name):
                started.add(name)

        for name in ("etcd", "containerd", "relay", "dockerd"):
            run(name)
        if "relay" not in started:
            self.supervisor.reload("relay")
        self.supervisor.wait("etcd", self._etcd_listens, "etcd doesn't listen", seconds=60)
        run("kube-apiserver")
        self.supervisor.wait("kube-apiserver", self.is_answering, "the API server isn't ready", seconds=120)
        for program in wanted:
            run(program.name)
        kubectl.run("apply", "--server-side", "--filename", str(self.files.config / "access.yaml"))
        self.supervisor.wait(
            "containerd", self.files.containerd_socket.is_socket, "containerd doesn't listen", seconds=60
        )
        came = self.further.start(further, bin_dir, kube_router, kubectl, load)
        if others:
            configuration.write_addresses(self.files, others)
            self.supervisor.reload("relay")
        self.further.remove(leaving, kubectl)
        done = [summary(stopped, started) if was_running else "started"]
        for what, names in (("started", came), ("removed", [node.node.name for node in leaving])):
            if names:
                done.append(f"{what} node{'s' if len(names) > 1 else ''} {', '.join(names)}")
        return "; ".join(done)

    def wait_for_nodes(self) -> None:
        """Wait until pods can run.

        Raises:
            Failure: A node isn't Ready after two minutes, or its kubelet has ended; with the kubelet's last words.
        """
        supervisors = {node.node.name: node.supervisor for node in self.further.wanted(self.further.count())}
        for name, supervisor in {plan.NODE: self.supervisor, **supervisors}.items():
            supervisor.wait("kubelet", partial(self._is_ready, name), f"the node {name} isn't Ready", seconds=120)
        self.supervisor.wait(
            "dockerd", self.files.docker_socket.is_socket, "nothing listens for the Docker Engine", seconds=60
        )

    def containerd_sockets(self) -> list[Path]:
        """Where the containerd of each node listens."""
        return [self.files.containerd_socket, *(node.files.containerd_socket for node in self.further.there())]

    def rest(self) -> None:
        """Let go of what only a build needs: the Docker Engine starts again with its next client."""
        self.supervisor.restart(["dockerd"])
        self.supervisor.run("dockerd")

    def stop(self) -> None:
        """Stop all processes and give the machine back its interface, firewall, cgroups, mounts and kernel settings.

        What all clusters of this project have in the same place stays where another clone's cluster runs.
        """
        owner = network.link_owner()
        self.supervisor.stop()
        self.further.end()
        network.down(self.files)
        kernel_settings.put_back(self.files)
        if owner in (None, str(self.files.state)):
            plan.remove_own_folders()
            control_groups.down(*(node.name for node in plan.all_nodes()))
        self.files.remove_sockets()

    @contextlib.contextmanager
    def etcd_stopped(self) -> Iterator[None]:
        """Keep etcd stopped, so that its data can be copied: pods run on, but nobody can change anything.

        Raises:
            Failure: It doesn't come back.
        """
        running = "etcd" in self.supervisor.processes()
        with interruption.held():  # it is back first
            if running:
                self.supervisor.restart(["etcd"])
            try:
                yield
            finally:
                if running:
                    self.supervisor.run("etcd")
                    self.supervisor.wait("etcd", self._etcd_listens, "etcd doesn't listen", seconds=60)
                    self.supervisor.wait("kube-apiserver", self.is_answering, "the API server isn't ready", seconds=120)

    def is_answering(self) -> bool:
        """Whether the API server says that it is ready."""
        return self._asked("/readyz") is not None

    def _is_ready(self, node: str) -> bool:
        found = json.loads(self._asked(f"/api/v1/nodes/{node}") or "{}")
        conditions = found.get("status", {}).get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def _asked(self, path: str) -> bytes | None:
        """What the API server answers; None where it doesn't, or refuses."""
        context = ssl.create_default_context(cafile=str(self.files.pki / "ca.crt"))
        context.load_cert_chain(self.files.pki / "admin.crt", self.files.pki / "admin.key")
        connection = http.client.HTTPSConnection(plan.NODE_ADDRESS, 6443, timeout=5, context=context)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.read() if answer.status == http.HTTPStatus.OK else None
        return None

    def _etcd_listens(self) -> bool:
        listening = subprocess.run(
            network.run_inside(self.files, ["cat", "/proc/net/tcp"]), capture_output=True, text=True, check=False
        )
        return "0100007F:094B 00000000:0000 0A" in listening.stdout  # 127.0.0.1:2379, in state LISTEN


def summary(stopped: Collection[str], started: Collection[str]) -> str:
    """What was done to the programs of a cluster that was running, in words.

    Args:
        stopped: Those that were stopped, to be others.
        started: Those that were started, those of ``stopped`` that are wanted still among them.
    """
    done = {
        "restarted": sorted(name for name in started if name in stopped),
        "started": sorted(name for name in started if name not in stopped),
        "stopped": sorted(name for name in stopped if name not in started),
    }
    parts = [
        f"{verb} {len(names)} program{'s' if len(names) > 1 else ''}: {', '.join(names)}"
        for verb, names in done.items()
        if names
    ]
    return "; ".join(parts) or "was running"
