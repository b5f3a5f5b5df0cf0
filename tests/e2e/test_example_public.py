"""The example public: a certificate of an ACME authority for two hosts, renewed under load, by what its README says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.cluster.plan import HOST_ADDRESS
from tests.acme import Authority, authority
from tests.checkout import Checkout
from tests.tls import fingerprint, get
from tests.traffic import Traffic
from tests.waiting import eventually

pytestmark = pytest.mark.heavy

HOSTS = ("example.com", "www.example.com")
ELSEWHERE = "elsewhere.example.com"
VALID = 180
"""Seconds that certificates are valid; cert-manager renews one after two thirds of that."""


@pytest.fixture
def controller(site: Checkout) -> str:
    """Where the cluster's own programs reach the ingress controller on port 80."""
    return site.kubectl("get", "service", "traefik", "-n", "ingress", "-o", "jsonpath={.spec.clusterIP}")


@pytest.fixture
def pebble(controller: str, tmp_path: Path) -> Iterator[Authority]:
    """An authority that all names lead to the cluster for."""
    with authority(tmp_path, HOST_ADDRESS, names_lead_to=controller, valid=VALID) as running:
        yield running


def commands(page: Path) -> list[str]:
    """Return the commands of a page that configure the stack."""
    [block] = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    return [line for line in block.splitlines() if line.startswith("pulumi config ")]


@pytest.fixture
def public(undone: Checkout, pebble: Authority) -> Checkout:
    """The stack with the example, whose authority is Pebble."""
    environment = undone.environment() | {"PULUMI_STACK": "dev"}
    for command in commands(undone.path / "examples/public/README.md"):
        done = undone.run("sh", "-c", command, environment=environment)
        assert done.returncode == 0, done.stderr
    of_pebble = {
        "addons.cert.acme.server": pebble.directory,
        "addons.cert.acme.caBundle": pebble.private,
        "addons.dns.upstream[0]": pebble.address,
    }
    undone.configure(of_pebble)
    done = undone.run("script/up")
    assert done.returncode == 0, done.stdout + done.stderr
    return undone


def test_a_certificate_is_issued_and_renewed_and_goes_on_serving(
    public: Checkout, pebble: Authority, controller: str
) -> None:
    root = pebble.root
    assert [get(host, "/", root)[0] for host in HOSTS] == [200, 200]
    issued = {fingerprint(host, trusted=root) for host in HOSTS}
    assert len(issued) == 1

    with Traffic(HOSTS[0], 20, trusted=root) as traffic:
        assert eventually(lambda: fingerprint(HOSTS[0], trusted=root) not in issued, seconds=VALID)
        traffic.wait_for(100)
    assert traffic.failures == []

    renewed = fingerprint(HOSTS[0], trusted=root)
    pebble.lead(ELSEWHERE, "127.0.0.1")
    done = public.pulumi("config", "set", "--path", "sites[1].hosts[1]", ELSEWHERE)
    assert done.returncode == 0, done.stderr
    refused = public.pulumi("up", "--yes", "--skip-preview")
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    assert f"tls: acme of the site public: no certificate for {ELSEWHERE}: " in said
    assert "connection refused; the name has to lead to the ingress controller, on port 80" in said
    assert {fingerprint(host, trusted=root) for host in HOSTS} == {renewed}

    pebble.lead(ELSEWHERE, controller)
    public.up()
    assert get(ELSEWHERE, "/", root)[0] == 200
