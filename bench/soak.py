"""Updates and restarts under load: requests that failed, and the memory of every component."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.copies import Copy, up
from bench.edit import edit_page
from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout
from tests.disruption import drain, kill, node_is_ready, roll_out
from tests.traffic import MAX_REQUESTS, Traffic
from tests.waiting import eventually

RATE = 20
"""Requests a second, each on a new connection."""
MAX_MINUTES = MAX_REQUESTS // RATE // 60
AFTER_SECONDS = 5
"""How long after an event failed requests are still counted as its own."""
PROCESSES = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "containerd", "kube-proxy",
)  # fmt: skip
ROLLOUTS = {
    "Traefik": ("daemonset/traefik", "ingress"),
    "CoreDNS": ("deployment/coredns", "kube-system"),
    "registry": ("deployment/registry", "container-registry"),
}
"""What is given new pods, besides the site: the workload and its namespace."""


@dataclass
class Outcome:
    """What an event did to the requests."""

    times: int = 0
    requests: int = 0
    failed: int = 0
    examples: list[str] = field(default_factory=list)


class Soak:
    """Things that happen to a cluster, one after another, while its site is asked all the time."""

    def __init__(self, checkout: Checkout, traffic: Traffic) -> None:
        self._checkout = checkout
        self._traffic = traffic
        self._supervisor = Supervisor(Files(checkout.state))
        self.outcomes: dict[str, Outcome] = defaultdict(Outcome)
        self.memory: dict[str, list[float]] = defaultdict(list)
        """MiB by component, a value after each event."""

    def restart(self, name: str) -> None:
        """Kill a process of the cluster, and wait until it is back."""
        kill(self._checkout, name)
        assert eventually(lambda: node_is_ready(self._checkout))

    def update_site(self, turn: int) -> None:
        """Put a new version of the site in the place of the old one."""
        edit_page(self._checkout.path / "site", turn)
        self._checkout.up()

    def happen(self, name: str, event: Callable[[], object]) -> None:
        """Let something happen, and count what became of the requests meanwhile."""
        requests, failed = self._traffic.requests, len(self._traffic.failures)
        event()
        self._traffic.wait_for(RATE * AFTER_SECONDS)
        outcome = self.outcomes[name]
        outcome.times += 1
        outcome.requests += self._traffic.requests - requests
        outcome.failed += len(self._traffic.failures) - failed
        outcome.examples += self._traffic.failures[failed : failed + 3]

    def weigh(self) -> None:
        """Note the memory of each component."""
        for name, size in components(self._supervisor).items():
            self.memory[name].append(size / (1 << 20))


def measure(minutes: int) -> dict[str, dict[str, Any]]:
    """Return what became of the requests, and of the memory."""
    with Copy() as copy:
        up(copy.checkout)
        return {"soak": soak(copy.checkout, minutes * 60)}


def soak(checkout: Checkout, seconds: float) -> dict[str, Any]:
    """Restart each process once; then update, roll out and drain in turn until the time is up."""
    began = time.monotonic()
    with Traffic("inspiration.localhost", RATE) as traffic:
        running = Soak(checkout, traffic)
        for name in PROCESSES:
            running.happen(f"restart of {name}", lambda: running.restart(name))  # noqa: B023 - called at once
        turn = 0
        while time.monotonic() - began < seconds:
            turn += 1
            running.happen("update of the site", lambda: running.update_site(turn))  # noqa: B023 - called at once
            for name, (workload, namespace) in ROLLOUTS.items():
                running.happen(f"new pods of {name}", lambda: roll_out(checkout, workload, namespace))  # noqa: B023
            running.happen("drain of the node", lambda: drain(checkout))
            # Restarts begin with small heaps, so memory is compared from here on.
            running.weigh()
    return {
        "seconds": round(time.monotonic() - began),
        "requests_per_second": RATE,
        "requests": traffic.requests,
        "failed": len(traffic.failures),
        "events": {name: vars(outcome) for name, outcome in running.outcomes.items()},
        "memory_mib": {name: trend(values) for name, values in sorted(running.memory.items())},
    }


def components(supervisor: Supervisor) -> Mapping[str, int]:
    """Proportional set size in bytes of each process of the cluster, and of what runs in pods by program."""
    root = supervisor.root()
    if root is None:
        return {}
    names = {process.pid: name for name, process in supervisor.processes().items()}
    found: dict[str, int] = defaultdict(int)
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            name = names.get(process.pid) or ("supervisor" if process == root else Path(process.name()).name)
            found[name] += process.memory_full_info().pss
    return found


def trend(values: list[float]) -> dict[str, float]:
    """The first and the last third by their medians, and the most there was."""
    third = max(1, len(values) // 3)
    summary = {
        "first": statistics.median(values[:third]),
        "last": statistics.median(values[-third:]),
        "max": max(values),
    }
    return {name: round(value, 1) for name, value in summary.items()}
