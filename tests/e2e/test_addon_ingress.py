"""The addon ingress: by host and path, over TLS, and no request is lost while Traefik is restarted."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.checkout import Checkout
from tests.traffic import Traffic
from tests.waiting import eventually

SITE = "inspiration.localhost"
SHOP = "shop.localhost"
PATIENT = 60
"""Seconds: the relay holds a connection for half of that."""


def get(host: str, path: str = "/", authority: str | None = None) -> httpx.Response:
    """Ask for a path of a host; over TLS, verified by that name, where an authority is given."""
    verify = ssl.create_default_context(cadata=authority) if authority else False
    with httpx.Client(verify=verify, timeout=PATIENT) as client:
        scheme = "https" if authority else "http"
        return client.get(f"{scheme}://127.0.0.1{path}", headers={"Host": host}, extensions={"sni_hostname": host})


def serves(host: str, path: str = "/", authority: str | None = None) -> bool:
    try:
        return get(host, path, authority).is_success
    except httpx.TransportError:
        return False


def test_sites_are_told_apart_by_host_and_path_and_served_over_tls(undone: Checkout) -> None:
    for folder in ("shop", "shop-en/en"):
        (undone.path / folder).mkdir(parents=True)
        (undone.path / folder / "index.html").write_text(f"<!doctype html><title>{folder}</title>")
    (undone.path / "shop-en" / "index.html").write_text("<!doctype html><title>nobody is led here</title>")
    sites = {
        "sites[1].name": "shop",
        "sites[1].source": "shop",
        "sites[1].host": SHOP,
        "sites[1].tls": "true",
        "sites[2].name": "shop-en",
        "sites[2].source": "shop-en",
        "sites[2].host": SHOP,
        "sites[2].path": "/en",
        "sites[2].tls": "true",
    }
    undone.configure(sites)
    undone.up()

    authority = undone.outputs()["ca_certificate"]
    assert eventually(lambda: serves(SHOP, authority=authority))
    assert "<title>shop</title>" in get(SHOP, authority=authority).text
    assert eventually(lambda: serves(SHOP, "/en/", authority))
    assert "<title>shop-en/en</title>" in get(SHOP, "/en/", authority).text
    # A path is made of whole parts: /english isn't in /en, and the site at / doesn't know it.
    assert get(SHOP, "/english", authority).status_code == httpx.codes.NOT_FOUND
    moved = get(SHOP, "/en/")
    assert (moved.status_code, moved.headers["location"]) == (308, f"https://{SHOP}/en/")
    assert get("nobody.localhost").status_code == httpx.codes.NOT_FOUND
    listed = json.loads(undone.kubectl("get", "ingresses", "-A", "-o", "json"))["items"]
    addresses = {
        f"{each['metadata']['namespace']}/{each['metadata']['name']}": each["status"]["loadBalancer"].get("ingress")
        for each in listed
    }
    assert {"inspiration/inspiration", "shop/shop", "shop-en/shop-en"} <= addresses.keys()
    assert all(address == [{"ip": "127.0.0.1"}] for address in addresses.values()), addresses


def restart(cluster: Checkout) -> None:
    cluster.kubectl("rollout", "restart", "daemonset/traefik", "-n", "ingress")


def delete(cluster: Checkout) -> None:
    cluster.kubectl("delete", "pod", "-n", "ingress", "-l", "app.kubernetes.io/name=traefik")


@pytest.mark.parametrize("interrupt", [restart, delete])
def test_no_request_is_lost_while_it_is_restarted(site: Checkout, interrupt: Callable[[Checkout], None]) -> None:
    before = pods(site)
    with (
        Traffic(SITE, requests_per_second=40, timeout=PATIENT) as single,
        Traffic(SITE, requests_per_second=40, keep_alive=True, timeout=PATIENT) as kept,
    ):
        single.wait_for(40)
        kept.wait_for(40)
        interrupt(site)
        site.kubectl("rollout", "status", "daemonset/traefik", "-n", "ingress", "--timeout=180s")
        assert eventually(lambda: pods(site).isdisjoint(before))
        single.wait_for(80)
        kept.wait_for(80)
    assert (single.failures, kept.failures) == ([], [])


def pods(cluster: Checkout) -> set[str]:
    """The pods of Traefik that there are, those that end as well."""
    return set(cluster.kubectl("get", "pods", "-n", "ingress", "-o", "name").split())


@pytest.fixture
def without_node_ports(site: Checkout) -> Iterator[Checkout]:
    """The stack as other clusters than the embedded one have it; both times the relay has to be told as well."""
    try:
        assert site.pulumi("config", "rm", "--path", "addons.ingress.nodePorts").returncode == 0
        script_up(site)
        yield site
    finally:
        site.run("git", "checkout", "-q", "Pulumi.dev.yaml")
        script_up(site)


def script_up(checkout: Checkout) -> None:
    done = checkout.run("script/up")
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_node_ports_it_holds_those_of_the_node(without_node_ports: Checkout) -> None:
    # The node answers at the port itself as soon as the pod has it.
    assert eventually(lambda: serves(SITE))
    assert not without_node_ports.kubectl("get", "service", "traefik", "-n", "ingress", "--ignore-not-found")
    unchanged = without_node_ports.pulumi("preview", "--expect-no-changes")
    assert unchanged.returncode == 0, unchanged.stdout
