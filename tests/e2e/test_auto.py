"""A second stack on the same cluster: it uses what is there already, and says what it can't have."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
import yaml

from settings.cluster_facts import ClusterFacts, registry_host
from settings.cluster_reader import ApiServer, read_facts
from tests.checkout import Checkout
from tests.waiting import eventually

STACK = "second"
HOST = "second.localhost"
LABEL = "inspiration-test"
"""Of all objects that these tests make with kubectl."""
METRICS = "v1beta1.metrics.k8s.io"


def labelled(kind: str, version: str, name: str, **body: Any) -> dict[str, Any]:
    annotations = body.pop("annotations", {})
    metadata = {"name": name, "labels": {LABEL: "auto"}, "annotations": annotations} | body.pop("metadata", {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


SOMEBODYS = [
    labelled(
        "StorageClass",
        "storage.k8s.io/v1",
        "somebodys",
        annotations={"storageclass.kubernetes.io/is-default-class": "true"},
        provisioner="kubernetes.io/no-provisioner",
    ),
    labelled("IngressClass", "networking.k8s.io/v1", "somebodys", spec={"controller": "example.com/controller"}),
    # Of an API that the API server would serve itself: one of a Service that isn't there would hold up others' work.
    labelled(
        "APIService",
        "apiregistration.k8s.io/v1",
        METRICS,
        spec={"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100},
    ),
    labelled("Namespace", "v1", "somebodys"),
    labelled(
        "Service",
        "v1",
        "web",
        metadata={"namespace": "somebodys"},
        spec={"type": "NodePort", "ports": [{"port": 80, "nodePort": 32100}]},
    ),
    labelled("ServiceAccount", "v1", "nobody", metadata={"namespace": "somebodys"}),
]


@pytest.fixture
def somebodys(site: Checkout, tmp_path: Path) -> Iterator[Checkout]:
    """The cluster with objects that no stack has made."""
    manifest = tmp_path / "somebodys.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": SOMEBODYS}))
    site.kubectl("apply", "-f", str(manifest))
    yield site
    site.kubectl("delete", "-f", str(manifest), "--wait")


@pytest.fixture
def second(site: Checkout) -> Iterator[Checkout]:
    """The checkout with a second stack beside ``dev``, of one site with a ready image and the other defaults."""
    made = site.pulumi("stack", "init", stack=STACK)
    assert made.returncode == 0, made.stderr
    image = site.outputs()["images"]["inspiration"]
    configure(
        site,
        context="inspiration",
        sites=[{"name": "second", "image": image, "healthPath": "/healthz"}],
        addons={"dashboard": False},
    )
    yield site
    gone = site.pulumi("destroy", "--yes", "--skip-preview", stack=STACK)
    assert gone.returncode == 0, gone.stdout + gone.stderr
    removed = site.pulumi("stack", "rm", "--yes", stack=STACK)
    assert removed.returncode == 0, removed.stderr
    site.run("git", "clean", "-qfd")


def configure(checkout: Checkout, **keys: object) -> None:
    """Write keys of the second stack's configuration, as its user would in an editor."""
    path = checkout.path / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(path.read_text()) if path.exists() else {}
    document.setdefault("config", {}).update({f"inspiration:{key}": value for key, value in keys.items()})
    path.write_text(yaml.safe_dump(document))


def refused(checkout: Checkout, *expected: str) -> None:
    """`pulumi preview` fails with these lines and no others, and before anything is registered."""
    done = checkout.pulumi("preview", stack=STACK)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    lines = [line.strip() for line in said.splitlines() if "inspiration:" in line and "pulumi:pulumi:Stack" not in line]
    assert [line.removeprefix("error: ") for line in lines] == list(expected), said
    assert "Traceback" not in said
    exported = json.loads(checkout.pulumi("stack", "export", stack=STACK).stdout)
    assert "resources" not in exported["deployment"]


