"""The addon rbac's objects, as data."""

from typing import Any

import pytest

from components.addons.rbac import RbacOptions
from components.addons.rbac import component as rbac

SITES = {"blog": "blog", "shop": "shop"}
USER = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice"}
OPS = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "ops"}
CI = {"kind": "ServiceAccount", "name": "ci", "namespace": "rbac"}


def options(**people: Any) -> RbacOptions:
    return RbacOptions(**people)


def bound(bindings: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str | None, list[dict[str, str]]]]:
    """Role, namespace and subjects of each binding."""
    return {
        name: (each["roleRef"]["name"], each["metadata"].get("namespace"), each["subjects"])
        for name, each in bindings.items()
    }


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("alice", USER),
        ("https://id.example.com#7", {**USER, "name": "https://id.example.com#7"}),
        ("system:serviceaccount:blog:deployer", {**USER, "name": "system:serviceaccount:blog:deployer"}),
        ("group:ops", OPS),
        ("group:oidc:ops", {**OPS, "name": "oidc:ops"}),
        ("account:ci", CI),
    ],
)
def test_who_is_meant(who: str, expected: dict[str, str]) -> None:
    assert rbac.subject(who, "rbac") == expected


def test_by_default_viewers_are_bound_in_the_cluster_and_others_where_the_sites_are() -> None:
    given = options(viewers=["alice"], editors=["group:ops"], admins=["account:ci"])
    assert bound(rbac.cluster_role_bindings(given, "rbac", "rbac-view-cluster")) == {
        "view": ("view", None, [USER]),
        "view-cluster": ("rbac-view-cluster", None, [USER]),
    }
    assert bound(rbac.role_bindings(given, SITES, "rbac")) == {
        "edit-blog": ("edit", "blog", [OPS]),
        "edit-shop": ("edit", "shop", [OPS]),
        "admin-blog": ("admin", "blog", [CI]),
        "admin-shop": ("admin", "shop", [CI]),
    }


def test_namespaces_limit_everybody() -> None:
    given = options(viewers=["alice"], editors=["group:ops"], namespaces=["blog", "other"])
    assert bound(rbac.role_bindings(given, SITES, "rbac")) == {
        "edit-blog": ("edit", "blog", [OPS]),
        "edit-other": ("edit", "other", [OPS]),
        "view-blog": ("view", "blog", [USER]),
        "view-other": ("view", "other", [USER]),
    }


def test_a_site_tells_its_namespace_itself() -> None:
    made = rbac.role_bindings(
        options(editors=["alice"], namespaces=["blog"]), {"blog": "known-when-it-is-there"}, "rbac"
    )
    assert made["edit-blog"]["metadata"]["namespace"] == "known-when-it-is-there"


def test_nothing_is_bound_to_nobody() -> None:
    assert rbac.role_bindings(options(), SITES, "rbac") == {}


def test_bindings_have_names_of_their_own() -> None:
    given = options(viewers=["a"], editors=["a"], admins=["a"], namespaces=["blog"])
    assert {each["metadata"]["name"] for each in rbac.role_bindings(given, SITES, "rbac").values()} == {
        "rbac-view",
        "rbac-edit",
        "rbac-admin",
    }


def test_each_account_is_made_once() -> None:
    given = options(viewers=["account:ci", "alice"], editors=["account:ci", "account:bot"])
    assert rbac.accounts(given) == ["ci", "bot"]
    assert rbac.token_command("ci") == "kubectl create token ci --namespace rbac --duration 8h"
