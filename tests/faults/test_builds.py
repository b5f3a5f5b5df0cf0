"""The registry is killed while the site's image is pushed to it. (The Docker Engine: tests/plugins/docker.)"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout, newcomer
from tests.waiting import eventually

FILE = "large.bin"
SIZE = 192 << 20
"""Bytes of a file that can't be compressed: they take a while to push."""


@pytest.fixture
def large(site: Checkout) -> Iterator[Checkout]:
    """The site has one more file, which is not pushed yet."""
    with (site.path / "site" / FILE).open("wb") as file:
        for _ in range(SIZE >> 20):
            file.write(os.urandom(1 << 20))
    yield site
    site.restore()


def registry(site: Checkout) -> psutil.Process:
    """The registry of the stack."""
    root = Supervisor(Files(site.state)).root()
    assert root is not None
    for child in root.children(recursive=True):
        # Others come and go meanwhile.
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.cmdline()[:2] == ["/bin/registry", "serve"]:
                return child
    raise AssertionError("no registry runs")


def received(process: psutil.Process) -> set[Path]:
    """The uploads of which the registry has a part; those of a push that was ended stay for a day."""
    uploads = Path(f"/proc/{process.pid}/root/var/lib/registry/docker/registry/v2/repositories/inspiration/_uploads")
    found = set()
    for data in uploads.glob("*/data"):
        with contextlib.suppress(FileNotFoundError):  # complete meanwhile
            if data.stat().st_size > 1 << 20:
                found.add(data)
    return found


@contextlib.contextmanager
def pushing(site: Checkout) -> Iterator[subprocess.Popen[str]]:
    """Runs ``pulumi up`` until the registry has a part of the image; the process ends after the body."""
    receiver = registry(site)
    before = received(receiver)
    with subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--color=never", "--stack", "dev"],
        cwd=site.path, env={**newcomer(), **site.environment()},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            assert eventually(lambda: received(receiver) - before != set() or process.poll() is not None, 300)
            assert process.poll() is None, process.communicate()[0]
            yield process
        finally:
            process.terminate()


def size(path: str) -> int | None:
    """Bytes of what the site serves at ``path``; None where it serves nothing."""
    headers = {"Host": "inspiration.localhost", "Accept-Encoding": "identity"}
    try:
        answer = httpx.head(f"http://127.0.0.1{path}", headers=headers, timeout=30)
    except httpx.HTTPError:
        return None
    return int(answer.headers["Content-Length"]) if answer.status_code == httpx.codes.OK else None


def assert_updated() -> None:
    """The site has the new file. After an update, the ingress controller may ask the old pods for a moment still."""
    assert eventually(lambda: size(f"/{FILE}") == SIZE), size(f"/{FILE}")


def test_a_registry_that_is_killed_during_a_push_is_back_before_the_engine_gives_up(large: Checkout) -> None:
    victim = registry(large)
    with pushing(large) as process:
        victim.kill()
        said, _ = process.communicate()

    assert process.returncode == 0, said
    assert registry(large).pid != victim.pid
    assert_updated()


def test_a_registry_that_stays_away_is_named_and_up_again_completes(large: Checkout) -> None:
    before = large.outputs()["images"]
    victim = registry(large)
    in_namespace = ("--namespace", "container-registry")
    try:
        with pushing(large) as process:
            # So that it can't end the push before it is ended itself.
            victim.send_signal(signal.SIGSTOP)
            large.kubectl("scale", "deployment/registry", "--replicas=0", *in_namespace)
            assert eventually(lambda: all_are_leaving(large))
            victim.kill()
            said, _ = process.communicate()
        assert process.returncode != 0
        assert re.search(
            r"error: pushing localhost:32000/inspiration:\w+ to registry localhost:32000 failed: .*connection refused; "
            r"check that it runs, and that imageName has the right host and port\n",
            said,
        ), said
        assert "Traceback" not in said
        # The old version is served on.
        assert large.outputs()["images"] == before
        assert size("/")
    finally:
        large.kubectl("scale", "deployment/registry", "--replicas=1", *in_namespace)
        large.kubectl("rollout", "status", "deployment/registry", "--timeout=120s", *in_namespace)

    large.up()

    assert large.outputs()["images"] != before
    assert_updated()


def all_are_leaving(site: Checkout) -> bool:
    # Not those of the nightly job, which stay for a while.
    selected = ("--namespace", "container-registry", "--selector", "app.kubernetes.io/name=registry")
    pods = json.loads(site.kubectl("get", "pods", *selected, "--output", "json"))["items"]
    return all("deletionTimestamp" in pod["metadata"] for pod in pods)
