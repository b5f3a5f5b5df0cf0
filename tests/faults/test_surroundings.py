"""A machine that changes under the cluster: its addresses, and its clock."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterator

import httpx
import psutil
import pytest

from embedded.cluster import pki
from tests.checkout import Checkout
from tests.disruption import kill
from tests.faults.conftest import assert_complete
from tests.traffic import Traffic
from tests.waiting import eventually

INTERFACE = "faults0"
ADDRESS = "198.51.100.7/24"
"""Of a network that is there for examples (RFC 5737)."""

YOUNG_SECONDS = 10
"""A kubelet takes containers that started so long before it for new: not ready until they are asked again."""


@pytest.fixture
def another_network() -> Iterator[None]:
    """The machine is on another network as well, until :func:`leave`, or the end of the test."""
    ip("link", "add", INTERFACE, "type", "veth", "peer", "name", f"{INTERFACE}-peer")
    ip("addr", "add", ADDRESS, "dev", INTERFACE)
    ip("link", "set", INTERFACE, "up")
    yield
    if INTERFACE in psutil.net_if_addrs():
        leave()


def leave() -> None:
    ip("link", "delete", INTERFACE)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def restart(checkout: Checkout, *names: str) -> None:
    """Kill processes of the cluster; the supervisor starts them again."""
    for name in names:
        kill(checkout, name)


def addresses(checkout: Checkout) -> str:
    return checkout.kubectl(
        "get", "nodes", "-o", "jsonpath={.items[*].status.addresses[?(@.type=='InternalIP')].address}"
    )


def is_settled(checkout: Checkout) -> bool:
    """Whether all containers of the site have run for a while."""
    jsonpath = "jsonpath={.items[*].status.containerStatuses[*].state.running.startedAt}"
    started = checkout.kubectl("get", "pods", "-n", "inspiration", "-o", jsonpath).split()
    ages = [datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(each) for each in started]
    return bool(ages) and min(ages) > datetime.timedelta(seconds=YOUNG_SECONDS)


def test_a_network_that_comes_and_goes(site: Checkout, another_network: None) -> None:
    assert eventually(lambda: is_settled(site))
    with Traffic("inspiration.localhost", requests_per_second=10) as traffic:
        # These look at the machine's addresses when they start.
        restart(site, "kubelet", "kube-proxy")
        leave()
        site.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s")
        pod = site.kubectl("get", "pods", "-n", "inspiration", "-o", "jsonpath={.items[0].metadata.name}")
        site.kubectl("delete", "pod", pod, "-n", "inspiration")
        site.kubectl("rollout", "status", "deployment/inspiration", "-n", "inspiration", "--timeout=120s")
        # By way of the kubelet, at the node's address.
        assert site.kubectl("logs", "deployment/inspiration", "-n", "inspiration", "--tail=1")
        traffic.wait_for(20)

    assert traffic.failures == []
    assert addresses(site) == "10.215.0.2"
    assert_complete(site)


def test_a_clock_that_has_passed_the_certificates(site: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stays, for the machine's sake; the certificates end a minute ago instead."""
    monkeypatch.setattr(pki, "LEAF_LIFETIME", datetime.timedelta(minutes=-1))
    # Without those of etcd, or the API server wouldn't start to begin with.
    expire(site, "ca")
    restart(site, "kube-apiserver", "kubelet")

    def said() -> str:
        # A change that has to ask the cluster.
        done = site.pulumi("refresh", "--yes", "--skip-preview")
        assert done.returncode != 0
        return " ".join((done.stdout + done.stderr).split())

    assert eventually(lambda: "certificate has expired or is not yet valid" in said()), said()
    assert "Traceback" not in said()

    expire(site, "etcd-ca")
    expire(site, "front-proxy-ca")
    done = site.run("script/up")

    assert done.returncode == 0, done.stdout + done.stderr
    site.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s")
    assert eventually(served)
    assert_complete(site)


def expire(checkout: Checkout, authority: str) -> None:
    """Replace the certificates that an authority of the cluster has issued by ones that are no longer valid."""
    for identity in pki.IDENTITIES:
        if identity.ca == authority:
            pki._write_leaf(checkout.state / "pki", identity)


def served() -> bool:
    try:
        answer = httpx.get("http://127.0.0.1/", headers={"Host": "inspiration.localhost"}, timeout=5)
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK
