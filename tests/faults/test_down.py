"""``script/down``: the machine as it was before ``script/up``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tests.checkout import Checkout
from tests.machine import Machine, processes_of


def assert_as_before(before: Machine) -> None:
    now = Machine.now()
    assert dataclasses.replace(now, listeners=before.listeners) == before
    # Other programs may have stopped listening meanwhile; none of ours may be left.
    assert now.listeners <= before.listeners


def test_keep_stops_the_cluster_and_up_brings_the_site_back(site: Checkout, machine_before: Machine) -> None:
    done = site.run("script/down", "--keep")
    assert done.returncode == 0, done.stderr
    assert_as_before(machine_before)
    assert processes_of(site.state) == []

    done = site.run("script/up")

    assert done.returncode == 0, done.stdout + done.stderr
    assert " created" not in done.stdout


def test_down_leaves_the_machine_as_it_was_and_purge_removes_the_data(site: Checkout, machine_before: Machine) -> None:
    running = Machine.now()
    assert running.interfaces - machine_before.interfaces == {"inspiration0"}
    assert {address for address, _ in running.listeners - machine_before.listeners} == {"127.0.0.1"}
    assert processes_of(site.state)

    done = site.run("script/down")

    assert done.returncode == 0, done.stdout + done.stderr
    assert_as_before(machine_before)
    assert processes_of(site.state) == []
    assert not Path("/run/inspiration").exists()
    assert site.state.is_dir()

    done = site.run("script/down", "--purge")

    assert done.returncode == 0, done.stderr
    assert not site.state.exists()
    assert site.run("git", "status", "--porcelain", "--ignored").stdout == "!! .venv\n"
    assert "encryptionsalt" not in (site.path / "Pulumi.dev.yaml").read_text()
