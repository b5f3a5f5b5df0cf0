"""Other resources than the typed objects: custom resources, patches, look-ups, and manifests from files."""

import json
from collections.abc import Iterator

import pytest

from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject

DEFINITION = """
provider = K.Provider("k", namespace=NS)
OURS = Options(provider=provider)
KIND = "T" + NS.removeprefix("test-")
NAME = f"{KIND.lower()}s.helm.cattle.io"
definition = K.apiextensions.v1.CustomResourceDefinition("crd", metadata={"name": NAME}, opts=OURS,
    spec={"group": "helm.cattle.io", "scope": "Namespaced", "names": {"plural": f"{KIND.lower()}s", "kind": KIND},
          "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"open_apiv3_schema": {
              "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]})
AFTER = Options(provider=provider, depends_on=definition)
"""

MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: scalars}
data: {equals: =, hash: 12e4567, on: "on", quoted: "yes"}
---
apiVersion: helm.cattle.io/v1
kind: KIND
metadata: {name: scalars}
spec: {equals: =, hash: 12e4567, switch: on, no: NO, octal: 0644, date: 2026-01-02, time: 12:30:45, float: 1e3, none: ~}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {v: "1"}}
---
apiVersion: v1
kind: ConfigMapList
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: two}, data: {v: "2"}}
---
"""


@pytest.fixture
def kind(namespace: str, cluster_access: Cluster) -> Iterator[str]:
    """The kind that the program defines, as kubectl writes it; its definition is removed."""
    name = f"t{namespace.removeprefix('test-')}s.helm.cattle.io"
    yield name
    cluster_access.kubectl("delete", "crd", name, "--ignore-not-found")


def test_custom_resources_and_manifests(project: KubernetesProject, cluster_access: Cluster, kind: str) -> None:
    """Also in a preview, before their kind is there, if it is made by the same provider."""
    where = ("-n", project.namespace)
    project.write("manifests.yaml", MANIFESTS)
    project.write("kustomized/kustomization.yaml", json.dumps({"resources": ["map.yaml"], "namePrefix": "pre-"}))
    project.write(
        "kustomized/map.yaml", json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}})
    )
    project.declare(DEFINITION, """
    K.apiextensions.CustomResource("thing", api_version="helm.cattle.io/v1", kind=KIND, metadata=named("thing"),
                                   spec={"size": 3, "deep": {"list": [1, 2.5, "x", True]}}, opts=AFTER)
    text = open("manifests.yaml").read().replace("KIND", KIND)
    K.yaml.v2.ConfigGroup("group", yaml=text, opts=AFTER)
    K.kustomize.Directory("kustomized", "kustomized", opts=OURS)
    """)  # fmt: skip
    assert "11 to create" in project.preview()
    project.up()
    project.assert_no_change()

    things = {each["metadata"]["name"]: each["spec"] for each in cluster_access.object(kind, *where)["items"]}
    assert things["thing"] == {"size": 3, "deep": {"list": [1, 2.5, "x", True]}}
    assert things["scalars"] == {
        "equals": "=",
        "hash": "12e4567",
        "switch": True,
        "false": False,
        "octal": 0o644,
        "date": "2026-01-02",
        "time": "12:30:45",
        "float": 1000,
    }
    maps = {each["metadata"]["name"]: each.get("data") for each in cluster_access.object("cm", *where)["items"]}
    assert maps["scalars"] == {"equals": "=", "hash": "12e4567", "true": "on", "quoted": "yes"}
    assert (maps["one"], maps["two"]) == ({"v": "1"}, {"v": "2"})
    assert "pre-m" in maps

    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.resources() == []
    assert not cluster_access.exists("crd", kind)


def test_a_kind_that_nobody_defines(project: KubernetesProject) -> None:
    """Of a ``CustomResource`` only an update says so, after a minute in which somebody might yet define it."""
    project.declare("""
    K.yaml.v2.ConfigGroup("group", yaml="{apiVersion: nobody.test/v1, kind: Thing, metadata: {name: thing}}")
    """)
    missing = "failed to determine if the following GVK is namespaced: nobody.test/v1, Kind=Thing"
    assert missing in project.preview(fails=True)


def test_patches_and_lookups(project: KubernetesProject, cluster_access: Cluster) -> None:
    """A patch owns its own fields only; of an object that isn't there it makes one."""
    where = ("-n", project.namespace)
    cluster_access.kubectl("create", "configmap", "there", *where, "--from-literal=a=1")
    project.declare("""
    K.core.v1.ConfigMapPatch("there", metadata={**IN, "name": "there"}, data={"b": "2"})
    K.core.v1.ConfigMapPatch("missing", metadata={**IN, "name": "missing"}, data={"b": "2"})
    pulumi.export("keys", K.core.v1.ConfigMap.get("found", f"{NS}/there").data.apply(sorted))
    pulumi.export("phase", K.core.v1.Namespace.get("system", "kube-system").status.phase)
    """)
    project.up()
    project.up()
    assert project.outputs() == {"keys": ["a", "b"], "phase": "Active"}
    assert cluster_access.object("cm/there", *where)["data"] == {"a": "1", "b": "2"}
    assert cluster_access.object("cm/missing", *where)["data"] == {"b": "2"}
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert cluster_access.object("cm/there", *where)["data"] == {"a": "1"}
    assert "data" not in cluster_access.object("cm/missing", *where)


def test_names_as_they_are_written(project: KubernetesProject, cluster_access: Cluster) -> None:
    """With ``pulumi:autonaming``."""
    config = {"pulumi:autonaming": {"value": {"mode": "verbatim"}}}
    project.write("Pulumi.yaml", json.dumps({"name": "test", "runtime": "python", "config": config}))
    project.declare('K.core.v1.ConfigMap("as-it-is", metadata=IN)\nK.core.v1.ServiceAccount("robot", metadata=IN)')
    project.up()
    project.assert_no_change()
    assert cluster_access.exists("cm/as-it-is", "-n", project.namespace)
    assert cluster_access.exists("sa/robot", "-n", project.namespace)
