"""What can be said of a resource's inputs without a cluster: names, namespaces, and what isn't supported."""

from collections.abc import Mapping

from pulumi.provider.experimental.property_value import PropertyValue

from . import annotations, naming
from .errors import Json
from .kinds import Form, Kind, known_scope
from .values import to_json

Problem = tuple[str, str]
"""A property path, and what is wrong with it."""


def problems(kind: Kind, inputs: Json) -> list[Problem]:
    """What is wrong with the inputs of a resource."""
    found = _annotations(inputs)
    if (
        kind.form is Form.PATCH
        and isinstance(metadata := inputs.get("metadata") or {}, dict)
        and not metadata.get("name")
    ):
        found.append(("metadata.name", f"is needed: it says which {kind.name} is to be patched"))
    if kind.form is Form.LIST:
        found += _items(kind, inputs)
    return found


def _annotations(inputs: Json) -> list[Problem]:
    found = []
    for name, value in annotations.of(inputs).items():
        path = f'metadata.annotations["{name}"]'
        if name == "pulumi.com/waitFor":
            found.append((path, "isn't supported by the embedded kubernetes plugin; remove it"))
        elif name == annotations.TIMEOUT_SECONDS and not str(value).isdigit():
            found.append((path, f"must be a number of seconds, not {value!r}"))
        elif name == annotations.PROPAGATION and str(value).capitalize() not in annotations.PROPAGATIONS:
            found.append((path, f"must be one of {', '.join(annotations.PROPAGATIONS)}, not {value!r}"))
    return found


def _items(kind: Kind, inputs: Json) -> list[Problem]:
    found = []
    items = inputs.get("items")
    for index, item in enumerate(items if isinstance(items, list) else []):
        if not isinstance(item, dict):
            continue
        if not (item.get("metadata") or {}).get("name"):
            found.append((f"items[{index}].metadata.name", f"is needed: items of a {kind.name} get no generated names"))
        if kind.name == "List" and not (item.get("apiVersion") and item.get("kind")):
            found.append((f"items[{index}]", "needs apiVersion and kind"))
    return found


def complete(
    kind: Kind,
    inputs: Mapping[str, PropertyValue],
    old_inputs: Json,
    resource_name: str,
    seed: bytes,
    default_namespace: str,
) -> dict[str, PropertyValue]:
    """The inputs with what the program may leave out: API version and kind, name, and namespace.

    A generated name is kept over updates. The namespace is filled in for the kinds known to have one; whether a custom
    resource has one is found out when it is applied.
    """
    completed = {**inputs, "apiVersion": PropertyValue(kind.api_version), "kind": PropertyValue(kind.name)}
    given = inputs.get("metadata") or PropertyValue({})
    if given.value is None:
        given = given.with_value({})
    if kind.form is Form.LIST or not isinstance(given.value, Mapping):
        return completed
    metadata = dict(given.value)
    if kind.form is Form.OBJECT and _is_missing(metadata.get("name")):
        metadata["name"] = PropertyValue(_generated_name(metadata, old_inputs, resource_name, seed))
        marks = metadata.get("annotations") or PropertyValue({})
        if marks.value is None or isinstance(marks.value, Mapping):
            marked = {**(marks.value or {}), naming.AUTONAMED: PropertyValue("true")}
            metadata["annotations"] = marks.with_value(marked)
    if known_scope(kind) and _is_missing(metadata.get("namespace")):
        metadata["namespace"] = PropertyValue(default_namespace)
    completed["metadata"] = given.with_value(metadata)
    return completed


def _is_missing(value: PropertyValue | None) -> bool:
    return value is None or value.value in (None, "")


def _generated_name(metadata: Mapping[str, PropertyValue], old_inputs: Json, resource_name: str, seed: bytes) -> str:
    wanted = metadata.get("generateName")
    prefix = to_json(wanted) if wanted is not None and wanted.value else f"{resource_name}-"
    old = old_inputs.get("metadata") or {}
    if annotations.is_on(old_inputs, naming.AUTONAMED) and old.get("name"):
        return str(old["name"])
    return naming.autoname(prefix, seed)
