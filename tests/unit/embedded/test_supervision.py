"""Which processes are a cluster's, and what of the machine is put back when it stops."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from embedded.cluster import control_groups, kernel_settings, network, plan, supervision
from embedded.cluster.cluster import Cluster, summary
from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.waiting import eventually


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path / "state")
    made.make()
    return made


@pytest.fixture
def process() -> Iterator[psutil.Process]:
    """Stands for process 1 of a cluster."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield psutil.Process(started.pid)
        started.kill()


def record(files: Files, process: psutil.Process) -> None:
    """Write down that this is the cluster's first process, as its start does."""
    start = supervision._start_of(process.pid)
    (files.state / "supervisor.json").write_text(json.dumps({"pid": process.pid, "start": start}))


def test_a_cluster_is_found_whatever_the_clock_is_set_to(
    files: Files, process: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(files, process)
    boot_time = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot_time + 3600)
    assert Supervisor(files).root() == process


def test_a_number_that_is_used_again_is_no_cluster(files: Files, process: psutil.Process) -> None:
    record(files, process)
    path = files.state / "supervisor.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": os.getpid()}))
    assert Supervisor(files).root() is None


def test_a_supervisor_that_isnt_there_yet_knows_nothing(files: Files, process: psutil.Process) -> None:
    record(files, process)
    assert Supervisor(files).states() == []
    assert Supervisor(files).processes() == {}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the clusters of this machine mount something of theirs: empty as seen from outside."""
    folder = tmp_path / "kubelet"
    folder.mkdir()
    monkeypatch.setattr(plan, "OWN_FOLDERS", {"kubelet-sockets": folder})
    return folder


@pytest.mark.parametrize(("owner", "others"), [("/srv/other/.inspiration", True), (None, False)])
def test_what_clusters_share_stays_while_another_one_runs(
    files: Files, place: Path, monkeypatch: pytest.MonkeyPatch, owner: str | None, others: bool
) -> None:
    removed = []
    monkeypatch.setattr(network, "link_owner", lambda *_: owner)
    monkeypatch.setattr(control_groups, "down", lambda *_: removed.append("control groups"))

    Cluster(files.state).stop()

    # Without the folder the kernel would take away what is mounted on it in the other's namespace.
    assert place.exists() is others
    assert removed == ([] if others else ["control groups"])


@pytest.fixture
def sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine's settings."""
    folder = tmp_path / "sys"
    for name, value in (("kernel/panic", "0"), ("vm/overcommit_memory", "2"), ("kernel/random/boot_id", "first")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{value}\n")
    monkeypatch.setattr(kernel_settings, "SYSCTL", folder)
    monkeypatch.setattr(kernel_settings, "BOOT_ID", folder / "kernel/random/boot_id")
    return folder


def test_the_kernels_settings_are_put_back(files: Files, sysctl: Path) -> None:
    kernel_settings.remember(files)
    (sysctl / "kernel/panic").write_text("10")
    kernel_settings.remember(files)  # as a second script/up does
    (sysctl / "vm/overcommit_memory").write_text("1")

    kernel_settings.put_back(files)

    assert [(sysctl / name).read_text() for name in ("kernel/panic", "vm/overcommit_memory")] == ["0", "2"]
    (sysctl / "kernel/panic").write_text("30")
    kernel_settings.put_back(files)  # nothing is remembered any more
    assert (sysctl / "kernel/panic").read_text() == "30"


def test_after_a_boot_the_kernels_settings_are_others(files: Files, sysctl: Path) -> None:
    kernel_settings.remember(files)
    (sysctl / "kernel/random/boot_id").write_text("second")
    (sysctl / "kernel/panic").write_text("30")
    kernel_settings.put_back(files)
    assert (sysctl / "kernel/panic").read_text() == "30"


@pytest.fixture
def supervised(files: Files) -> Iterator[psutil.Process]:
    """Stands for process 1 of a cluster, in a PID namespace of its own, started as each version has done it."""
    configuration = files.config / supervision.CONFIGURATION
    configuration.touch()
    words = [sys.executable, "-c", "input()", "--configuration", str(configuration)]
    if os.geteuid() != 0:
        pytest.skip("a PID namespace takes root")
    with subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", *words], stdin=subprocess.PIPE) as unshare:
        assert eventually(lambda: bool(psutil.Process(unshare.pid).children()))
        [child] = psutil.Process(unshare.pid).children()
        assert eventually(lambda: child.cmdline() == words)
        yield child
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


RECORDS = {
    "the first versions": '{{"pid": {pid}, "started": 1764345600.25}}',
    "a version to come": '{{"root": {{"pid": {pid}}}, "version": 7}}',
    "one with more in it": '{{"pid": {pid}, "start": {start}, "more": true}}',
    "no JSON": "pid {pid}",
    "a list": "[{pid}]",
    "another kind": '{{"pid": "{pid}", "start": {start}}}',
    "cut off": '{{"pid": {pid}, "sta',
    "empty": "",
    "none, since who started it was killed": None,
}


@pytest.mark.parametrize("text", RECORDS.values(), ids=RECORDS)
def test_a_cluster_of_another_version_is_found(files: Files, supervised: psutil.Process, text: str | None) -> None:
    if text is not None:
        start = json.dumps(supervision._start_of(supervised.pid))
        (files.state / "supervisor.json").write_text(text.format(pid=supervised.pid, start=start))
    assert Supervisor(files).root() == supervised


def test_what_isnt_of_this_cluster_is_not_taken_for_it(
    files: Files, supervised: psutil.Process, tmp_path: Path
) -> None:
    other = Files(tmp_path / "other")
    other.make()
    (other.config / supervision.CONFIGURATION).touch()
    (other.state / "supervisor.json").write_text(json.dumps({"pid": supervised.pid, "started": 1.0}))
    assert Supervisor(other).root() is None
    supervised.kill()
    assert eventually(lambda: Supervisor(files).root() is None)


class Programs:
    """A supervisor's interface: what runs, and which programs have another command line now."""

    def __init__(self, running: set[str], changed: list[str], added: list[str], removed: list[str]) -> None:
        self._running, self._groups = running, (added, changed, removed)

    def reloadConfig(self) -> list[tuple[list[str], list[str], list[str]]]:  # noqa: N802 - Supervisor's names
        return [self._groups]

    def stopProcessGroup(self, name: str) -> None:  # noqa: N802
        self._running.discard(name)

    def removeProcessGroup(self, name: str) -> None:  # noqa: N802
        assert name not in self._running

    def addProcessGroup(self, name: str) -> None:  # noqa: N802
        assert name not in self._running

    def getProcessInfo(self, name: str) -> dict[str, str]:  # noqa: N802
        return {"statename": "RUNNING" if name in self._running else "STOPPED"}

    def startProcess(self, name: str, _: bool) -> None:  # noqa: N802
        self._running.add(name)


@pytest.mark.parametrize(
    ("changed", "added", "removed", "expected"),
    [
        ([], [], [], "was running"),
        (["kubelet", "etcd"], [], [], "restarted 2 programs: etcd, kubelet"),
        (["relay"], ["coredns"], [], "restarted 1 program: relay; started 1 program: coredns"),
        ([], [], ["dockerd"], "stopped 1 program: dockerd"),
    ],
)
def test_what_was_done_to_a_running_cluster_is_told(
    files: Files,
    process: psutil.Process,
    monkeypatch: pytest.MonkeyPatch,
    changed: list[str],
    added: list[str],
    removed: list[str],
    expected: str,
) -> None:
    record(files, process)
    running = {"etcd", "kubelet", "relay", "dockerd"}
    rpc = Programs(running, changed, added, removed)
    monkeypatch.setattr(Supervisor, "_rpc", lambda _: rpc)
    supervisor = Supervisor(files)

    stopped = supervisor.start([])
    wanted = ["etcd", "kubelet", "relay", *added] if removed else [*running, *changed, *added]
    started = {name for name in wanted if supervisor.run(name)}

    assert summary(stopped, started) == expected
