"""``pulumi destroy`` and back again: the first preview of an empty cluster, and a second ``up``."""

from __future__ import annotations

import json

from tests.checkout import Checkout
from tests.e2e.previews import name_of, steps
from tests.waiting import eventually


def namespaces(checkout: Checkout) -> set[str]:
    listed = json.loads(checkout.kubectl("get", "namespaces", "-o", "json"))
    return {item["metadata"]["name"] for item in listed["items"]}


def test_destroy_leaves_nothing_and_up_brings_all_back(site: Checkout) -> None:
    before = {str(each["urn"]) for each in resources(site)}
    assert {"inspiration", "dashboard", "ingress", "container-registry", "local-path-storage"} <= namespaces(site)

    done = site.pulumi("destroy", "--yes", "--skip-preview")

    assert done.returncode == 0, done.stdout + done.stderr
    assert resources(site) == []
    assert namespaces(site) == {"default", "kube-node-lease", "kube-public", "kube-system"}
    # The registry's volume is the provisioner's to remove, which was deleted, too.
    assert json.loads(site.kubectl("get", "persistentvolumes", "-o", "json"))["items"] == []
    kinds = "clusterrole,clusterrolebinding,ingressclass,storageclass"
    listed = json.loads(site.kubectl("get", kinds, "-l", "app.kubernetes.io/part-of=inspiration", "-o", "json"))
    assert listed["items"] == []

    first_preview(site, before)
    site.up()
    assert {each["urn"] for each in resources(site)} == before
    assert eventually(lambda: steps(site) == [])


def first_preview(site: Checkout, expected: set[str]) -> None:
    """Everything is to be created, nothing is built, and nobody asks for what isn't there yet."""
    images = site.images()
    previewed = steps(site)
    assert {step["op"] for step in previewed} == {"create"}
    assert {step["urn"] for step in previewed} == expected - {urn for urn in expected if "::default" in urn}
    [deployment] = [step for step in previewed if name_of(step) == "inspiration-deployment"]
    [container] = deployment["newState"]["inputs"]["spec"]["template"]["spec"]["containers"]
    # The engine's sign for what it doesn't know yet.
    assert container["image"] == "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert site.images() == images


def resources(site: Checkout) -> list[dict[str, object]]:
    exported = json.loads(site.pulumi("stack", "export").stdout)
    found: list[dict[str, object]] = exported["deployment"].get("resources", [])
    return found
