"""``script/up``: everything that is missing, then ``pulumi up``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
from rich.console import Console
from rich.table import Table
from rich.text import Text

from embedded import images, stack, toolchain
from embedded.cluster import status as cluster_status
from embedded.cluster.cluster import Cluster
from embedded.cluster.plan import Ports
from embedded.commands import connection
from embedded.commands.exclusive import exclusive
from embedded.images import catalogue
from embedded.images.load import load_into_containerd, load_into_docker
from embedded.paths import PROJECT, STATE
from embedded.plugins.install import install
from embedded.progress import Progress, duration
from embedded.toolchain import Toolchain


def run(*, cluster_only: bool, pulumi_arguments: Sequence[str]) -> int:
    """Set up what is missing and put the site on the cluster.

    Args:
        cluster_only: Don't run ``pulumi up``.
        pulumi_arguments: Further options for it.

    Returns:
        Pulumi's exit code.

    Raises:
        Failure: Something is in the way; what is done so far stays.
    """
    progress = Progress()
    cluster = Cluster(STATE)
    ports = stack.ports(PROJECT)
    cluster.check(ports)
    with exclusive(progress.console):
        return _run(progress, cluster, ports, cluster_only=cluster_only, pulumi_arguments=pulumi_arguments)


def _run(
    progress: Progress, cluster: Cluster, ports: Ports, *, cluster_only: bool, pulumi_arguments: Sequence[str]
) -> int:
    tools = toolchain.provide(progress)
    docker_host = tools.docker_host or f"unix://{cluster.files.docker_socket}"
    environment = _connect(tools, cluster, docker_host)
    _set_up(progress, tools, cluster, ports, docker_host)
    dev = stack.Stack(PROJECT, STATE, environment)
    dev.select()
    if cluster_only:
        progress.summary()
        return 0
    with progress.stage("pulumi up", live=False) as stage:
        code = dev.run("up", "--stack", stack.STACK, "--yes", "--skip-preview", *pulumi_arguments)
        stage.failed = code != 0
    cluster.rest()
    progress.summary()
    if code == 0:
        _show(dev.outputs())
    return code


def status() -> int:
    """Print the cluster's processes; returns 0 if all of them run, 3 if not, as ``systemctl status`` does."""
    rows = cluster_status.processes(Cluster(STATE).supervisor)
    console = Console(highlight=False)
    if not rows:
        console.print("The embedded cluster isn't running: script/up starts it.")
        return 3
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "state"):
        table.add_column(heading)
    for heading in ("pid", "since", "memory (PSS)"):
        table.add_column(heading, justify="right")
    for row in rows:
        since = duration(row.seconds) if row.pid else ""
        table.add_row(row.name, row.state, str(row.pid or ""), since, _mebibytes(row.memory))
    own = sum(row.memory for row in rows if row.name != cluster_status.PODS)
    table.add_section()
    table.add_row("the cluster without its pods", "", "", "", _mebibytes(own))
    table.add_row("in all", "", "", "", _mebibytes(sum(row.memory for row in rows)))
    console.print(table)
    console.print(f"logs: {Cluster(STATE).files.logs}")
    return 0 if all(row.state == "running" for row in rows if row.name != cluster_status.PODS) else 3


def _connect(tools: Toolchain, cluster: Cluster, docker_host: str) -> dict[str, str]:
    """Remember, and return, what ``pulumi``, ``kubectl`` and ``docker`` need."""
    connection.remember(
        stack.environment(STATE, cluster.files.kubeconfig, docker_host),
        [str(tools.pulumi.parent), str(tools.bin)],
    )
    environment = connection.remembered()
    assert environment is not None  # noqa: S101 - it has just been written
    return environment


def _set_up(progress: Progress, tools: Toolchain, cluster: Cluster, ports: Ports, docker_host: str) -> None:
    """Start the cluster, load its images and install the plugins, side by side where one doesn't need the other."""

    def start() -> None:
        with progress.stage("Cluster") as stage:
            running = cluster.supervisor.root() is not None
            cluster.start(tools.bin, ports, tools.dockerd)
            stage.update("waiting for the node")
            cluster.wait_for_node(tools.bin)
            stage.result = "was running" if running else "started"

    def plugins() -> None:
        with progress.stage("Pulumi plugins") as stage:
            done = install(tools.pulumi, STATE / "pulumi-home", Path(sys.executable), stage.update)
            stage.result = ", ".join(f"{each.name} {'official' if each.official else 'embedded'}" for each in done)

    with ThreadPoolExecutor() as threads:
        steps = [threads.submit(step) for step in (start, plugins)]
        pods, bases = catalogue.cluster(tools), catalogue.docker(tools)
        archives = images.provide([*pods, *bases], progress)
        for step in steps:
            step.result()
    with progress.stage("Load images") as stage, ThreadPoolExecutor() as threads:
        socket = cluster.files.containerd_socket
        for_pods = threads.submit(load_into_containerd, tools.bin / "ctr", socket, archives[: len(pods)])
        with contextlib.closing(docker.DockerClient(docker_host)) as client:
            loaded = load_into_docker(client, archives[len(pods) :])
        loaded += for_pods.result()
        stage.result = f"{len(loaded)} loaded" if loaded else "there already"


def _show(outputs: dict[str, Any]) -> None:
    """Print where to go, as links on a terminal."""
    console = Console(highlight=False, soft_wrap=True)
    for name, url in sorted(outputs.get("site_urls", {}).items()):
        console.print(Text(f"{name}  "), Text(url, f"bold link {url}"), sep="")
    if outputs.get("hosts_entry"):
        console.print(f"add to /etc/hosts: {outputs['hosts_entry']}")


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
