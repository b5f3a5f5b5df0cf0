"""The addon metrics-server: the cluster knows what its pods use, and scales a site by that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.checkout import Checkout
from tests.traffic import Traffic
from tests.waiting import eventually

API = "v1beta1.metrics.k8s.io"
SITE = "inspiration"
"""Its name, and that of its namespace and its Deployment."""
HOST = "inspiration.localhost"
REPLICAS = 2
KINDS = "apiservice,clusterrole,clusterrolebinding,rolebinding,serviceaccount,secret,service,deployment,pod"


@pytest.fixture
def metered(site: Checkout) -> Iterator[Checkout]:
    """The stack with the addon."""
    with site.addon("metrics-server"):
        yield site


def test_it_tells_what_nodes_and_pods_use_and_leaves_without_a_trace(metered: Checkout) -> None:
    check_top(metered)
    check_tls(metered)
    check_rights(metered)
    unchanged = metered.pulumi("preview", "--expect-no-changes")
    assert unchanged.returncode == 0, unchanged.stdout

    metered.switch_off("metrics-server")

    assert not left(metered)


def test_a_site_is_scaled_up_under_load_and_down_again(metered: Checkout) -> None:
    check_autoscaling(metered)


def check_top(cluster: Checkout) -> None:
    """Every pod is told of once it has been looked at twice."""

    def measured() -> int:
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{SITE}/pods"
        # The API server may say for a moment that it isn't available.
        asked = cluster.run("kubectl", "get", "--raw", path, environment=cluster.environment())
        return len(json.loads(asked.stdout)["items"]) if asked.returncode == 0 else 0

    assert eventually(lambda: measured() == REPLICAS)
    pods = [line.split() for line in cluster.kubectl("top", "pods", "-n", SITE, "--no-headers").splitlines()]
    assert all(re.fullmatch(r"\d+m", cpu) and re.fullmatch(r"[1-9]\d*Mi", memory) for _, cpu, memory in pods), pods
    told = [line.split() for line in cluster.kubectl("top", "nodes", "--no-headers").splitlines()]
    assert sorted(f"node/{name}" for name, *_ in told) == sorted(cluster.nodes())
    assert all(re.fullmatch(r"[1-9]\d*(m|Mi|%)", value) for _, *values in told for value in values), told


def check_tls(cluster: Checkout) -> None:
    """The API server verifies the certificate of the metrics server, which verifies those of the kubelets."""
    spec = get(cluster, "apiservice", API)["spec"]
    assert spec["caBundle"]
    assert "insecureSkipTLSVerify" not in spec
    [container] = get(cluster, "deployment", "metrics-server", "-n", "kube-system")["spec"]["template"]["spec"][
        "containers"
    ]
    assert not [argument for argument in container["args"] if "insecure" in argument]


def check_rights(cluster: Checkout) -> None:
    """Who may view a namespace may see what its pods use."""

    def may_see() -> bool:
        rules = get(cluster, "clusterrole", "view")["rules"]
        return any("metrics.k8s.io" in rule["apiGroups"] for rule in rules)

    assert eventually(may_see)


def check_autoscaling(cluster: Checkout) -> None:
    """The pods ask for 10 millicores each: a hundred requests a second take more, and none takes less."""
    file = cluster.path / "autoscaler.json"
    file.write_text(json.dumps(autoscaler()))
    cluster.kubectl("apply", "-f", str(file))
    try:
        assert eventually(lambda: utilization(cluster) is not None)
        with Traffic(HOST, requests_per_second=100) as traffic:
            assert eventually(lambda: available(cluster) > REPLICAS, 180), status(cluster)
        assert traffic.failures == []
        assert eventually(lambda: available(cluster) == REPLICAS, 180), status(cluster)
    finally:
        cluster.kubectl("delete", "-f", str(file), "--wait")


def autoscaler() -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 50}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": SITE, "namespace": SITE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": SITE},
            "minReplicas": REPLICAS,
            "maxReplicas": REPLICAS + 2,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            # Not the five minutes that it waits by default.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    }


def get(cluster: Checkout, *what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", *what, "-o", "json"))
    return found


def available(cluster: Checkout) -> int:
    return int(get(cluster, "deployment", SITE, "-n", SITE)["status"].get("availableReplicas", 0))


def status(cluster: Checkout) -> dict[str, Any]:
    shown: dict[str, Any] = get(cluster, "hpa", SITE, "-n", SITE).get("status", {})
    return shown


def utilization(cluster: Checkout) -> int | None:
    """Percent of what the pods ask for that they use; None while that isn't known."""
    metrics = status(cluster).get("currentMetrics") or [{}]
    value: int | None = metrics[0].get("resource", {}).get("current", {}).get("averageUtilization")
    return value


def left(cluster: Checkout) -> str:
    """What there is of the addon."""
    found = cluster.kubectl("get", KINDS, "-A", "-l", "app.kubernetes.io/component=metrics-server", "-o", "name")
    return found + cluster.kubectl("get", "apiservice", API, "--ignore-not-found", "-o", "name")
