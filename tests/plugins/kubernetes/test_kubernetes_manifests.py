"""YAML as Helm reads it, the order of objects, and secrets in them; without a cluster."""

import asyncio
import base64
from typing import Any

import pulumi
import pytest
from pulumi.provider.experimental.property_value import PropertyValue

from embedded.plugins.kubernetes import manifests
from embedded.plugins.kubernetes.errors import PluginError
from embedded.plugins.kubernetes.secrecy import Secrets, hidden


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0644", 420),
        ("0o644", 420),
        ("0x1A", 26),
        ("0b11", 3),
        ("1_000", 1000),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("08", 8.0),
        ("12:30:45", "12:30:45"),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("1.2.3", "1.2.3"),
        ("1Gi", "1Gi"),
        ("1e3Ki", "1e3Ki"),
        ('"0644"', "0644"),
        ("yes", True),
        ("off", False),
        ("null", None),
        ("~", None),
    ],
)
def test_values_are_what_go_makes_of_them(text: str, value: object) -> None:
    [body] = manifests.parse(f"apiVersion: v1\nkind: A\nmetadata: {{name: a}}\nvalue: {text}\n")
    assert body["value"] == value
    assert type(body["value"]) is type(value)


def test_lists_are_taken_apart_and_empty_documents_left_out() -> None:
    found = manifests.parse("""
---
# Source: nothing
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: A, metadata: {name: one}}
- {apiVersion: v1, kind: AList, items: [{apiVersion: v1, kind: A, metadata: {name: two}}]}
---
apiVersion: v1
kind: B
metadata: {name: three}
""")
    assert [each["metadata"]["name"] for each in found] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "not valid YAML: mapping values are not allowed"),
        ("just text", "not a Kubernetes object, which has apiVersion and kind: just text"),
        ("kind: A", "not a Kubernetes object, which has apiVersion and kind: {'kind': 'A'}"),
        ("{apiVersion: v1, kind: A, metadata: {generateName: a-}}", "an object without metadata.name: "),
    ],
)
def test_what_isnt_an_object_is_an_error(text: str, message: str) -> None:
    with pytest.raises(PluginError) as error:
        manifests.parse(text)
    assert str(error.value).startswith(message)


def body(kind: str, name: str, namespace: str = "", needs: str = "", **more: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name} | ({"namespace": namespace} if namespace else {})
    if needs:
        metadata["annotations"] = {manifests.DEPENDS_ON: needs}
    return {"apiVersion": more.pop("version", "v1"), "kind": kind, "metadata": metadata, **more}


def test_an_object_comes_after_its_namespace_and_its_definition() -> None:
    spec = {"group": "test.local", "names": {"kind": "Thing"}, "scope": "Cluster"}
    thing = body("Thing", "thing", version="test.local/v1")
    definition = body("CustomResourceDefinition", "things.test.local", spec=spec)
    config, home = body("ConfigMap", "config", "web"), body("Namespace", "web")
    order = manifests.in_order([thing, config, definition, home])
    needed = {each["kind"]: [other["kind"] for other in others] for each, others in order}
    assert needed == {
        "CustomResourceDefinition": [],
        "Namespace": [],
        "Thing": ["CustomResourceDefinition"],
        "ConfigMap": ["Namespace"],
    }
    kinds = [each["kind"] for each, _ in order]
    assert kinds.index("CustomResourceDefinition") < kinds.index("Thing")
    assert kinds.index("Namespace") < kinds.index("ConfigMap")
    assert manifests.defined_scopes([definition]) == {("test.local", "Thing"): False}


def test_an_annotation_orders_objects() -> None:
    first, second = body("A", "a", "web"), body("B", "b", needs="/namespaces/web/A/a , test.local/C/c")
    third = body("C", "c", version="test.local/v1")
    order = {
        each["kind"]: [other["kind"] for other in needed] for each, needed in manifests.in_order([second, first, third])
    }
    assert order == {"A": [], "B": ["A", "C"], "C": []}


@pytest.mark.parametrize("reference", ["/namespaces/web/A/other", "A", "a/b/c/d/e"])
def test_an_annotation_names_what_is_there(reference: str) -> None:
    with pytest.raises(PluginError) as error:
        manifests.in_order([body("A", "a", "web", needs=reference)])
    assert str(error.value) == (
        f"A web/a: config.kubernetes.io/depends-on names {reference!r}, which isn't among the objects; write "
        "GROUP/namespaces/NAMESPACE/KIND/NAME or GROUP/KIND/NAME"
    )


def test_a_circle_is_an_error() -> None:
    with pytest.raises(PluginError, match=r"depend on each other in a circle: .*A a.* → .*B b"):
        manifests.in_order([body("A", "a", needs="/B/b"), body("B", "b", needs="/A/a")])


def test_nothing_is_there_twice() -> None:
    with pytest.raises(PluginError, match=r"^A web/a is there twice$"):
        manifests.in_order([body("A", "a", "web"), body("A", "a"), body("A", "a", "web")])


def secrets(*texts: str | float) -> Secrets:
    return Secrets({str(index): PropertyValue(text, is_secret=True) for index, text in enumerate(texts)})


def marked(value: object, found: Secrets) -> Any:
    """``hidden`` in an event loop, which Pulumi's outputs need."""

    async def run() -> Any:
        return hidden({"a": [value]}, found)["a"][0]

    return asyncio.run(run())


KEY = "-----BEGIN KEY-----\nMIIBVgIBADANBg\n-----END KEY-----\n"


@pytest.mark.parametrize(
    "written",
    [
        "hunter22",
        "postgres://me:hunter22@db",
        base64.b64encode(b"hunter22").decode(),
        "  key: |\n    -----BEGIN KEY-----\n    MIIBVgIBADANBg\n",
        "abc",
        5432,
    ],
)
def test_what_holds_a_secret_is_secret(written: object) -> None:
    found = secrets("hunter22", KEY, "abc", 5432.0)
    assert written in found
    assert isinstance(marked(written, found), pulumi.Output)


@pytest.mark.parametrize("written", ["hunter", "abcdef", 543, True, "", None, 1.5])
def test_what_holds_none_isnt(written: object) -> None:
    assert marked(written, secrets("hunter22", "abc", 5432.0, "true", "")) == written


def test_secrets_are_found_at_any_depth_and_kept_out_of_messages() -> None:
    inner = PropertyValue({"list": PropertyValue([PropertyValue("hunter22")])}, is_secret=True)
    found = Secrets({"values": PropertyValue({"open": PropertyValue("shown"), "closed": inner})})
    assert "hunter22" in found
    assert "shown" not in found
    assert found.removed_from("at hunter22: shown") == "at [secret]: shown"
