"""A Docker Engine that is a test's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
from docker.errors import DockerException

from embedded.toolchain import system
from tests.waiting import eventually

FOLDERS = [
    Path(name)
    for name in (
        "/etc/cni/net.d", "/etc/cni", "/opt/containerd/bin", "/opt/containerd/lib", "/opt/containerd",
        "/run/containerd/s", "/run/containerd",
    )
]  # fmt: skip
"""What containerd makes whatever it is told, with what holds it last."""


@contextmanager
def folders_as_before() -> Iterator[None]:
    """Take away `FOLDERS` where they weren't there and are empty."""
    made = [folder for folder in FOLDERS if not folder.exists()]
    try:
        yield
    finally:
        for folder in made:
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()


@contextmanager
def running_engine(folder: Path) -> Iterator[str]:
    """The address of an Engine, without a network, that keeps all that it has in ``folder``."""
    address = f"unix://{folder}/docker.sock"
    command = [str(system.find("dockerd")), f"--host={address}", "--bridge=none", "--iptables=false"]
    command += [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    log = folder / "docker.log"
    with (
        folders_as_before(),
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        try:
            assert eventually(lambda: answers(address), 60), log.read_text()
            yield address
        finally:
            process.terminate()


def answers(address: str) -> bool:
    """Whether an Engine answers there."""
    try:
        with closing(docker.DockerClient(address)) as client:
            return bool(client.ping())
    except DockerException:
        return False
