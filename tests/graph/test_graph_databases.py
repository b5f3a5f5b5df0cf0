"""The program under mocks: databases of sites."""

import pytest

from tests.graph.recorder import READY, Recording, run


@pytest.fixture(scope="module")
def shop() -> Recording:
    """A site with a database beside one without."""
    site = {**READY[0], "name": "shop", "database": True}
    return run({"sites": [*READY, site], "addons": {"postgres": True}})


def test_a_site_runs_when_its_database_is_there(shop: Recording) -> None:
    deployment, url = shop.find("Deployment", "shop-deployment"), shop.find("Secret", "shop-database-url")
    assert url.name in deployment.made_of("spec")
    assert {"shop-database", "shop-namespace"} <= url.after
    assert {"postgres-service", "shop-database-policy"} <= shop.find("Job", "shop-database").after
    assert not any("database" in name for name in shop.find("Deployment", "ready-deployment").after)


def test_all_of_a_database_is_the_site_s(shop: Recording) -> None:
    parts = {each.name for each in shop.resources.values() if each.name.startswith("shop-database")}
    assert parts == {
        "shop-database", "shop-database-password", "shop-database-policy", "shop-database-url", "shop-database-user",
    }  # fmt: skip
    for name in parts:
        [urn] = [each.urn for each in shop.resources.values() if each.name == name]
        owner = shop.component(urn)
        assert owner
        assert owner.name == "shop"