def facts(checkout: Checkout, stack: str) -> ClusterFacts:
    """What a program of ``stack`` is told of the cluster."""
    with patch("settings.cluster_reader.instance", lambda: stack):
        return read_facts(ApiServer(str(checkout.state / "kubeconfig"), "inspiration", os.environ))


def test_what_is_there_is_found_and_whose_it_is(somebodys: Checkout) -> None:
    found = facts(somebodys, "dev")
    assert found.version is not None
    assert found.version >= (1, 37)
    assert found.denied == {}
    assert [(each.name, each.default) for each in found.others("storage")] == [("somebodys", True)]
    assert [each.name for each in found.others("ingress")] == ["somebodys"]
    assert {each.name for each in found.namespaces if not found.foreign(each)} == {
        "container-registry", "dashboard", "ingress", "inspiration", "local-path-storage",
    }  # fmt: skip
    assert {"kube-system", "somebodys"} <= {each.name for each in found.namespaces if found.foreign(each)}
    assert [each.name for each in found.others("metrics-server")] == [METRICS]
    [web] = [each for each in found.services if each.namespace == "somebodys"]
    assert web.node_ports == {32100}
    assert [(each.name, each.stack) for each in found.of("dns")] == [("kube-dns", "dev")]
    [registry] = found.of("registry")
    assert (registry_host(registry), registry.stack) == ("localhost:32000", "dev")


def test_to_another_stack_all_of_it_is_somebody_elses(site: Checkout) -> None:
    found = facts(site, STACK)
    for addon in ("dns", "storage", "registry", "ingress"):
        assert found.others(addon) == list(found.of(addon)) != []
    assert all(map(found.foreign, found.namespaces))


def test_what_a_stack_has_made_stays_when_somebody_else_makes_the_same(somebodys: Checkout) -> None:
    unchanged = somebodys.pulumi("preview", "--expect-no-changes")
    assert unchanged.returncode == 0, unchanged.stdout + unchanged.stderr


def test_a_second_stack_uses_what_the_first_one_has_made(second: Checkout) -> None:
    second.up(stack=STACK)

    exported = json.loads(second.pulumi("stack", "export", stack=STACK).stdout)["deployment"]["resources"]
    made = {resource["type"].rpartition(":")[2] for resource in exported if resource["type"].startswith("inspiration:")}
    assert made == {"Cluster", "CertificateAuthority", "Site"}
    outputs = second.outputs(stack=STACK)
    assert outputs["site_urls"] == {"second": f"http://{HOST}/"}
    assert outputs["registry"] == "localhost:32000"
    ingress = json.loads(second.kubectl("get", "ingress", "second", "-n", "second", "-o", "json"))
    assert ingress["spec"]["ingressClassName"] == "nginx"

    def served() -> bool:
        return httpx.get("http://127.0.0.1/", headers={"Host": HOST}, timeout=30).status_code == 200

    assert eventually(served)
    for stack in (STACK, "dev"):
        unchanged = second.pulumi("preview", "--expect-no-changes", stack=stack)
        assert unchanged.returncode == 0, unchanged.stdout + unchanged.stderr


def test_what_is_taken_is_told_at_once(second: Checkout, somebodys: Checkout) -> None:
    configure(
        second,
        sites=[{"name": "inspiration", "host": HOST}, {"name": "somebodys"}],
        registry={"nodePort": 32100},
        addons={"dns": True, "storage": True, "registry": True, "ingress": True, "metrics-server": True},
        ingress={"className": "somebodys"},
    )
    first = "there already, of the stack dev; set it to"
    theirs = "there already, and isn't of this stack; set it to"
    refused(
        second,
        f"inspiration:addons.dns: the Service kube-dns is {first} auto or false",
        f"inspiration:addons.storage: the StorageClass local-path is {first} auto or false",
        f"inspiration:addons.registry: the ConfigMap local-registry-hosting is {first} auto or false",
        f"inspiration:addons.ingress: the IngressClass somebodys is {theirs} auto or false, "
        "or another inspiration:ingress.className",
        f"inspiration:addons.metrics-server: the APIService {METRICS} is {theirs} auto or false",
        f"inspiration:addons.dashboard: the namespace dashboard is {first} false, or remove that namespace",
        f"inspiration:sites[0].name: the namespace inspiration is {first} another one, set inspiration:prefix, "
        "or remove that namespace",
        f"inspiration:sites[1].name: the namespace somebodys is {theirs} another one, set inspiration:prefix, "
        "or remove that namespace",
        "inspiration:registry.nodePort: 32100 is taken by the Service somebodys/web; give another one",
    )


