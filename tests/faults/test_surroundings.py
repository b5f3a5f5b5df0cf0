"""A machine that changes under the cluster: its clock."""

from __future__ import annotations

import datetime

import httpx
import pytest

from embedded.cluster import pki
from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout
from tests.faults.conftest import assert_complete
from tests.waiting import eventually


def restart(checkout: Checkout, *names: str) -> None:
    """Kill processes of the cluster; the supervisor starts them again."""
    supervisor = Supervisor(Files(checkout.state))
    for name in names:
        victim = supervisor.processes()[name]
        victim.kill()
        victim.wait()
        assert eventually(lambda: name in supervisor.processes())  # noqa: B023


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

    expired = "can't be trusted (certificate has expired); check this machine's clock, else renew the server's"
    assert eventually(lambda: expired in said()), said()
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
