"""The program under mocks: a stack with a prefix, whose sites live beside those of another one."""

from __future__ import annotations

from typing import Any

from tests.graph.configurations import NO_ADDONS
from tests.graph.recorder import READY, run

SITES: list[dict[str, Any]] = [
    {"name": "shop", "source": "site", "egress": ["site:ready"]},
    {**READY[0], "name": "ready"},
]


def test_namespaces_and_images_begin_with_it_and_nothing_else_is_called_otherwise() -> None:
    plain = run({"sites": SITES, "addons": NO_ADDONS})
    prefixed = run({"sites": SITES, "addons": NO_ADDONS, "prefix": "blue"})
    assert prefixed.resources.keys() == plain.resources.keys()
    for name in ("shop", "ready"):
        namespace = prefixed.find("Namespace", f"{name}-namespace").inputs["metadata"]["name"]
        assert namespace == f"blue-{name}"
        deployment = prefixed.find("Deployment", f"{name}-deployment").inputs["metadata"]
        assert (deployment["name"], deployment["namespace"]) == (name, namespace)
    assert plain.find("Namespace", "shop-namespace").inputs["metadata"]["name"] == "shop"
    [image] = [each for each in prefixed.resources.values() if each.name == "shop-docker"]
    assert image.inputs["imageName"].startswith("localhost:32000/blue/shop:")


def test_sites_that_connect_to_each_other_are_those_of_the_stack() -> None:
    recording = run({"sites": SITES, "addons": NO_ADDONS, "prefix": "blue"})

    def peers(site: str, direction: str, end: str) -> list[str]:
        rules = recording.find("NetworkPolicy", f"{site}-policy").inputs["spec"][direction]
        labels = [peer.get("namespaceSelector", {}).get("matchLabels") for rule in rules for peer in rule.get(end, [])]
        return [each["kubernetes.io/metadata.name"] for each in labels if each]

    assert peers("shop", "egress", "to") == ["blue-ready"]
    assert peers("ready", "ingress", "from") == ["blue-shop"]


def test_hosts_by_default_have_it_before_the_domain() -> None:
    recording = run({"sites": [SITES[0] | {"egress": []}], "addons": NO_ADDONS, "prefix": "blue"})
    assert recording.find("Ingress", "shop-ingress").inputs["spec"]["rules"][0]["host"] == "shop.blue.localhost"
