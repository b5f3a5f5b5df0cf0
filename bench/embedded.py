"""The embedded cluster: from nothing to a node and a served page, with a warm cache and with none; what it takes idle.

Each start is that of a new copy of this checkout.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from typing import Any

import psutil

from bench.copies import Copy, stages, up, wait_for_page
from bench.figures import summary
from embedded.cluster import status
from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout

SETTLE_SECONDS = 60
"""From the first page to the reading of what it takes idle: heaps that grew at the start are collected by then."""
IDLE_SECONDS = 60
"""Over which the processor time is taken."""


def warm(runs: int) -> dict[str, dict[str, Any]]:
    """Start with a warm cache; then what it takes idle, and ``script/up`` again."""
    found: dict[str, list[float]] = {
        name: [] for name in ("node_ready", "page", "again", "cluster_mib", "pods_mib", "cluster_cores", "pods_cores")
    }
    for _ in range(runs):
        with Copy() as copy:
            begin = time.monotonic()
            said = up(copy.checkout)
            wait_for_page()
            found["page"].append(time.monotonic() - begin)
            found["node_ready"].append(stages(said)["Cluster"][1])
            begin = time.monotonic()
            up(copy.checkout)
            found["again"].append(time.monotonic() - begin)
            time.sleep(SETTLE_SECONDS)
            for name, value in idle(copy.checkout).items():
                found[name].append(value)
    return {"embedded": {name: summary(values) for name, values in found.items()}}


def cold() -> dict[str, dict[str, Any]]:
    """One ``script/up`` with an empty HOME, cache and virtual environment: when each stage began and ended."""
    with Copy(virtual_environment=False) as copy, tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        environment = {"HOME": home, "XDG_CACHE_HOME": f"{home}/.cache", "GOPATH": f"{home}/go"}
        begin = time.monotonic()
        said = up(copy.checkout, environment=environment)
        wait_for_page()
        seconds = time.monotonic() - begin
        copy.checkout.run("script/down", "--purge", environment=environment)
        # Go makes its module cache read-only, which `rm` takes literally.
        subprocess.run(["chmod", "-R", "u+w", home], check=True)
    found = {title: [round(at, 1) for at in times] for title, times in stages(said).items()}
    return {"cold": {"seconds": round(seconds, 1), "stages": found}}


def idle(checkout: Checkout) -> dict[str, float]:
    """Proportional set size in MiB, and processor time in cores, of the cluster's own processes and of all in pods."""
    supervisor = Supervisor(Files(checkout.state))
    before, begin = processor_seconds(supervisor), time.monotonic()
    time.sleep(IDLE_SECONDS)
    spent = {part: seconds - before[part] for part, seconds in processor_seconds(supervisor).items()}
    passed = time.monotonic() - begin
    rows = status.processes(supervisor)
    pods = sum(row.memory for row in rows if row.name == status.PODS)
    cluster = sum(row.memory for row in rows) - pods
    return {
        "cluster_mib": cluster / (1 << 20),
        "pods_mib": pods / (1 << 20),
        "cluster_cores": spent["cluster"] / passed,
        "pods_cores": spent["pods"] / passed,
    }


def processor_seconds(supervisor: Supervisor) -> dict[str, float]:
    """What the cluster's own processes have used of the processor so far, and all others in its PID namespace."""
    root = supervisor.root()
    assert root is not None
    own = {root.pid, *(process.pid for process in supervisor.processes().values())}
    found = {"cluster": 0.0, "pods": 0.0}
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            found["cluster" if process.pid in own else "pods"] += times.user + times.system
    return found
