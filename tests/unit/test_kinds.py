"""The kinds of objects are registered as by the classes of Pulumi's SDK for Kubernetes, for which they stand in."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pulumi
import pytest

from components import kinds
from components.manifests import Manifest
from tests.graph.recorder import Cloud, Resource, record

METADATA: Manifest = {"name": "one", "labels": {"app.kubernetes.io/name": "one"}}
NEEDED: Manifest = {"spec": {"group": "example.com"}, "provisioner": "example.com/disks", "role_ref": {"name": "view"}}
"""Fields that the SDK insists on for some kinds, by its names."""
KINDS = kinds.KubernetesObject.__subclasses__()


def official(kind: type[kinds.KubernetesObject]) -> Any:
    """The SDK's class."""
    group, _, version = kind.api_version.rpartition("/")
    return getattr(import_module(f"pulumi_kubernetes.{group.partition('.')[0] or 'core'}.{version}"), kind.__name__)


def registered(declare: Callable[[], object]) -> Resource:
    """The one object that ``declare`` registers."""

    def program() -> None:
        declare()

    recording = record(program, Cloud(preview=False))
    [made] = [each for each in recording.resources.values() if each.type.startswith("kubernetes:")]
    return made


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_is_registered_as_by_the_sdk(kind: type[kinds.KubernetesObject]) -> None:
    of_sdk = official(kind)
    needed = {field: value for field, value in NEEDED.items() if field in of_sdk._internal_init.__annotations__}
    ours = {"roleRef" if field == "role_ref" else field: value for field, value in needed.items()}
    expected = registered(lambda: of_sdk("it", metadata=METADATA, **needed))
    assert registered(lambda: kind("it", metadata=METADATA, **ours)) == expected
    assert expected.inputs["metadata"] == METADATA


def test_what_a_secret_holds_is_secret_as_with_the_sdk() -> None:
    data = {"password": "aHVudGVyMjI="}
    expected = registered(lambda: official(kinds.Secret)("it", data=data, string_data={"user": "me"}))
    assert registered(lambda: kinds.Secret("it", data=data, stringData={"user": "me"})) == expected
    assert expected.secret_outputs == {"data", "stringData"}


def test_an_object_of_somebody_else_is_read() -> None:
    def read() -> None:
        found = kinds.IngressClass.get("theirs", "nginx", pulumi.ResourceOptions())
        pulumi.export("controller", found.spec["controller"])

    recording = record(read, Cloud(preview=True, controller="example.com/controller"))
    [made] = [each for each in recording.resources.values() if each.read]
    assert made.type == "kubernetes:networking.k8s.io/v1:IngressClass"
    assert recording.stack_outputs == {"controller": "example.com/controller"}


def test_an_object_of_any_kind_has_the_type_of_its_manifest() -> None:
    manifest: Manifest = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": METADATA}
    made = registered(lambda: kinds.KubernetesObject("it", **manifest))
    assert (made.type, made.inputs) == ("kubernetes:cert-manager.io/v1:ClusterIssuer", manifest)
