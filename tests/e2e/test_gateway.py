"""Sites that are routed by the Gateway API: the same tests, and new versions that are tried first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.checkout import Checkout
from tests.e2e.previews import changes
from tests.e2e.test_dev import edited
from tests.e2e.test_site_routes import HOST, OPTIONS, OTHER, REDIRECTED, answer, leads_to_https, wait_for_routes
from tests.e2e.test_site_routes import (
    test_a_redirect_keeps_the_path_and_the_query as test_a_redirect_keeps_the_path_and_the_query,
)
from tests.e2e.test_site_routes import test_each_host_is_served as test_each_host_is_served
from tests.tls import get
from tests.traffic import Traffic
from tests.waiting import eventually

TRIED = "tried"
TRIED_HOST = f"{TRIED}.localhost"
REQUESTS = 1000


@pytest.fixture(scope="module")
def routed(site: Checkout) -> Iterator[Checkout]:
    """The stack by routes instead of Ingresses, with a second site; it is asked all the time."""
    folder = site.path / TRIED
    folder.mkdir()
    try:
        publish(site, "one")
        tried = {**{f"sites[1].{key}": TRIED for key in ("name", "source")}, "sites[1].canary": 10}
        site.configure({**OPTIONS, "ingress.routes": "gateway", **tried})
        # It makes what the addon needs for that, and then no request is lost on the way from one to the other.
        with Traffic(HOST, requests_per_second=20) as traffic:
            done = site.run("script/up")
            traffic.wait_for(20)
        assert done.returncode == 0, done.stdout + done.stderr
        assert traffic.failures == []
        wait_for_routes()
        yield site
    finally:
        site.restore()


@pytest.fixture(scope="module")
def protected(routed: Checkout) -> Checkout:
    """The same with TLS."""
    routed.configure({"sites[0].tls": "true"})
    routed.up()
    assert eventually(lambda: answer(HOST, "/").status_code == 301)
    return routed


def publish(checkout: Checkout, text: str) -> None:
    (checkout.path / TRIED / "index.html").write_text(f"<p>{text}</p>")


def pages(requests: int) -> Counter[str]:
    """Ask for the page so many times, and count what is answered."""
    with httpx.Client(headers={"Host": TRIED_HOST}, timeout=10, trust_env=False) as client:
        return Counter(client.get("http://127.0.0.1/").text for _ in range(requests))


def test_sites_have_no_ingress_but_a_route_that_is_accepted(routed: Checkout) -> None:
    assert routed.kubectl("get", "ingress", "-n", "inspiration", "-o", "name") == ""
    asked = ("get", "httproute", "inspiration", "-n", "inspiration", "-o")
    conditions = '{.status.parents[0].conditions[?(@.type=="Accepted")].status}'
    assert routed.kubectl(*asked, f"jsonpath={conditions}") == "True"
    assert changes(routed) == {}


def test_an_update_of_traefik_loses_no_request(routed: Checkout) -> None:
    with Traffic(HOST, requests_per_second=20) as traffic:
        routed.kubectl("rollout", "restart", "daemonset/traefik", "-n", "ingress")
        routed.kubectl("rollout", "status", "daemonset/traefik", "-n", "ingress", "--timeout=120s")
        traffic.wait_for(20)
    assert traffic.failures == []


def test_a_new_version_gets_a_tenth_of_the_requests_until_it_is_promoted(routed: Checkout) -> None:
    publish(routed, "two")
    with Traffic(TRIED_HOST, requests_per_second=20) as traffic:
        assert changes(routed) == {
            **dict.fromkeys((f"{TRIED}-canary-{part}" for part in ("policy", "deployment", "service")), "create"),
            f"{TRIED}-route": "update",
            f"{TRIED}-docker": "update",
        }
        routed.up()
        assert eventually(lambda: "<p>two</p>" in pages(20))
        counted = pages(REQUESTS)
        assert counted.keys() == {"<p>one</p>", "<p>two</p>"}, counted
        assert 70 <= counted["<p>two</p>"] <= 130, counted
        assert changes(routed) == {}

        done = routed.run("script/promote", TRIED)
        assert done.returncode == 0, done.stdout + done.stderr
        assert eventually(lambda: pages(20) == {"<p>two</p>": 20})
        traffic.wait_for(20)
    assert traffic.failures == []
    assert changes(routed) == {}
    assert "promoted" not in (routed.path / "Pulumi.dev.yaml").read_text()


def test_a_new_version_that_is_given_up_gets_none(routed: Checkout) -> None:
    publish(routed, "three")
    with Traffic(TRIED_HOST, requests_per_second=20) as traffic:
        routed.up()
        assert eventually(lambda: "<p>three</p>" in pages(20))
        done = routed.run("script/abort", TRIED)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"script/rollback {TRIED} --undo" in done.stdout
        assert eventually(lambda: pages(20) == {"<p>two</p>": 20})
        traffic.wait_for(20)
    assert traffic.failures == []
    assert changes(routed) == {}


def test_a_site_is_edited_live_beside_its_route(routed: Checkout, tmp_path: Path) -> None:
    page = routed.path / "site" / "index.html"
    before = page.read_text()
    try:
        with edited(routed, tmp_path / "output"):
            page.write_text(f"{before}<p>saved</p>")
            assert eventually(lambda: "<p>saved</p>" in answer(f"dev.{HOST}", "/").text)
    finally:
        page.write_text(before)
    assert routed.kubectl("get", "httproutes", "-n", "inspiration", "-o", "name").count("-dev") == 0


@pytest.mark.parametrize("script", ["promote", "abort"])
def test_without_a_trial_there_is_nothing_to_end(routed: Checkout, script: str) -> None:
    before = (routed.path / "Pulumi.dev.yaml").read_text()
    done = routed.run(f"script/{script}", TRIED)
    assert done.returncode == 1
    assert f"error: {TRIED} has no version that only a part of the requests gets" in done.stderr
    assert (routed.path / "Pulumi.dev.yaml").read_text() == before


def test_https_is_served_with_the_sites_certificate(protected: Checkout) -> None:
    trusted = protected.outputs()["ca_certificate"]
    for host in (HOST, OTHER):
        assert get(host, "/", trusted)[0] == 200
        answered = answer(host, "/a?b=c")
        assert (answered.status_code, answered.headers["Location"]) == (301, f"https://{host}/a?b=c")
    for host, target in REDIRECTED.items():
        leads_to_https(host, target, trusted)
    assert changes(protected) == {}
