"""How a site is reached: by several hosts, by redirects, with a password, on HTTP and HTTPS."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator

import httpx
import pytest

from tests.checkout import Checkout
from tests.e2e.previews import changes
from tests.tls import get
from tests.waiting import eventually

HOST, OTHER = "inspiration.localhost", "other.localhost"
PASSWORD = "correct horse battery"
REDIRECTED = {"www.inspiration.localhost": HOST, "old.localhost": OTHER}
ASKED = "/a/b%20c?q=1&r=a%2Fb"
OPTIONS = {
    "sites[0].hosts[0]": OTHER,
    **{f"sites[0].redirects[{number}].from": host for number, host in enumerate(REDIRECTED)},
    **{f"sites[0].redirects[{number}].to": host for number, host in enumerate(REDIRECTED.values())},
}
DEAF = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: deaf}
spec: {controller: example.com/x}
"""
PROTECTED = {"sites[0].tls": "true", "sites[0].basicAuth.user": "alice"}


def answer(host: str, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1{path}", headers={"Host": host}, timeout=10, trust_env=False)


def wait_for_routes() -> None:
    """Wait until the hosts of `OPTIONS` answer: the ingress controller gathers changes for half a second first."""
    assert eventually(lambda: [answer(host, "/").status_code for host in (OTHER, *REDIRECTED)] == [200, 301, 301])


def leads_to_https(host: str, target: str, trusted: str) -> None:
    """Find that a host is redirected to another one on HTTP and, as its certificate says, on HTTPS."""
    status, headers, _ = get(host, ASKED, trusted)
    assert (status, headers["Location"]) == (301, f"https://{target}{ASKED}")
    answered = answer(host, ASKED)
    assert (answered.status_code, answered.headers["Location"]) == (301, f"https://{target}{ASKED}")


@pytest.fixture(scope="module")
def routed(site: Checkout) -> Iterator[Checkout]:
    """The stack with more than one host, and hosts that are redirected, over plain HTTP."""
    try:
        site.configure(OPTIONS)
        assert set(changes(site).values()) == {"create", "update"}
        site.up()
        wait_for_routes()
        yield site
    finally:
        site.restore()


@pytest.fixture(scope="module")
def protected(routed: Checkout) -> Checkout:
    """The same with TLS and a password; for the tests at the end."""
    routed.configure(PROTECTED, "--secret", f"sites[0].basicAuth.password={PASSWORD}")
    routed.up()
    assert eventually(lambda: all("https://" in answer(host, "/").headers["Location"] for host in REDIRECTED))
    return routed


def test_each_host_is_served(routed: Checkout) -> None:
    assert [answer(host, "/").status_code for host in (HOST, OTHER)] == [200, 200]
    assert changes(routed) == {}


@pytest.mark.parametrize(("host", "target"), REDIRECTED.items())
def test_a_redirect_keeps_the_path_and_the_query(routed: Checkout, host: str, target: str) -> None:
    answered = answer(host, ASKED)
    assert (answered.status_code, answered.headers["Location"]) == (301, f"http://{target}{ASKED}")


@pytest.mark.parametrize(("host", "target"), REDIRECTED.items())
def test_a_redirect_leads_to_https_on_http_and_https(protected: Checkout, host: str, target: str) -> None:
    leads_to_https(host, target, protected.outputs()["ca_certificate"])


@pytest.mark.parametrize("host", [HOST, OTHER])
def test_a_site_with_a_password_is_for_those_who_know_it(protected: Checkout, host: str) -> None:
    trusted = protected.outputs()["ca_certificate"]

    def asked(password: str | None) -> int:
        known = base64.b64encode(f"alice:{password}".encode()).decode()
        return get(host, "/", trusted, **({} if password is None else {"Authorization": f"Basic {known}"}))[0]

    assert eventually(lambda: asked(None) == 401)
    assert (asked("wrong"), asked(PASSWORD)) == (401, 200)
    assert get(host, "/", trusted)[1]["WWW-Authenticate"] == 'Basic realm="inspiration"'


def test_a_password_is_nowhere_in_clear_and_no_change_of_each_preview(protected: Checkout) -> None:
    exported = protected.pulumi("stack", "export")
    assert exported.returncode == 0, exported.stderr
    assert "inspiration-auth" in exported.stdout
    assert PASSWORD not in exported.stdout
    preview = protected.pulumi("preview", "--diff")
    assert PASSWORD not in preview.stdout + preview.stderr
    assert changes(protected) == {}


def test_another_password_changes_nothing_else(protected: Checkout) -> None:
    protected.configure({}, "--secret", "sites[0].basicAuth.password=another password")
    assert changes(protected) == {"inspiration-auth": "update"}


def test_a_certificate_is_for_all_hosts(protected: Checkout) -> None:
    trusted = protected.outputs()["ca_certificate"]
    for host in (HOST, OTHER, *REDIRECTED):
        assert get(host, "/", trusted)[0] in (301, 401), host
    with pytest.raises(ssl.SSLCertVerificationError):
        get("unknown.localhost", "/", trusted)


def test_a_password_that_nobody_would_ask_for_is_an_error(routed: Checkout) -> None:
    applied = routed.run("sh", "-c", f"kubectl apply -f - <<END{DEAF}END", environment=routed.environment())
    assert applied.returncode == 0, applied.stderr
    try:
        routed.configure(PROTECTED, "--secret", f"sites[0].basicAuth.password={PASSWORD}")
        without = {"ingress.className": "deaf", "addons.ingress": "false", "addons.dashboard": "false"}
        routed.configure(without)
        done = routed.pulumi("preview")
        assert done.returncode != 0
        assert (
            "basicAuth of the site inspiration: the controller of the IngressClass, example.com/x, isn't known to ask "
            "for a password; allowed: ingress-nginx, Traefik or HAProxy, or a site that asks by itself"
        ) in done.stdout + done.stderr
    finally:
        routed.kubectl("delete", "ingressclass", "deaf")
