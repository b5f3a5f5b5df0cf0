"""What the plugin keeps in Pulumi's state: the live object, and the inputs that made it."""

from collections.abc import Mapping
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue

from .errors import Json
from .kinds import Form, Kind
from .values import to_properties

# Names of the official plugin, so that either one can go on with the other's state.
INPUTS = "__inputs"
FIELD_MANAGER = "__fieldManager"
_INITIAL_API_VERSION = "__initialApiVersion"

_SECRET_FIELDS = ("data", "stringData")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def properties(live: Json, inputs: Mapping[str, PropertyValue], manager: str | None) -> dict[str, PropertyValue]:
    """The outputs of a resource; secret where its inputs are.

    Args:
        live: The object as it is in the cluster, or as a preview predicts it.
        inputs: The inputs that were applied.
        manager: The field manager that applied them; ``None`` if nobody has.
    """
    outputs = to_properties(_tidy(live), inputs)
    _hide(outputs)
    outputs[INPUTS] = PropertyValue(inputs)
    outputs[_INITIAL_API_VERSION] = PropertyValue(live.get("apiVersion"))
    if manager:
        outputs[FIELD_MANAGER] = PropertyValue(manager)
    return outputs


def inputs(plain: Json, known: Mapping[str, PropertyValue]) -> dict[str, PropertyValue]:
    """Inputs that were read from the cluster; secret where the known ones are."""
    values = to_properties(plain, known)
    _hide(values)
    return values


def known_inputs(
    recorded: Mapping[str, PropertyValue], given: Mapping[str, PropertyValue]
) -> Mapping[str, PropertyValue]:
    """The inputs that were applied last, as the state has them; empty for an object that isn't known yet."""
    kept: Any = recorded[INPUTS].value if INPUTS in recorded else given
    return kept if isinstance(kept, Mapping) else {}


def identity(urn: str, kind: Kind, live: Json) -> str:
    """The ID of a resource: ``namespace/name`` or ``name``; a list has the name of its resource."""
    if kind.form is Form.LIST:
        return urn.rpartition("::")[2]
    metadata = live["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def _tidy(live: Json) -> Json:
    """Without what changes all the time and tells the user nothing (and, of Secrets, without kubectl's plain copy)."""
    tidy = {key: value for key, value in live.items() if not key.startswith("__")}
    if isinstance(metadata := live.get("metadata"), dict):
        metadata = {key: value for key, value in metadata.items() if key != "managedFields"}
        if live.get("kind") == "Secret" and isinstance(marks := metadata.get("annotations"), dict):
            metadata["annotations"] = {key: value for key, value in marks.items() if key != _LAST_APPLIED}
        tidy["metadata"] = metadata
    if isinstance(items := live.get("items"), list):
        tidy["items"] = [_tidy(item) if isinstance(item, dict) else item for item in items]
    return tidy


def _hide(values: dict[str, PropertyValue]) -> None:
    """Mark the contents of Secrets, whoever made them."""
    kind = values["kind"].value if "kind" in values else None
    if kind == "Secret":
        for name in _SECRET_FIELDS:
            if name in values:
                values[name] = values[name].with_secret(True)
    if str(kind) in ("SecretList", "List") and "items" in values:
        values["items"] = values["items"].with_secret(True)
