"""A preview says exactly what ``up`` would do, field by field."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.checkout import Checkout
from tests.e2e.previews import changes, fields, name_of, steps

DASHBOARD = {
    "dashboard",
    "dashboard-account",
    "dashboard-caddy",
    "dashboard-deployment",
    "dashboard-ingress",
    "dashboard-ingress-ingress",
    "dashboard-namespace",
    "dashboard-password",
    "dashboard-policy",
    "dashboard-random",
    "dashboard-role",
    "dashboard-service",
    "dashboard-tls-certificate",
    "dashboard-tls-key",
    "dashboard-tls-request",
    "dashboard-tls-secret",
    "dashboard-view",
    "dashboard-view-cluster",
}
REGISTRY = {
    "registry",
    "registry-claim",
    "registry-config",
    "registry-deployment",
    "registry-hosting",
    "registry-namespace",
    "registry-policy",
    "registry-prune-account",
    "registry-prune-binding",
    "registry-prune-cronjob",
    "registry-prune-policy",
    "registry-prune-program",
    "registry-prune-role",
    "registry-service",
}


@pytest.fixture
def edited(site: Checkout) -> Iterator[Checkout]:
    """The checkout, for tests that preview only: nothing but its files has to be put back."""
    yield site
    site.run("git", "checkout", "-q", ".")


def configure(checkout: Checkout, path: str, value: str) -> None:
    done = checkout.pulumi("config", "set", "--path", path, value)
    assert done.returncode == 0, done.stderr


def test_no_change(site: Checkout) -> None:
    assert steps(site) == []


def test_replicas(edited: Checkout) -> None:
    configure(edited, "sites[0].replicas", "3")
    assert changes(edited) == {"inspiration-deployment": "update"}
    assert fields(edited, "inspiration-deployment") == ["spec.replicas"]


def test_a_host_that_is_renamed_leaves_the_pods_alone(edited: Checkout) -> None:
    configure(edited, "sites[0].host", "www.localhost")
    assert changes(edited) == {"inspiration-ingress": "update"}
    assert fields(edited, "inspiration-ingress") == ["spec.rules[0].host"]


def test_the_dashboard_under_another_host_gets_another_certificate(edited: Checkout) -> None:
    configure(edited, "addons.dashboard.host", "k8s.localhost")
    assert changes(edited) == {
        "dashboard-tls-request": "replace",
        "dashboard-tls-certificate": "replace",
        "dashboard-tls-secret": "update",
        "dashboard-caddy": "update",
        "dashboard-deployment": "update",
        "dashboard-ingress-ingress": "update",
    }


@pytest.mark.parametrize(("addon", "resources"), [("dashboard", DASHBOARD), ("registry", REGISTRY)])
def test_what_depends_on_an_addon_that_is_switched_off_goes_first(
    edited: Checkout, addon: str, resources: set[str]
) -> None:
    configure(edited, f"addons.{addon}", "false")
    previewed = steps(edited)
    assert {step["op"] for step in previewed} == {"delete"}
    order = [name_of(step) for step in previewed]
    assert set(order) == resources
    state = {step["urn"]: step["oldState"] for step in previewed}
    for step in previewed:
        for dependency in {*step["oldState"].get("dependencies", []), step["oldState"].get("parent")} & state.keys():
            assert order.index(name_of(step)) < order.index(name_of({"urn": dependency}))


def test_a_plan_is_kept_to(undone: Checkout) -> None:
    configure(undone, "sites[0].replicas", "1")
    planned = undone.pulumi("preview", "--save-plan", "plan.json")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    for secret in undone.outputs(secrets=True)["dashboard_login"].values():
        assert secret == "admin" or secret not in (undone.path / "plan.json").read_text()

    done = undone.pulumi("up", "--yes", "--skip-preview", "--plan", "plan.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert changes(undone) == {}

    configure(undone, "sites[0].replicas", "3")
    refused = undone.pulumi("up", "--yes", "--skip-preview", "--plan", "plan.json")
    assert refused.returncode != 0
    assert "resource urn:pulumi:dev::inspiration::" in refused.stdout
    assert "violates plan" in refused.stdout
    replicas = undone.kubectl("get", "deployment/inspiration", "-n", "inspiration", "-o", "jsonpath={.spec.replicas}")
    assert replicas == "1"
