"""Ctrl-C at ten moments, each stage of ``script/up`` among them: exit code 130, one line, and the next run goes on."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from embedded.cluster import network
from embedded.cluster.plan import Files
from embedded.toolchain.gomod import CLUSTER
from tests.checkout import Checkout
from tests.faults.conftest import assert_complete, configure_sites, write_page
from tests.faults.running import Running
from tests.waiting import eventually

UP = "interrupted; what is done stays, script/up goes on from there"
DOWN = "interrupted; what is done stays, script/down goes on from there"
STAGE = "^(▸|->) "

MOMENTS: dict[str, tuple[str | None, float]] = {
    "before anything is said": (None, 1.0),
    "when the first stage begins": (STAGE, 0),
    "when the cluster is looked at": (f"{STAGE}Cluster", 0),
    "while the node is waited for": (f"{STAGE}Cluster", 0.5),
    "while plugins are installed": (f"{STAGE}Pulumi plugins", 0.1),
    "while images are looked for": (f"{STAGE}Images", 0.1),
    "while images are loaded": (f"{STAGE}Load images", 0),
    "when Pulumi is started": (f"{STAGE}pulumi up", 0),
    "while Pulumi starts": (f"{STAGE}pulumi up", 0.7),
    "while Pulumi is at work": (r"kubernetes:core/v1:Namespace hello-namespace created", 0),
}
"""What is printed before each of them, and how many seconds after that."""


def ended_by_ctrl_c(running: Running, line: str) -> None:
    assert running.ended() == 130, running.said
    assert running.said.endswith(f"{line}\n"), running.said
    assert running.said.count(line) == 1
    assert "Traceback" not in running.said
    assert "fix: " not in running.said


def test_ctrl_c_at_ten_moments_of_up(undone: Checkout) -> None:
    configure_sites(undone, {"name": "hello", "source": "hello"})
    write_page(undone, "hello", "first")
    for name, (before, seconds) in MOMENTS.items():
        with Running(undone, "script/up") as up:
            if before is not None:
                up.until(before)
            time.sleep(seconds)
            up.interrupt()
            began = time.monotonic()
            ended_by_ctrl_c(up, UP)
            assert time.monotonic() - began < 60, name
    done = undone.run("script/up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "which was killed" not in done.stderr
    assert_complete(undone)


def test_ctrl_c_while_the_cluster_starts(undone: Checkout) -> None:
    assert undone.run("script/down", "--keep").returncode == 0
    for seconds in (0.2, 2, 5):
        with Running(undone, "script/up") as up:
            up.until(f"{STAGE}Cluster")
            time.sleep(seconds)
            up.interrupt()
            ended_by_ctrl_c(up, UP)
    assert undone.run("script/up").returncode == 0


def test_a_link_says_whose_it_is_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, name, run = Files(tmp_path), "inspiration-t", network.run

    def interrupted(*command: str) -> None:
        if "alias" in command:
            raise KeyboardInterrupt
        run(*command)

    try:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(network, "run", interrupted)
            network.add_link(files, name, "bridge")
        assert network.link_owner(name) is None
        network.add_link(files, name, "bridge")
        assert network.link_owner(name) == str(tmp_path)
        assert network.link_owner(f"{name}-") is None
    finally:
        network.succeeds("ip", "link", "delete", name)
        network.remove_unnamed(name)


def test_ctrl_c_while_programs_are_built(site: Checkout, tmp_path: Path) -> None:
    with Running(site, "script/up", environment={"XDG_CACHE_HOME": str(tmp_path)}) as up:
        up.until(f"{STAGE}{CLUSTER.title}")
        time.sleep(5)
        up.interrupt()
        ended_by_ctrl_c(up, UP)
    # Neither Go nor a compiler goes on, and nothing half made is left.
    assert [each for each in psutil.process_iter(["environ"]) if str(tmp_path) in str(each.info["environ"])] == []
    assert list((tmp_path / "inspiration" / "toolchain").glob("*.partial")) == []


def test_the_second_ctrl_c_ends_it_at_once(undone: Checkout) -> None:
    configure_sites(undone, {"name": "hello", "source": "hello"})
    write_page(undone, "hello", "second")
    with Running(undone, "script/up") as up:
        up.until(r"docker:index:Image hello-docker (creating|updating)")
        up.interrupt()
        time.sleep(1)
        up.interrupt()
        began = time.monotonic()
        ended_by_ctrl_c(up, UP)
        assert time.monotonic() - began < 10
    assert undone.run("script/up").returncode == 0


@pytest.mark.parametrize("seconds", [0, 1, 3])
def test_ctrl_c_stops_down_and_down_goes_on(undone: Checkout, seconds: float) -> None:
    with Running(undone, "script/down", "--keep") as down:
        down.until(f"{STAGE}Stop the cluster")
        time.sleep(seconds)
        down.interrupt()
        code = down.ended()
    # It may have been done in three seconds.
    assert (code, DOWN in down.said) in ((130, True), (0, False)), down.said
    done = undone.run("script/down", "--keep")
    assert done.returncode == 0, done.stderr


def test_ctrl_c_leaves_no_half_of_a_backup_and_etcd_running(site: Checkout, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    for seconds in (0, 0.5, 2):
        with Running(site, "script/backup", str(file)) as backup:
            backup.until(f"{STAGE}Back up")
            time.sleep(seconds)
            backup.interrupt()
            assert backup.ended() in (0, 130), backup.said
        assert ("there is no backup" in backup.said) is not file.exists(), backup.said
        file.unlink(missing_ok=True)
        assert list(tmp_path.iterdir()) == []
        assert eventually(lambda: site.run("kubectl", "get", "ns", environment=site.environment()).returncode == 0)
