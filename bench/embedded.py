"""The embedded default's figures: start with a warm cache, idle memory, a second ``script/up``, and the cold build.

    .venv/bin/python -m bench.embedded            # warm: about two minutes
    .venv/bin/python -m bench.embedded --cold     # also with an empty HOME and cache

Each figure is measured on a copy of this checkout; the results go to ``bench/results/embedded.json``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from embedded.cluster import network, status
from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "bench" / "results" / "embedded.json"
SETTLE_SECONDS = 60
"""From the first page to the reading of idle memory: heaps that grew at the start have been collected by then."""


def main() -> int:
    """Measure and write the results; returns 0 if nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="warm starts, default 5")
    parser.add_argument("--cold", action="store_true", help="also once with an empty HOME and cache")
    arguments = parser.parse_args()
    if network.link_owner() is not None:
        sys.stderr.write("error: an embedded cluster runs on this machine; stop it first: script/down --keep\n")
        return 1
    results: dict[str, Any] = {"machine": machine()}
    if arguments.cold:
        results["cold"] = cold()
    results |= warm(arguments.runs)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**kept, **results}, indent=1) + "\n")
    json.dump(results, sys.stdout, indent=1)
    return 0


def machine() -> dict[str, Any]:
    """What it was measured on."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def warm(runs: int) -> dict[str, Any]:
    """From no cluster to a served page with a warm cache, then idle memory, then ``script/up`` again; in seconds."""
    starts, again, memory = [], [], []
    for _ in range(runs):
        with Copy() as copy:
            begin = time.monotonic()
            up(copy.checkout)
            starts.append(page_after(begin))
            begin = time.monotonic()
            up(copy.checkout)
            again.append(time.monotonic() - begin)
            time.sleep(SETTLE_SECONDS)
            memory.append(idle_memory(copy.checkout))
    return {
        "warm_start_to_page_seconds": summary(starts),
        "second_up_seconds": summary(again),
        "idle_cluster_mib": summary(memory),
    }


def cold() -> dict[str, Any]:
    """One ``script/up`` with an empty HOME, cache and virtual environment; the stages' own summary is kept."""
    with Copy(virtual_environment=False) as copy, tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        environment = {"HOME": home, "XDG_CACHE_HOME": f"{home}/.cache", "GOPATH": f"{home}/go"}
        begin = time.monotonic()
        said = up(copy.checkout, environment)
        seconds = page_after(begin)
        copy.checkout.run("script/down", "--purge", environment=environment)
        # Go makes its module cache read-only, which `rm` takes literally.
        subprocess.run(["chmod", "-R", "u+w", home], check=True)
    return {"seconds": round(seconds, 1), "stages": [line for line in said.splitlines() if line.startswith("✓")]}


def up(checkout: Checkout, environment: dict[str, str] | None = None) -> str:
    """Run ``script/up``; returns what it said."""
    done = checkout.run("script/up", environment=environment)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return done.stderr


def page_after(begin: float) -> float:
    """Seconds since ``begin`` when the site's page is served."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", timeout=5)
        try:
            connection.request("GET", "/", headers={"Host": "inspiration.localhost"})
            if connection.getresponse().status == http.client.OK:
                return time.monotonic() - begin
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)


def idle_memory(checkout: Checkout) -> float:
    """Proportional set size of the cluster's own processes, pods not counted, in MiB."""
    rows = status.processes(Supervisor(Files(checkout.state)))
    return sum(row.memory for row in rows if row.name != status.PODS) / (1 << 20)


def summary(values: list[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    rounded = {"min": min(values), "median": statistics.median(values), "max": max(values)}
    return {name: round(value, 1) for name, value in rounded.items()}


class Copy:
    """A copy of this checkout; its cluster and its files are gone at the end."""

    def __init__(self, *, virtual_environment: bool = True) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="inspiration-bench-", dir="/var/tmp"))
        self.checkout = Checkout.copy_of(PROJECT, self._folder / "inspiration")
        if not virtual_environment:
            (self.checkout.path / ".venv").unlink()

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *_: object) -> None:
        self.checkout.run("script/down", "--purge")
        shutil.rmtree(self._folder)


if __name__ == "__main__":
    sys.exit(main())