def test_an_ingress_class_that_is_not_there(second: Checkout) -> None:
    configure(second, addons={"dashboard": False, "ingress": False}, ingress={"className": "traefik"})
    refused(
        second,
        'inspiration:ingress.className: "traefik" given, and there is no such IngressClass; allowed: auto, nginx; '
        "or set inspiration:addons.ingress to auto or true",
    )


def test_several_ingress_classes_have_one_that_is_meant(second: Checkout, somebodys: Checkout) -> None:
    # That of the first stack is the default one.
    previewed = second.pulumi("preview", "--json", stack=STACK)
    assert previewed.returncode == 0, previewed.stdout
    [ingress] = [
        step["newState"]["inputs"]
        for step in json.loads(previewed.stdout)["steps"]
        if step["urn"].endswith("::second-ingress")
    ]
    assert ingress["spec"]["ingressClassName"] == "nginx"


def test_a_server_that_is_not_there(second: Checkout, tmp_path: Path) -> None:
    text = (second.state / "kubeconfig").read_text().replace("https://10.215.0.2:6443", "https://127.0.0.1:1")
    (tmp_path / "kubeconfig").write_text(text)
    configure(second, kubeconfig=str(tmp_path / "kubeconfig"))
    refused(
        second,
        'inspiration:context: https://127.0.0.1:1, of context "inspiration", doesn\'t answer: Connection refused; '
        "start the cluster, or set another context",
    )


def test_credentials_that_may_not_ask(second: Checkout, somebodys: Checkout) -> None:
    document = yaml.safe_load((second.state / "kubeconfig").read_text())
    token = somebodys.kubectl("create", "token", "nobody", "--namespace", "somebodys").strip()
    document["users"] = [{"name": document["users"][0]["name"], "user": {"token": token}}]
    configure(second, kubeconfig=yaml.safe_dump(document), addons={"dashboard": False, "metrics-server": "auto"})
    user = 'User "system:serviceaccount:somebodys:nobody" cannot'

    def at(resource: str, group: str = "", verb: str = "list", where: str = "at the cluster scope") -> str:
        return f'{user} {verb} resource "{resource}" in API group "{group}" {where}'

    public = 'in the namespace "kube-public"'
    fix = "; set it to true or false, or use credentials that may"
    refused(
        second,
        f"inspiration:addons.dns: auto given, and {at('services')}{fix}",
        f"inspiration:addons.storage: auto given, and {at('storageclasses', 'storage.k8s.io')}{fix}",
        f"inspiration:addons.registry: auto given, and {at('configmaps', '', 'get', public)}{fix}",
        f"inspiration:addons.ingress: auto given, and {at('ingressclasses', 'networking.k8s.io')}{fix}",
        f"inspiration:addons.metrics-server: auto given, and {at('apiservices', 'apiregistration.k8s.io', 'get')}{fix}",
        f"inspiration:context: {at('namespaces')}, and the stack makes some; use the credentials of an administrator",
    )

    document["users"][0]["user"]["token"] = "nobodys"
    configure(second, kubeconfig=yaml.safe_dump(document))
    server = document["clusters"][0]["cluster"]["server"]
    refused(
        second,
        f'inspiration:context: {server}, of context "inspiration", doesn\'t accept the credentials (401 Unauthorized); '
        "sign in again, or set another context",
    )
