"""What all tests share: a copy of this checkout with an embedded cluster of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.checkout import Checkout

if TYPE_CHECKING:
    from tests.machine import Machine

PROJECT = Path(__file__).resolve().parent.parent
ORDER = ("unit", "graph", "policy", "plugins", "e2e", "faults", "conformance")
"""From what fails fast to what takes long; what stops the cluster comes last."""

collect_ignore = (
    []
    if (PROJECT / "embedded").is_dir()
    else ["unit/bench", "unit/embedded", "unit/test_page_errors.py", "plugins", "e2e", "faults", "conformance"]
)
"""The program and its tests stand alone: what needs the embedded default is left out where that is deleted."""

# The same examples each time, and as much time as a busy machine needs: what fails, fails by what was changed.
# `script/test --hypothesis-profile explore` looks for new ones.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=1000)
settings.register_profile("tests", parent=settings.get_profile("explore"), derandomize=True, max_examples=100)
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let people choose how much is tested."""
    parser.addoption(
        "--addons", choices=("light", "all"), default="light", help="addons to test end to end (default: light)"
    )
    parser.addoption(
        "--nodes", default="1", help="nodes of the cluster that the end-to-end tests are run on, 1 to 9 (default: 1)"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the folders in the order in which one builds on another, and what is heavy only if asked for."""
    if config.getoption("--addons") != "all":
        for item in items:
            if item.get_closest_marker("heavy"):
                item.add_marker(pytest.mark.skip(reason="a heavy addon: script/test --addons all"))

    def position(item: pytest.Item) -> tuple[int, bool]:
        folder = item.path.relative_to(PROJECT / "tests").parts[0]
        return (ORDER.index(folder) if folder in ORDER else -1, item.path.name in ("test_destroy.py", "test_down.py"))

    items.sort(key=position)


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where tests keep what a person may want to see, as screenshots."""
    folder = PROJECT / "tests" / "artifacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def checkout() -> Iterator[Checkout]:
    """A copy of this checkout, as a fresh clone with its uncommitted changes, and nothing set up in it yet.

    It uses this checkout's virtual environment and the user's cache, so that only what is tested is made anew.
    """
    # Not needed, and not there to be imported, for the tests of the program alone.
    from embedded.cluster import network

    with ExitStack() as undo:
        # A machine has room for one embedded cluster: another run of the tests is waited for.
        lock = os.open(tempfile.gettempdir(), os.O_RDONLY)
        undo.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if owner := network.link_owner():
            undo.callback(_start, Path(owner))
            _stop(Path(owner))
        folder = Path(tempfile.mkdtemp(prefix="inspiration-test-", dir="/var/tmp"))
        undo.callback(shutil.rmtree, folder)
        copy = Checkout.copy_of(PROJECT, folder / "inspiration")
        undo.callback(copy.run, "script/down", "--purge")
        yield copy


@pytest.fixture(scope="session")
def machine_before(checkout: Checkout) -> Machine:
    """The machine before the copy's cluster was started for the first time."""
    from tests.machine import Machine  # which needs the embedded default

    return Machine.now()


@pytest.fixture(scope="session")
def cluster(checkout: Checkout, machine_before: Machine, pytestconfig: pytest.Config) -> Checkout:
    """The copy with its cluster running and the plugins installed; its environment is this process's."""
    done = checkout.run("script/up", "--cluster-only", "--nodes", pytestconfig.getoption("--nodes"))
    assert done.returncode == 0, done.stderr
    os.environ.update(checkout.environment())
    return checkout


@pytest.fixture(scope="session")
def site(cluster: Checkout) -> Checkout:
    """The copy after ``script/up``: the site is served."""
    done = cluster.run("script/up")
    assert done.returncode == 0, done.stdout + done.stderr
    return cluster


def _stop(state: Path) -> None:
    subprocess.run(
        ["script/down", "--keep"], cwd=PROJECT, env={**os.environ, "INSPIRATION_STATE": str(state)}, check=True
    )


def _start(state: Path) -> None:
    subprocess.run(
        ["script/up", "--cluster-only"], cwd=PROJECT, env={**os.environ, "INSPIRATION_STATE": str(state)}, check=True
    )
