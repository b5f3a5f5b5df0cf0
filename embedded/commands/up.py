"""``script/up``: everything that is missing, then ``pulumi up``."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException
from rich.console import Console
from rich.text import Text

from embedded import addons, images, stack, toolchain
from embedded.cluster import preflight
from embedded.cluster.cluster import Cluster
from embedded.cluster.kubectl import Kubectl
from embedded.cluster.plan import Ports
from embedded.cluster.spreading import spread
from embedded.commands import connection, dockerfiles
from embedded.commands.exclusive import exclusive
from embedded.errors import Failure
from embedded.images import bases, catalogue
from embedded.images.archive import Archive
from embedded.images.load import load_into_containerd, load_into_docker
from embedded.paths import PROJECT, STATE
from embedded.plugins.docker import made_here
from embedded.plugins.install import OfficialDownloads, download_kubernetes, install
from embedded.progress import Progress
from embedded.toolchain import Toolchain, charts
from embedded.toolchain.gomod import GATEWAY_API, Module

PAUSES = (0.5, 1, 2, 4, 8)
"""Seconds between attempts to connect to the Docker Engine."""

PULUMI_HOME = stack.home(STATE)
PYTHON = Path(sys.executable)


def run(*, cluster_only: bool, nodes: int | None, pulumi_arguments: Sequence[str]) -> int:
    """Set up what is missing and put the site on the cluster.

    Args:
        cluster_only: Don't run ``pulumi up``.
        nodes: How many nodes the cluster is to have; by default as many as it has.
        pulumi_arguments: Further options for it.

    Returns:
        0, when all of it is done.

    Raises:
        Failure: Something is in the way, or ``pulumi up`` fails; what is done so far stays.
    """
    progress = Progress()
    cluster = Cluster(STATE)
    settings = stack.read_settings(PROJECT)
    ports, switched_on = stack.ports(PROJECT, settings), settings.addons.deployed
    refuse(switched_on)
    named = dockerfiles.named(PROJECT, settings.sites, partial(_has, cluster.files.docker_socket))
    preflight.refuse_without_root()
    with exclusive(progress.console):
        cluster.check(ports)
        return _run(
            progress,
            cluster,
            ports,
            [*addons.modules(switched_on), *([GATEWAY_API] if settings.ingress.by_addons_gateway else [])],
            switched_on,
            named,
            cluster_only=cluster_only,
            nodes=nodes,
            pulumi_arguments=pulumi_arguments,
        )


def refuse(switched_on: Iterable[str]) -> None:
    """Refuse the addons that the embedded cluster can't have.

    Raises:
        Failure: There is one among those that are switched on.
    """
    for name in switched_on:
        if name in addons.ADDONS and (reason := addons.ADDONS[name].refused):
            raise Failure(
                f"addons.{name}: {reason}",
                fix=f"switch it off here: pulumi config rm --path addons.{name} --stack {stack.STACK}",
            )


def _run(
    progress: Progress,
    cluster: Cluster,
    ports: Ports,
    modules: Sequence[Module],
    switched_on: Mapping[str, Any],
    named: Sequence[str],
    *,
    cluster_only: bool,
    nodes: int | None,
    pulumi_arguments: Sequence[str],
) -> int:
    tools = toolchain.provide(progress, modules, lambda engine: download_kubernetes(engine, PULUMI_HOME, PYTHON))
    docker_host = f"unix://{cluster.files.docker_socket}"
    environment = _connect(tools, cluster, docker_host)
    dev, code = stack.Stack(PROJECT, STATE, environment), 0
    with OfficialDownloads(tools.pulumi, PULUMI_HOME, PYTHON) as downloads:
        _set_up(progress, tools, cluster, ports, docker_host, switched_on, named, nodes)
        dev.select()
        if not cluster_only:
            with progress.stage("pulumi up", live=False) as stage:
                code = dev.run("up", "--stack", stack.STACK, "--yes", "--skip-preview", *pulumi_arguments)
                stage.failed = code != 0
            if code == 0 and cluster.further.unspread.exists():
                with progress.stage("Spread the pods") as stage:
                    moved = spread(Kubectl(tools.bin / "kubectl", cluster.files.kubeconfig))
                    cluster.further.unspread.unlink()
                    stage.result = f"new ones for {', '.join(moved)}" if moved else "they are"
    if downloads.done:
        progress.console.print(f"official Pulumi plugins from the next run on: {', '.join(downloads.done)}")
    cluster.rest()
    if cluster_only:
        progress.summary()
        return 0
    if code != 0:
        # Pulumi tells that something isn't ready, and not always why.
        with contextlib.suppress(Failure):
            # With Pulumi's SDK it takes a while.
            from embedded.commands import health

            health.show(progress.console, problems_only=True)
        raise Failure(
            "`pulumi up` failed: the reasons are above, below “Diagnostics”",
            fix="put them right and run script/up again, which goes on from there; script/up --status tells what isn't "
            "healthy",
            log=cluster.files.logs,
        )
    progress.summary()
    _show(dev.outputs())
    return 0


def _connect(tools: Toolchain, cluster: Cluster, docker_host: str) -> dict[str, str]:
    """Remember, and return, what ``pulumi``, ``kubectl`` and ``docker`` need."""
    connection.remember(
        {
            **stack.environment(STATE, cluster.files.kubeconfig, docker_host),
            **charts.environment(tools.addons.values()),
            made_here.VARIABLE: " ".join(bases.names()),
        },
        [str(folder) for folder in (tools.pulumi.parent, tools.bin, *tools.addons.values())],
    )
    environment = connection.remembered()
    assert environment is not None  # noqa: S101 - it has just been written
    return environment


def _set_up(
    progress: Progress,
    tools: Toolchain,
    cluster: Cluster,
    ports: Ports,
    docker_host: str,
    switched_on: Mapping[str, Any],
    named: Sequence[str],
    nodes: int | None,
) -> None:
    """Start the cluster, load its images and install the plugins, side by side where one doesn't need the other."""
    made: Future[Mapping[str, Archive]] = Future()
    pods = [*catalogue.cluster(tools), *addons.images(tools, switched_on)]

    def load(containerd: Path) -> list[Archive]:
        archives = made.result()
        return load_into_containerd(tools.bin / "ctr", containerd, [archives[image.name] for image in pods])

    def start() -> None:
        with progress.stage("Cluster") as stage:
            result = cluster.start(tools.bin, tools.kube_router, ports, tools.dockerd, nodes, load)
            stage.update("waiting for the nodes")
            cluster.wait_for_nodes()
            stage.result = result

    def plugins() -> None:
        with progress.stage("Pulumi plugins") as stage:
            done = install(tools.pulumi, PULUMI_HOME, PYTHON, tools.pulumi_kubernetes, stage.update)
            stage.result = ", ".join(f"{each.name} {'official' if each.official else 'embedded'}" for each in done)

    _wake(cluster.files.docker_socket)
    with ThreadPoolExecutor() as threads:
        steps = [threads.submit(step) for step in (start, plugins)]
        always, sources = catalogue.docker(tools), bases.sources()
        try:
            archives = images.provide([*always, *(sources[name] for name in named), *pods], progress)
        except BaseException as error:
            made.set_exception(error)
            raise
        made.set_result(archives)
        for step in steps:
            step.result()
    with progress.stage("Load images") as stage, ThreadPoolExecutor() as threads:
        for_pods = [threads.submit(load, containerd) for containerd in cluster.containerd_sockets()]
        with contextlib.closing(_engine(docker_host, cluster.files.logs / "dockerd.log")) as client:
            for_builds = [archives[image.name] for image in always] + [bases.tagged(name, archives) for name in named]
            loaded = load_into_docker(client, for_builds)
        for on_node in for_pods:
            loaded += on_node.result()
        stage.result = f"{len(loaded)} loaded" if loaded else "there already"


