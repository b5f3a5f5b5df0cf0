"""Differences between inputs, and which of them need a new object."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.plugins.kubernetes.diff import (
    Change,
    Difference,
    differences,
    is_ignored,
    must_delete_first,
    refused_as_immutable,
    replaced_by,
)
from embedded.plugins.kubernetes.errors import ApiError
from embedded.plugins.kubernetes.kinds import Form, Kind

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@given(JSON, JSON)
def test_there_are_differences_exactly_if_values_differ(old: Any, new: Any) -> None:
    found = list(differences(old, new))
    # JSON tells true from 1, where Python doesn't.
    assert bool(found) == (repr(old) != repr(new) and not equal(old, new))
    for difference in found:
        if difference.change is not Change.ADD:
            at(old, difference.path)
        if difference.change is not Change.DELETE:
            at(new, difference.path)
        if difference.change is Change.UPDATE:
            assert not equal(at(old, difference.path), at(new, difference.path))


def equal(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(equal(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(equal, old, new))
    return isinstance(old, bool) == isinstance(new, bool) and bool(old == new)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("spec", "template", "spec", "containers", 0, "image"), "spec.template.spec.containers[0].image"),
        (("metadata", "labels", "app.kubernetes.io/name"), 'metadata.labels["app.kubernetes.io/name"]'),
        (("data", 'a"b\\c'), 'data["a\\"b\\\\c"]'),
        (("data", ""), 'data[""]'),
    ],
)
def test_property_paths(path: tuple[str | int, ...], text: str) -> None:
    assert Difference(path, Change.UPDATE).property_path == text


@pytest.mark.parametrize(
    ("ignored", "is_so"),
    [
        ("spec.replicas", True),
        ("spec", True),
        ("spec.replicas.more", False),
        ("spec.replica", False),
        ("spec.*", True),
        ("*", True),
        ("status", False),
    ],
)
def test_ignored_paths(ignored: str, is_so: bool) -> None:
    assert is_ignored(("spec", "replicas"), [ignored]) is is_so


def test_ignored_elements() -> None:
    path = ("spec", "containers", 1, "image")
    assert is_ignored(path, ["spec.containers[*].image"])
    assert is_ignored(path, ["spec.containers[1]"])
    assert not is_ignored(path, ["spec.containers[0].image"])


def changed(kind: Kind, old: Any, new: Any, mutable: frozenset[str] = frozenset()) -> set[str]:
    return {each.property_path for each in replaced_by(kind, old, new, list(differences(old, new)), mutable)}


@pytest.mark.parametrize(
    ("kind", "old", "new", "paths"),
    [
        ("apps/v1:Deployment", {"spec": {"selector": {"a": 1}}}, {"spec": {"selector": {"a": 2}}}, {"spec.selector.a"}),
        ("apps/v1:Deployment", {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, set()),
        ("batch/v1:Job", {"spec": {"template": {}}}, {"spec": {"template": {"x": 1}}}, {"spec.template.x"}),
        ("v1:Service", {"spec": {"clusterIP": "None"}}, {"spec": {}}, {"spec.clusterIP"}),
        ("v1:Service", {"spec": {"type": "ClusterIP"}}, {"spec": {"type": "NodePort"}}, set()),
        ("v1:ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}, {"data.a"}),
        ("v1:ConfigMap", {"metadata": {"labels": {}}}, {"metadata": {"labels": {"a": "b"}}}, set()),
        ("v1:Secret", {"type": "a"}, {"type": "b"}, {"type"}),
        ("v1:Namespace", {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, {"metadata.name"}),
        ("v1:PersistentVolumeClaim", {"spec": {"resources": {"a": 1}}}, {"spec": {"resources": {"a": 2}}}, set()),
        ("v1:PersistentVolumeClaim", {"spec": {}}, {"spec": {"volumeName": "a"}}, {"spec.volumeName"}),
        ("rbac.authorization.k8s.io/v1:RoleBinding", {"roleRef": {"n": 1}}, {"roleRef": {"n": 2}}, {"roleRef.n"}),
        ("example.com/v1:Thing", {"spec": {"selector": 1}}, {"spec": {"selector": 2}}, set()),
    ],
)
def test_fields_that_only_a_new_object_can_have(kind: str, old: Any, new: Any, paths: set[str]) -> None:
    api_version, _, name = kind.rpartition(":")
    assert changed(Kind(api_version, name), old, new) == paths


def test_data_of_configmaps_and_secrets() -> None:
    kind, old, new = Kind("v1", "ConfigMap"), {"data": {"a": "1"}}, {"data": {"a": "2"}}
    assert changed(kind, old, new, frozenset({"ConfigMap"})) == set()
    assert changed(kind, {**old, "immutable": True}, {**new, "immutable": True}, frozenset({"ConfigMap"})) == {"data.a"}
    assert changed(Kind("v1", "ConfigMap", Form.PATCH), old, new) == set()


def test_api_version_within_a_group_is_no_new_object() -> None:
    old, new = {"apiVersion": "autoscaling/v1"}, {"apiVersion": "autoscaling/v2"}
    assert changed(Kind("autoscaling/v2", "HorizontalPodAutoscaler"), old, new) == set()
    assert changed(Kind("apps/v1", "Deployment"), {"apiVersion": "extensions/v1"}, {"apiVersion": "apps/v1"}) == {
        "apiVersion"
    }


def invalid(*causes: tuple[str, str]) -> ApiError:
    return ApiError(422, {"details": {"causes": [{"field": field, "message": message} for field, message in causes]}})


A, B = Difference(("spec", "a"), Change.UPDATE), Difference(("spec", "b", 0, "c"), Change.UPDATE)


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (invalid(("spec.a", "Invalid value: 1: field is immutable")), [A]),
        (invalid(("spec.b[0].c", "Forbidden: may not change once set")), [B]),
        (invalid(("spec.persistentvolumesource", "Forbidden: spec.persistentvolumesource is immutable")), [A, B]),
        (invalid(("spec", "Forbidden: updates to statefulset spec for fields other than 'x' are forbidden")), [A, B]),
        (invalid(("spec.a", "field is immutable"), ("spec.b", "Required value")), []),
        (invalid(("spec.a", "Invalid value: 1: must be positive")), []),
        (ApiError(403, {"message": "field is immutable"}), []),
    ],
)
def test_what_the_server_calls_immutable(error: ApiError, found: list[Difference]) -> None:
    assert refused_as_immutable(error, [A, B]) == found


def test_a_fixed_name_is_deleted_first() -> None:
    fixed = {"kind": "A", "metadata": {"name": "a", "namespace": "n"}}
    generated = {"kind": "A", "metadata": {"name": "a", "annotations": {"pulumi.com/autonamed": "true"}}}
    assert must_delete_first(fixed, fixed)
    assert not must_delete_first(fixed, {**fixed, "metadata": {"name": "a", "namespace": "other"}})
    assert not must_delete_first(fixed, {**fixed, "kind": "B"})
    assert not must_delete_first(generated, generated)
