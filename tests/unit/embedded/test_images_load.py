"""Archives are loaded into a real containerd and a real Docker Engine, once."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
import pytest
from rich.console import Console

from embedded import toolchain
from embedded.errors import Failure
from embedded.images.archive import Archive, Entry, Image
from embedded.images.load import load_into_containerd, load_into_docker
from embedded.progress import Progress
from embedded.toolchain import Toolchain
from tests.docker_engines import folders_as_before, running_engine
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containerd and the Docker Engine need root")


@pytest.fixture(scope="module")
def tools() -> Toolchain:
    """The real ones."""
    return toolchain.provide(Progress(Console(quiet=True)))


@pytest.fixture
def archives(tmp_path: Path, tools: Toolchain) -> list[Archive]:
    """Two small images, one of which can run."""
    made = []
    for name, entry in (
        ("shell", Entry("/bin/busybox", tools.busybox)),
        ("data", Entry("/data", b"content", mode=0o644)),
    ):
        path = tmp_path / f"{name}.tar"
        Image(f"docker.io/inspiration/{name}:1", [entry], {"Entrypoint": ["/bin/busybox"]}).write(path)
        made.append(Archive.read(path))
    return made


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """A process that is ended in the end."""
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.fixture
def containerd(tmp_path: Path, tools: Toolchain) -> Iterator[Path]:
    """The socket of a containerd."""
    socket = tmp_path / "containerd.sock"
    configuration = tmp_path / "containerd.toml"
    configuration.write_text(f"""version = 3
root = "{tmp_path}/root"
state = "{tmp_path}/state"
[grpc]
address = "{socket}"
# These would be in the machine's own folders.
[plugins."io.containerd.nri.v1.nri"]
disable = true
[plugins."io.containerd.internal.v1.opt"]
path = "{tmp_path}/opt"
""")
    ctr = [str(tools.bin / "ctr"), "--address", str(socket), "version"]
    command = [str(tools.bin / "containerd"), "--config", str(configuration)]
    with folders_as_before(), running(command, tmp_path / "containerd.log"):
        assert eventually(lambda: subprocess.run(ctr, capture_output=True, check=False).returncode == 0, 60)
        yield socket


def test_containerd_gets_what_it_lacks_and_the_kubelet_keeps_it(
    containerd: Path, tools: Toolchain, archives: list[Archive], tmp_path: Path
) -> None:
    ctr = tools.bin / "ctr"
    assert load_into_containerd(ctr, containerd, archives) == archives
    assert load_into_containerd(ctr, containerd, archives) == []
    command = [str(ctr), "--address", str(containerd), "--namespace", "k8s.io", "images", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for archive in archives:
        (line,) = [line for line in listed.splitlines() if line.startswith(archive.reference)]
        assert archive.digest in line
        assert "io.cri-containerd.pinned=pinned" in line

    changed = tmp_path / "changed.tar"
    Image(archives[1].reference, [Entry("/data", b"other", mode=0o644)], {}).write(changed)
    assert load_into_containerd(ctr, containerd, [archives[0], Archive.read(changed)]) == [Archive.read(changed)]


def test_a_containerd_that_is_not_there_is_named(tools: Toolchain, tmp_path: Path) -> None:
    socket = tmp_path / "missing.sock"
    with pytest.raises(Failure) as caught:
        load_into_containerd(tools.bin / "ctr", socket, [])
    assert caught.value.cause.startswith(f"containerd at {socket} can't do “images list”: ")


def test_a_docker_engine_that_is_not_there_is_named(archives: list[Archive], tmp_path: Path) -> None:
    missing = docker.DockerClient(f"unix://{tmp_path}/missing.sock", version="1.41")
    message = r"The Docker Engine at .* can't load images: .*; see its log"
    with closing(missing) as client, pytest.raises(Failure, match=message):
        load_into_docker(client, archives)


def test_a_docker_engine_gets_what_it_lacks_and_runs_it(archives: list[Archive], tmp_path: Path) -> None:
    with running_engine(tmp_path) as address, closing(docker.DockerClient(address)) as client:
        assert load_into_docker(client, archives) == archives
        assert load_into_docker(client, archives) == []
        said = client.containers.run("inspiration/shell:1", ["echo", "hello"], remove=True, network_mode="none")
    assert said == b"hello\n"
