"""Paths of fields, who owns them, drift in them, and taking them back."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.plugins.kubernetes import drift, fields, ownership

SCALARS = st.booleans() | st.integers() | st.text(max_size=5)
OBJECTS = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)),
)

OBJECT = {
    "metadata": {"annotations": {"example.com/a.b": "1"}, "labels": {"app": "x"}},
    "spec": {
        "replicas": 1,
        "containers": [{"name": "a", "image": "i", "ports": [{"containerPort": 80}]}],
        "finalizers": ["x/y"],
    },
}


@pytest.mark.parametrize(
    ("path", "there"),
    [
        (".spec.replicas", True),
        ("spec.replicas", True),
        (".spec.replica", False),
        (".spec.other", False),
        (".metadata.annotations.example.com/a.b", True),
        (".metadata.annotations.example.com/a", False),
        ('.spec.containers[name="a"].image', True),
        ('.spec.containers[name="b"].image', False),
        ('.spec.containers[name="a"].ports[containerPort=80,protocol="TCP"].containerPort', True),
        ('.spec.containers[name="a"].ports[containerPort=81,protocol="TCP"]', False),
        ("spec.containers[0].image", True),
        ("spec.containers[1].image", False),
        ('.spec.finalizers[="x/y"]', True),
        ('.spec.finalizers[="z"]', False),
    ],
)
def test_paths_as_the_api_server_writes_them(path: str, there: bool) -> None:
    assert (fields.locate(OBJECT, path) is not None) is there


def test_a_field_is_located_and_left_out() -> None:
    where = fields.locate(OBJECT, '.spec.containers[name="a"].image')
    assert where == ("spec", "containers", 0, "image")
    left = fields.without(OBJECT, where)
    assert left["spec"]["containers"] == [{"name": "a", "ports": [{"containerPort": 80}]}]
    assert fields.without(OBJECT, ("spec", "containers", 0))["spec"]["containers"] == []
    assert fields.without(OBJECT, ("spec",)) == {"metadata": OBJECT["metadata"]}


@given(OBJECTS, OBJECTS)
def test_an_object_that_hasnt_changed_has_no_drift(inputs: dict[str, Any], live: dict[str, Any]) -> None:
    assert drift.live_inputs(inputs, live, copy.deepcopy(live)) == inputs


@given(OBJECTS)
def test_an_object_that_is_as_applied_has_no_drift(inputs: dict[str, Any]) -> None:
    assert drift.live_inputs(inputs, {}, copy.deepcopy(inputs)) == inputs


def managed(body: dict[str, Any], tree: dict[str, Any], manager: str = "m", operation: str = "Apply") -> dict[str, Any]:
    entry = {"manager": manager, "operation": operation, "fieldsV1": tree}
    known = body.get("metadata", {}).get("managedFields", [])
    return {**body, "metadata": {**body.get("metadata", {}), "managedFields": [*known, entry]}}


def port(number: int, protocol: str = "TCP") -> str:
    return "k:" + json.dumps({"port": number, "protocol": protocol}, separators=(",", ":"))


PORTS = {
    "f:spec": {"f:ports": {port(80): {".": {}, "f:port": {}}}, "f:selector": {}, "f:args": {}, "f:set": {'v:"a"': {}}}
}


@pytest.mark.parametrize(
    ("wanted", "recorded", "live", "expected"),
    [
        # What the server writes in its own way isn't drift; what it had never shown is.
        ({"cpu": "1000m"}, {"cpu": "1"}, {"cpu": "1"}, {"cpu": "1000m"}),
        ({"cpu": "1000m"}, {"cpu": "1"}, {"cpu": "2"}, {"cpu": "2"}),
        ({"on": False}, {}, {}, {"on": False}),
        ({"on": False}, {}, {"on": True}, {"on": True}),
        ({"gone": 1, "kept": 2}, {"gone": 1, "kept": 2}, {"kept": 2}, {"kept": 2}),
        ({"ours": 1}, {"ours": 1}, {"ours": 1, "others": 2}, {"ours": 1}),
        # Lists with keys: others' elements are theirs, ours that are gone are drift.
        (
            {"ports": [{"port": 80}]},
            {"ports": [{"port": 80, "protocol": "TCP"}]},
            {"ports": [{"port": 79, "protocol": "TCP"}, {"port": 80, "protocol": "TCP"}]},
            {"ports": [{"port": 80}]},
        ),
        (
            {"ports": [{"port": 80, "name": "a"}]},
            {"ports": [{"port": 80, "protocol": "TCP", "name": "a"}]},
            {"ports": [{"port": 80, "protocol": "TCP", "name": "b"}]},
            {"ports": [{"port": 80, "name": "b"}]},
        ),
        (
            {"ports": [{"port": 80}]},
            {"ports": [{"port": 80, "protocol": "TCP"}]},
            {"ports": [{"port": 81, "protocol": "TCP"}]},
            {"ports": [{"port": 81, "protocol": "TCP"}]},
        ),
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "protocol": "TCP"}]}, {"ports": []}, {"ports": []}),
        # Maps and lists that are whole values, and sets.
        (
            {"selector": {"a": 1}},
            {"selector": {"a": 1}},
            {"selector": {"a": 1, "b": 2}},
            {"selector": {"a": 1, "b": 2}},
        ),
        ({"args": ["a", "b"]}, {"args": ["a", "b"]}, {"args": ["a"]}, {"args": ["a"]}),
        ({"args": ["a"]}, {"args": ["a"]}, {"args": ["a", "b"]}, {"args": ["a", "b"]}),
        ({"set": ["a", "b"]}, {"set": ["a", "b"]}, {"set": ["c", "b"]}, {"set": ["b"]}),
    ],
)
def test_drift(wanted: Any, recorded: Any, live: Any, expected: Any) -> None:
    found = drift.live_inputs({"spec": wanted}, {"spec": recorded}, managed({"spec": live}, PORTS))
    assert found == {"spec": expected}


def test_drift_of_a_secrets_text_shows_in_its_data() -> None:
    inputs = {"kind": "Secret", "stringData": {"kept": "1", "changed": "2", "gone": "3"}}
    recorded = {"data": {"kept": "MQ==", "changed": "Mg==", "gone": "Mw=="}}
    live = {"data": {"kept": "MQ==", "changed": "WA=="}}
    assert drift.live_inputs(inputs, recorded, live)["stringData"] == {"kept": "1", "changed": "X"}


BODY: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a", "namespace": "n", "uid": "u", "labels": {"x": "1"}, "annotations": {}},
    "data": {"a": "1", "b": "2"},
    "status": {"c": 3},
}
IDENTITY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}


def test_import_takes_what_was_applied() -> None:
    assert drift.imported_inputs(managed(BODY, {"f:data": {"f:a": {}}})) == {**IDENTITY, "data": {"a": "1"}}


def test_import_takes_what_kubectl_applied() -> None:
    last = json.dumps({"data": {"b": "2"}, "metadata": {"annotations": {}, "name": "a"}})
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": last}
    body = {**BODY, "metadata": {**BODY["metadata"], "annotations": annotations}}
    assert drift.imported_inputs(body) == {
        **IDENTITY,
        "data": {"b": "2"},
        "metadata": {"name": "a", "namespace": "n", "annotations": {}},
    }


def test_import_takes_all_that_isnt_the_servers() -> None:
    assert drift.imported_inputs(managed(BODY, {"f:data": {"f:a": {}}}, operation="Update")) == {
        **IDENTITY,
        "data": {"a": "1", "b": "2"},
        "metadata": {"name": "a", "namespace": "n", "labels": {"x": "1"}},
    }


def test_a_list_element_put_in_the_place_of_ours_is_taken_over() -> None:
    ours: dict[str, Any] = {"f:spec": {"f:selector": {}}}
    theirs = {"f:spec": {"f:ports": {port(81): {".": {}, "f:port": {}}}}, "f:metadata": {"f:labels": {"f:mine": {}}}}
    live = managed(managed({"spec": {"ports": [{"port": 81}]}}, ours, "us"), theirs, "kubectl-edit", "Update")
    old = {"spec": {"ports": [{"port": 81, "protocol": "TCP"}], "selector": {}}, "metadata": {"labels": {"mine": "x"}}}
    new = {"spec": {"ports": [{"port": 80}], "selector": {}}, "metadata": {"labels": {"mine": "x"}}}
    entries = ownership.taken_over(live, "us", old, new)
    assert entries is not None
    trees = {entry["manager"]: entry["fieldsV1"] for entry in entries}
    assert trees["us"] == {"f:spec": {"f:selector": {}, "f:ports": {port(81): {".": {}, "f:port": {}}}}}
    assert trees["kubectl-edit"] == {"f:metadata": {"f:labels": {"f:mine": {}}}}


def test_what_we_own_ourselves_is_left_to_the_apply() -> None:
    tree: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    live = managed(managed({}, tree, "us"), tree, "autoscaler", "Update")
    assert ownership.taken_over(live, "us", {"spec": {"replicas": 1}}, {"spec": {}}) is None


def test_nothing_is_taken_over_in_an_object_that_we_dont_manage() -> None:
    live = managed({}, {"f:spec": {"f:replicas": {}}}, "somebody", "Update")
    assert ownership.taken_over(live, "us", {"spec": {"replicas": 1}}, {"spec": {}}) is None
