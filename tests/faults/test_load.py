"""Restarts under load: which ones a visitor notices. Not one of these."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout
from tests.faults.routes import assert_routes_follow
from tests.traffic import Traffic
from tests.waiting import eventually

RATE = 50
"""Requests a second."""

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
NODE = ("kubelet", "containerd", "kube-proxy")


def ready(checkout: Checkout) -> bool:
    asked = checkout.run(
        "kubectl", "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=1s", environment=checkout.environment()
    )
    return asked.returncode == 0


@pytest.mark.parametrize("names", [CONTROL_PLANE, NODE], ids=["control plane", "node"])
def test_restarts_that_nobody_notices(site: Checkout, names: tuple[str, ...]) -> None:
    supervisor = Supervisor(Files(site.state))
    with Traffic("inspiration.localhost", RATE) as traffic:
        for name in names:
            victim = supervisor.processes()[name]
            victim.kill()
            victim.wait()
            assert eventually(lambda: name in supervisor.processes())  # noqa: B023
            assert eventually(lambda: ready(site))
            traffic.wait_for(RATE)
    assert traffic.failures == []


def test_new_pods_of_the_dns_server_lose_no_request(site: Checkout) -> None:
    with Traffic("inspiration.localhost", RATE) as traffic:
        site.kubectl("rollout", "restart", "deployment", "-n", "kube-system", "-l", "app.kubernetes.io/component=dns")
        site.kubectl(
            "rollout",
            "status",
            "deployment",
            "-n",
            "kube-system",
            "-l",
            "app.kubernetes.io/component=dns",
            "--timeout=120s",
        )
        traffic.wait_for(RATE)
    assert traffic.failures == []


def test_a_drain_of_the_only_node_leaves_the_site_a_pod(site: Checkout, tmp_path: Path) -> None:
    assert_routes_follow(site, tmp_path)
    node = site.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=15s")
    with Traffic("inspiration.localhost", RATE) as traffic:
        try:
            drained = site.run(
                "kubectl", *drain, "--pod-selector=app.kubernetes.io/component=site", environment=site.environment()
            )
        finally:
            site.kubectl("uncordon", node)
        site.kubectl("rollout", "status", "deployment/inspiration", "-n", "inspiration", "--timeout=120s")
        traffic.wait_for(RATE)
    assert drained.returncode != 0
    assert "Cannot evict pod as it would violate the pod's disruption budget" in drained.stdout + drained.stderr
    assert traffic.failures == []