def _wake(listening: Path) -> None:
    """Start the Docker Engine of a running cluster, as its first client would: it takes half a second to come up."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as first:
        first.connect(str(listening))


def _engine(docker_host: str, log: Path) -> docker.DockerClient:
    """Connect to the Docker Engine: an embedded one starts with its first client, and once more if it had to give up.

    Raises:
        Failure: It doesn't answer.
    """
    for pause in (*PAUSES, None):
        try:
            return docker.DockerClient(docker_host)
        except DockerException as error:
            if pause is None:
                raise Failure(
                    f"the Docker Engine {docker_host} doesn't answer: {error}", fix="run script/up again", log=log
                ) from None
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _has(socket: Path, image: str) -> bool:
    """Whether the Docker Engine runs, and has an image."""
    try:
        with contextlib.closing(docker.DockerClient(f"unix://{socket}")) as client:
            client.images.get(image)
    except DockerException:
        return False
    return True


def _show(outputs: dict[str, Any]) -> None:
    """Print where to go, as links on a terminal."""
    console = Console(highlight=False, soft_wrap=True)
    urls = {**outputs.get("site_urls", {}), **outputs.get("addon_urls", {})}
    width = max(map(len, urls), default=0)
    for name, url in urls.items():
        console.print(Text(f"{name:{width}}  "), Text(url, f"bold link {url}"), sep="")
    for output, value in outputs.items():
        if output.endswith("_login") and "password" in value:
            command = f'eval "$(script/env)"; pulumi stack output {output} --show-secrets'
            console.print(f"to sign in to {output.removesuffix('_login')}: {command}")
    if outputs.get("hosts_entry"):
        console.print(f"add to /etc/hosts: {outputs['hosts_entry']}")
