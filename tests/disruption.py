"""What tests and measurements do to a cluster that is to go on serving."""

from __future__ import annotations

import subprocess

import psutil

from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout
from tests.waiting import eventually


def kill(checkout: Checkout, name: str) -> psutil.Process:
    """Kill a process of the cluster, wait until it has been started again, and return the one that was killed.

    Raises:
        AssertionError: It isn't running, or doesn't come back.
    """
    supervisor = Supervisor(Files(checkout.state))
    assert eventually(lambda: name in supervisor.processes()), f"{name} doesn't run"
    victim = supervisor.processes()[name]
    victim.kill()
    victim.wait()
    assert eventually(lambda: name in supervisor.processes()), f"{name} doesn't come back"
    return victim


def node_is_ready(checkout: Checkout) -> bool:
    """Whether the API server answers, and has it that the node is Ready."""
    asked = checkout.run(
        "kubectl", "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=1s", environment=checkout.environment()
    )
    return asked.returncode == 0


def drain(checkout: Checkout) -> subprocess.CompletedProcess[str]:
    """Ask all pods of the site to leave all nodes, and have these take pods again; returns what kubectl says.

    The disruption budget keeps one pod where it is, so that kubectl gives up.
    """
    nodes = checkout.nodes()
    try:
        drained = checkout.run(
            "kubectl", "drain", *nodes, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=15s",
            "--pod-selector=app.kubernetes.io/component=site", environment=checkout.environment(),
        )  # fmt: skip
    finally:
        checkout.kubectl("uncordon", *nodes)
    checkout.kubectl("rollout", "status", "deployment/inspiration", "-n", "inspiration", "--timeout=180s")
    return drained


def roll_out(checkout: Checkout, workload: str, namespace: str) -> None:
    """Give a workload, as ``deployment/coredns``, new pods."""
    checkout.kubectl("rollout", "restart", workload, "-n", namespace)
    checkout.kubectl("rollout", "status", workload, "-n", namespace, "--timeout=180s")
