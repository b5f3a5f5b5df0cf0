"""The lines for hosts that two want, and for an authority that can't be used."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.test_settings import DIGEST, load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_errors import problems

SHOP: dict[str, Any] = {"name": "shop", "image": f"ghcr.io/me/shop@{DIGEST}", "host": "shop.com"}
BLOG: dict[str, Any] = {"name": "blog", "image": f"ghcr.io/me/blog@{DIGEST}", "host": "blog.com"}
ACME = {"email": "me@example.com"}


@pytest.mark.parametrize(
    ("blog", "line"),
    [
        (
            {"hosts": ["a.com", "shop.com"]},
            "sites[1].hosts[1]: shop.com with path / is taken by inspiration:sites[0]; give one of them another host "
            "or path",
        ),
        (
            {"redirects": [{"from": "shop.com", "to": "blog.com"}]},
            "sites[1].redirects[0].from: shop.com with path / is taken by inspiration:sites[0]; give one of them "
            "another host or path",
        ),
        (
            {"hosts": ["dashboard.localhost"]},
            "sites[1].hosts[0]: dashboard.localhost is taken by inspiration:addons.dashboard; give one of them another "
            "host",
        ),
    ],
)
def test_each_host_is_for_one(blog: dict[str, Any], line: str) -> None:
    assert problems({"sites": [SHOP, {**BLOG, **blog}]}) == [line]


def test_hosts_of_the_same_site_may_have_paths_of_other_sites_on_them() -> None:
    settings = load({"sites": [SHOP, {**BLOG, "hosts": ["shop.com"], "path": "/blog"}]})
    assert settings.sites[1].all_hosts == ["blog.com", "shop.com"]


def test_a_further_host_may_not_be_one_of_knative() -> None:
    shop = {**SHOP, "hosts": ["shop.apps.localhost"]}
    assert problems({"sites": [shop], "addons": {"knative": {"domain": "apps.localhost"}}}) == [
        "sites[0].hosts[0]: shop.apps.localhost is taken by inspiration:addons.knative.domain; give one of them "
        "another domain"
    ]


def test_all_hosts_are_in_the_line_for_a_hosts_file() -> None:
    settings = load(
        {"sites": [{**SHOP, "hosts": ["a.com", "a.localhost"], "redirects": [{"from": "b.com", "to": "a.com"}]}]}
    )
    assert settings.hosts_entry == "127.0.0.1 shop.com a.com b.com"


@pytest.mark.parametrize("bundle", ["a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_certificates_of_a_private_authority_have_to_be_readable(bundle: str) -> None:
    assert problems({"addons": {"cert": {"acme": {**ACME, "caBundle": bundle}}}}) == [
        "addons.cert.acme.caBundle: can't be read; allowed: certificates, PEM"
    ]


GATEWAY = {"routes": "gateway"}
PROTECTED = {**SHOP, "basicAuth": {"user": "alice", "password": "correct horse"}}
FOLDER = {"name": "blog", "host": "blog.com", "canary": 10}


@pytest.mark.parametrize(
    ("site", "ingress", "line"),
    [
        (
            FOLDER,
            {},
            "sites[0].canary: inspiration:ingress.routes is ingress, which routes to one version only; set that to "
            "gateway, or remove canary",
        ),
        (
            {**SHOP, "tls": True},
            {**GATEWAY, "gateway": "infra/public"},
            "sites[0].tls: the Gateway infra/public has the certificates of all its hosts; remove tls, or "
            "inspiration:ingress.gateway",
        ),
        ({**SHOP, "canary": 10}, GATEWAY, "sites[0]: canary and image given; allowed: canary with source"),
        (
            {**FOLDER, "replicas": 1, "volumes": [{"name": "data", "path": "/data"}]},
            GATEWAY,
            "sites[0]: canary given, and a volume that only one pod may have; allowed: shared: true on the volume",
        ),
        ({**FOLDER, "canary": 100}, GATEWAY, "sites[0].canary: 100 given; allowed: a percentage, 1 to 99"),
        (
            {**FOLDER, "promoted": "latest"},
            GATEWAY,
            'sites[0].promoted: "latest" given; allowed: the content of a release, 16 hexadecimal digits',
        ),
    ],
)
def test_what_the_routes_cant_do(site: dict[str, Any], ingress: dict[str, Any], line: str) -> None:
    assert problems({"sites": [site], "ingress": ingress}) == [line]


def test_a_gateway_asks_for_no_password() -> None:
    assert problems({"sites": [PROTECTED], "ingress": GATEWAY}, secrets=("sites",)) == [
        "sites[0].basicAuth: inspiration:ingress.routes is gateway, and routes can't ask for a password; set that to "
        "ingress, or let the site ask by itself"
    ]
