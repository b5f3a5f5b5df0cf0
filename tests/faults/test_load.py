"""Restarts under load: which ones a visitor notices. Not one of these."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checkout import Checkout
from tests.disruption import drain, kill, node_is_ready, roll_out
from tests.faults.routes import assert_routes_follow
from tests.traffic import Traffic
from tests.waiting import eventually

RATE = 50
"""Requests a second."""

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
NODE = ("kubelet", "containerd", "kube-proxy")


@pytest.mark.parametrize("names", [CONTROL_PLANE, NODE], ids=["control plane", "node"])
def test_restarts_that_nobody_notices(site: Checkout, names: tuple[str, ...]) -> None:
    with Traffic("inspiration.localhost", RATE) as traffic:
        for name in names:
            kill(site, name)
            assert eventually(lambda: node_is_ready(site))
            traffic.wait_for(RATE)
    assert traffic.failures == []


def test_new_pods_of_the_dns_server_lose_no_request(site: Checkout) -> None:
    with Traffic("inspiration.localhost", RATE) as traffic:
        roll_out(site, "deployment/coredns", "kube-system")
        traffic.wait_for(RATE)
    assert traffic.failures == []


def test_a_drain_of_the_only_node_leaves_the_site_a_pod(site: Checkout, tmp_path: Path) -> None:
    assert_routes_follow(site, tmp_path)
    with Traffic("inspiration.localhost", RATE) as traffic:
        drained = drain(site)
        traffic.wait_for(RATE)
    assert drained.returncode != 0
    assert "Cannot evict pod as it would violate the pod's disruption budget" in drained.stdout + drained.stderr
    assert traffic.failures == []
