"""What a cluster could leave behind on a machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import docker
import psutil
from docker.errors import DockerException

from embedded.cluster import kernel_settings

EPHEMERAL_PORTS = 32768
"""From here on up the kernel chooses, for whatever program; net.ipv4.ip_local_port_range's default."""

ENGINE = "unix:///var/run/docker.sock"
"""Where a machine's own Docker Engine listens."""

FOLDERS = [
    Path(name)
    for name in (
        "/etc/cni", "/opt/cni", "/opt/containerd", "/run/containerd", "/run/inspiration", "/run/netns", "/run/nri",
        "/usr/libexec/kubernetes", "/var/lib/cni", "/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet",
        "/var/log/containers", "/var/log/pods",
    )
]  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """The machine at one moment; two that are equal differ in nothing that ``script/up`` changes."""

    mounts: frozenset[tuple[str, str]]
    interfaces: frozenset[str]
    firewall: tuple[str, ...]
    settings: tuple[str, ...]
    control_groups: frozenset[Path]
    listeners: frozenset[tuple[str, int]]
    files: frozenset[Path]
    images: frozenset[str]
    """Of the machine's own Docker Engine, if it has one: IDs, and names with the ID that each has."""

    @classmethod
    def now(cls) -> Machine:
        """Look at it."""
        saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
        return cls(
            mounts=frozenset((part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)),
            interfaces=frozenset(psutil.net_if_addrs()),
            # Rules and chains; a table that is empty again is nothing.
            firewall=tuple(line for line in saved.splitlines() if line.startswith("-A")),
            settings=tuple(
                (Path("/proc/sys") / name).read_text() for name in ("net/ipv4/ip_forward", *kernel_settings.CHANGED)
            ),
            control_groups=frozenset(Path("/sys/fs/cgroup").glob("*/inspiration*")),
            listeners=frozenset(
                (connection.laddr.ip, connection.laddr.port)
                for connection in psutil.net_connections(kind="tcp")
                if connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port < EPHEMERAL_PORTS
            ),
            # What the programs of a node use by default, not far down.
            files=frozenset(
                path for place in FOLDERS for path in (place, *place.glob("*"), *place.glob("*/*")) if path.exists()
            ),
            images=frozenset(_images()),
        )


def _images() -> Iterator[str]:
    try:
        client = docker.DockerClient(ENGINE)
    except DockerException:
        return
    with closing(client):
        for image in client.images.list(all=True):
            yield from (str(image.id), *(f"{tag} {image.id}" for tag in image.tags))


def processes_of(state: Path) -> list[str]:
    """Command lines of the processes that work on a state folder."""
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if any(str(state) in word for word in process.info["cmdline"] or [])
    ]
