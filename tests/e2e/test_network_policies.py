"""NetworkPolicies are enforced: those of the stack, and whatever else anybody writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from components.addons.ingress import NAMESPACE as INGRESS_NAMESPACE
from embedded.cluster.plan import NODE_ADDRESS, Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout
from tests.clients import address, apply, connects, pod
from tests.waiting import eventually

NAMESPACE = "policy-test"


@pytest.fixture(scope="module")
def clients(site: Checkout) -> Iterator[Checkout]:
    """Pods that ask: in a namespace of their own, in the ingress controller's, and one that looks like the site's."""
    plain = {"app": "client"}
    pods = [
        pod("client", NAMESPACE, plain),
        pod("server", NAMESPACE, {"app": "server"}, "httpd", "-f", "-p", "8080", "-h", "/etc"),
        pod("policy-test", INGRESS_NAMESPACE, plain),
        pod("policy-test", "inspiration", {"app.kubernetes.io/name": "inspiration"}),
        pod("policy-test-other", "inspiration", plain),
    ]
    try:
        apply(site, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *pods)
        for each in pods:
            address(site, each["metadata"]["namespace"], each["metadata"]["name"])
        yield site
    finally:
        site.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
        for each in pods[2:]:
            meta = each["metadata"]
            site.kubectl("delete", "pod", meta["name"], "-n", meta["namespace"], "--ignore-not-found", "--wait")


def test_only_the_ingress_controller_reaches_the_sites_pods(clients: Checkout) -> None:
    target = address(clients, "inspiration", "-l", "app.kubernetes.io/component=site")

    assert eventually(lambda: connects(clients, INGRESS_NAMESPACE, "policy-test", target, 8080))
    assert eventually(lambda: not connects(clients, NAMESPACE, "client", target, 8080))
    assert eventually(lambda: not connects(clients, "inspiration", "policy-test-other", target, 8080))
    # The Service is no way round.
    service = clients.kubectl("get", "service", "inspiration", "-n", "inspiration", "-o", "jsonpath={.spec.clusterIP}")
    assert eventually(lambda: connects(clients, INGRESS_NAMESPACE, "policy-test", service, 80))
    assert not connects(clients, NAMESPACE, "client", service, 80)
    served = httpx.get("http://127.0.0.1/", headers={"Host": "inspiration.localhost"}, timeout=10)
    assert served.status_code == 200


def test_the_sites_pods_reach_nothing(clients: Checkout) -> None:
    """A pod with the site's labels, as the site's own has no program that could try."""
    server = address(clients, NAMESPACE, "server")
    api = clients.kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}")

    for host, port in (server, 8080), (api, 443):
        assert eventually(lambda: connects(clients, "inspiration", "policy-test-other", host, port)), host  # noqa: B023
        assert eventually(lambda: not connects(clients, "inspiration", "policy-test", host, port)), host  # noqa: B023


def test_a_policy_is_enforced_for_as_long_as_it_is_there(clients: Checkout) -> None:
    server = address(clients, NAMESPACE, "server")
    spec: dict[str, Any] = {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"]}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "nobody", "namespace": NAMESPACE},
        "spec": spec,
    }
    assert eventually(lambda: connects(clients, NAMESPACE, "client", server, 8080))

    apply(clients, policy)
    assert eventually(lambda: not connects(clients, NAMESPACE, "client", server, 8080))

    named = {"from": [{"podSelector": {"matchLabels": {"app": "client"}}}], "ports": [{"port": 8080}]}
    apply(clients, {**policy, "spec": {**spec, "ingress": [named]}})
    assert eventually(lambda: connects(clients, NAMESPACE, "client", server, 8080))
    assert not connects(clients, INGRESS_NAMESPACE, "policy-test", server, 8080)

    clients.kubectl("delete", "networkpolicy", "nobody", "-n", NAMESPACE)
    assert eventually(lambda: connects(clients, INGRESS_NAMESPACE, "policy-test", server, 8080))


def test_no_pod_reaches_the_registry(clients: Checkout) -> None:
    """It asks nobody who they are: who connects may replace an image."""
    by_service = clients.kubectl(
        "get", "service", "registry", "-n", "container-registry", "-o", "jsonpath={.spec.clusterIP}"
    )
    by_pod = address(clients, "container-registry", "-l", "app.kubernetes.io/name=registry")
    server = address(clients, NAMESPACE, "server")
    assert eventually(lambda: connects(clients, NAMESPACE, "client", server, 8080))
    for host, port in (by_service, 5000), (by_pod, 5000), (NODE_ADDRESS, 32000):
        assert eventually(lambda: not connects(clients, NAMESPACE, "client", host, port)), host  # noqa: B023
    # Who pushes does, as `script/up` has, and so do nodes that pull.
    assert httpx.get("http://127.0.0.1:32000/v2/", timeout=10).status_code == 200


def test_the_rules_stay_when_what_made_them_ends(clients: Checkout) -> None:
    supervisor = Supervisor(Files(clients.state))
    target = address(clients, "inspiration", "-l", "app.kubernetes.io/component=site")
    assert eventually(lambda: not connects(clients, NAMESPACE, "client", target, 8080))
    before = supervisor.processes()["kube-router"]
    before.kill()

    assert not connects(clients, NAMESPACE, "client", target, 8080)
    assert connects(clients, INGRESS_NAMESPACE, "policy-test", target, 8080)
    assert eventually(lambda: supervisor.processes().get("kube-router", before).pid != before.pid)
    assert not connects(clients, NAMESPACE, "client", target, 8080)
