"""The prefix, by which the sites of several stacks live on one cluster."""

from __future__ import annotations

from typing import Any

import pytest

from settings.cluster_facts import ClusterFacts
from settings.releases import CONTENT, record
from tests.unit.test_settings import load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_errors import problems

ALLOWED = "1 to 40 lower-case letters, digits and hyphens, not beginning or ending in a hyphen"
RELEASE = f"sha256:{'a' * 64}"


def test_without_one_all_is_called_as_the_site() -> None:
    settings = load({"sites": [{"name": "shop"}]})
    assert (settings.namespace("shop"), settings.image("shop")) == ("shop", "shop")
    assert settings.images_in("localhost:32000") == "localhost:32000"
    assert settings.sites[0].host == "shop.localhost"


def test_it_comes_before_namespaces_images_and_the_domain() -> None:
    settings = load({"prefix": "blue", "domain": "example.com", "sites": [{"name": "shop"}]})
    assert (settings.namespace("shop"), settings.image("shop")) == ("blue-shop", "blue/shop")
    assert settings.sites[0].host == "shop.blue.example.com"


def test_a_host_that_is_given_stays() -> None:
    assert load({"prefix": "blue", "sites": [{"name": "shop", "host": "a.com"}]}).sites[0].host == "a.com"


def test_a_namespace_is_never_too_long_and_never_that_of_another() -> None:
    settings = load({"prefix": "b" * 40, "sites": []})
    one, other = (settings.namespace(f"{'s' * 60}{end}") for end in "ab")
    assert len(one) == len(other) == 63
    assert one != other


@pytest.mark.parametrize("given", ["Blue", "a.b", "-a", "a-", "a" * 41])
def test_what_it_may_be(given: str) -> None:
    assert problems({"prefix": given}) == [f'prefix: "{given}" given; allowed: {ALLOWED}']


@pytest.mark.parametrize(("prefix", "site"), [("kube", "shop"), ("container", "registry")])
def test_the_cluster_s_namespaces_stay_its_own(prefix: str, site: str) -> None:
    assert problems({"prefix": prefix, "sites": [{"name": site}]}) == [
        f"prefix: with it, inspiration:sites[0] would have the namespace {prefix}-{site}, which is the "
        "cluster's; give another prefix"
    ]


def test_a_chart_in_a_site_s_namespace_is_refused() -> None:
    chart = {"name": "c", "chart": "oci://e/c", "version": "1.0.0", "namespace": "blue-shop"}
    assert problems({"prefix": "blue", "sites": [{"name": "shop"}], "charts": [chart]}) == [
        "charts[0].namespace: blue-shop is taken by inspiration:sites[0]; give one of them another one"
    ]


def test_an_earlier_release_is_looked_for_in_the_site_s_namespace() -> None:
    asked = []

    def ask(path: str) -> dict[str, Any]:
        asked.append(path)
        container = {"image": f"localhost:32000/blue/shop@{RELEASE}"}
        found = {"annotations": {CONTENT: "c0ffee"}}
        return {"items": [{"metadata": found, "spec": {"template": {"spec": {"containers": [container]}}}}]}

    [site] = load({"prefix": "blue", "sites": [{"name": "shop", "release": RELEASE}]}).sites
    assert record(site, "blue-shop", "now", ClusterFacts("stack"), ask) == {CONTENT: "c0ffee"}
    assert asked == ["/apis/apps/v1/namespaces/blue-shop/replicasets"]
