"""Between Pulumi's values and JSON: secrets, unknown values, numbers; and what is kept in the state."""

import json
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from embedded.plugins.kubernetes import naming, state
from embedded.plugins.kubernetes.errors import PluginError
from embedded.plugins.kubernetes.prediction import overlay, predict
from embedded.plugins.kubernetes.values import has_unknown, secret_texts, to_json, to_property

JSON = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(JSON)
def test_json_survives_the_way_through_pulumi(value: Any) -> None:
    over_the_wire = PropertyValue.unmarshal(to_property(value).marshal())
    assert to_json(over_the_wire) == value
    assert json.dumps(to_json(over_the_wire), sort_keys=True) == json.dumps(value, sort_keys=True), "whole are int"


@given(JSON, st.booleans())
def test_outputs_are_secret_where_inputs_are(value: Any, secret: bool) -> None:
    like = PropertyValue({"a": PropertyValue(to_property(value).value, is_secret=secret), "b": PropertyValue("x")})
    outputs = to_property({"a": value, "b": "x", "c": 1}, like)
    assert isinstance(outputs.value, dict) or hasattr(outputs.value, "items")
    found = dict(outputs.value.items())  # type: ignore[union-attr]
    assert [found[key].is_secret for key in ("a", "b", "c")] == [secret, False, False]


def test_empty_values_are_left_out_of_maps_only() -> None:
    value = PropertyValue({"a": PropertyValue(None), "b": PropertyValue([PropertyValue(None)]), "c": PropertyValue({})})
    assert to_json(value) == {"b": [None], "c": {}}


@pytest.mark.parametrize("unknown", [UNKNOWN, "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7"])
def test_every_kind_of_unknown_value_is_known_as_such(unknown: str) -> None:
    value = to_json(PropertyValue({"a": PropertyValue([PropertyValue(unknown)])}))
    assert value == {"a": [UNKNOWN]}
    assert has_unknown(value)
    assert not has_unknown({"a": ["04da"]})


def test_assets_have_no_place_in_an_object() -> None:
    with pytest.raises(PluginError, match="assets and archives can't be part of a Kubernetes object; pass their text"):
        to_json(PropertyValue(pulumi.StringAsset("x")))


def test_secret_texts_are_found_at_any_depth() -> None:
    value = PropertyValue({"a": PropertyValue([PropertyValue("x"), PropertyValue("y")], True), "b": PropertyValue("z")})
    assert secret_texts(value) == {"x", "y"}


def test_what_changes_all_the_time_isnt_kept() -> None:
    live = {"kind": "A", "apiVersion": "v1", "metadata": {"name": "a", "managedFields": [{}], "uid": "u"}}
    outputs = to_json(state.properties(live, {"kind": PropertyValue("A")}, "m"))
    assert outputs["metadata"] == {"name": "a", "uid": "u"}
    assert outputs["__inputs"] == {"kind": "A"}
    assert outputs["__fieldManager"] == "m"


def test_secrets_are_secret_whoever_made_them() -> None:
    plain = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "a": "b"}
    live = {"kind": "Secret", "apiVersion": "v1", "metadata": {"annotations": plain}, "data": {"a": "MQ=="}}
    outputs = state.properties(live, {}, None)
    assert outputs["data"].is_secret
    assert to_json(outputs["metadata"]) == {"annotations": {"a": "b"}}


@given(st.binary(min_size=1), st.binary(min_size=1))
def test_generated_names_depend_on_the_seed_only(seed: bytes, other: bytes) -> None:
    name = naming.autoname("web-", seed)
    assert name == naming.autoname("web-", seed)
    assert name.startswith("web-")
    assert len(name) == len("web-") + 8
    assert (name == naming.autoname("web-", other)) == (seed == other)


SERVICE: dict[str, Any] = {
    "kind": "Service",
    "metadata": {"name": "a"},
    "spec": {"type": "NodePort", "ports": [{"port": 80}, {"port": 81, "nodePort": 30000}]},
}
TRIED: dict[str, Any] = {
    "kind": "Service",
    "metadata": {"name": "a", "uid": "u", "creationTimestamp": "t"},
    "spec": {
        "type": "NodePort",
        "clusterIP": "10.0.0.1",
        "sessionAffinity": "None",
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 31234}, {"port": 81, "nodePort": 30000}],
    },
    "status": {"loadBalancer": {}},
}


def test_a_preview_knows_defaults_and_admits_what_it_cant_know() -> None:
    predicted = predict(SERVICE, TRIED)
    assert predicted["metadata"] == {"name": "a"}
    assert predicted["status"] == UNKNOWN
    assert predicted["spec"]["sessionAffinity"] == "None"
    assert predicted["spec"]["clusterIP"] == UNKNOWN
    assert predicted["spec"]["ports"] == [
        {"port": 80, "protocol": "TCP", "nodePort": UNKNOWN},
        {"port": 81, "nodePort": 30000},
    ]


def test_a_preview_without_a_dry_run_knows_the_inputs() -> None:
    predicted = predict(SERVICE, None)
    assert predicted["spec"]["clusterIP"] == UNKNOWN
    assert predicted["metadata"] == {"name": "a"}
    assert "clusterIP" not in SERVICE["spec"], "the inputs stay as they are"


def test_unknown_inputs_lie_over_what_is_known() -> None:
    old = {"spec": {"a": 1, "b": {"c": 2}}, "status": {"d": 3}}
    assert overlay(old, {"spec": {"b": {"c": UNKNOWN}}}) == {
        "spec": {"a": 1, "b": {"c": UNKNOWN}},
        "status": {"d": 3},
    }
