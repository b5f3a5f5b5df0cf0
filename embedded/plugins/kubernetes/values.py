"""Between Pulumi's property values and JSON, keeping secrets secret and unknown values unknown."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from .errors import Json, PluginError

Properties = Mapping[str, PropertyValue]

# How the engine writes a value that isn't known in a preview: one constant for each type it might get
# (sdk/go/common/resource/plugin/rpc.go). Pulumi's Python SDK hands them to plugins as plain strings.
_UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


def to_json(value: PropertyValue | Properties) -> Any:
    """Plain JSON: whole numbers as ``int``, keys without a value left out, unknown values as `UNKNOWN`.

    Raises:
        PluginError: For assets and archives, which the Kubernetes API has no place for.
    """
    inner: Any = value.value if isinstance(value, PropertyValue) else value
    if isinstance(inner, Mapping):
        return {key: to_json(item) for key, item in inner.items() if item.value is not None}
    if isinstance(inner, str):
        return UNKNOWN if inner in _UNKNOWNS else inner
    if isinstance(inner, Sequence):
        return [to_json(item) for item in inner]
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    if isinstance(inner, Computed):
        return UNKNOWN
    if isinstance(inner, pulumi.Asset | pulumi.Archive):
        raise PluginError("assets and archives can't be part of a Kubernetes object; pass their text")
    return inner


def to_property(value: Any, like: PropertyValue | None = None, secret: bool = False) -> PropertyValue:
    """A property value of ``value``, secret wherever ``like`` is."""
    secret = secret or (like is not None and like.is_secret)
    inner = like.value if like is not None else None
    if isinstance(value, Mapping):
        likes = inner if isinstance(inner, Mapping) else {}
        fields = {key: to_property(item, likes.get(key)) for key, item in value.items() if item is not None}
        return PropertyValue(fields, secret)
    if isinstance(value, list):
        items = inner if isinstance(inner, Sequence) and not isinstance(inner, str) else ()
        elements = [to_property(item, items[i] if i < len(items) else None) for i, item in enumerate(value)]
        return PropertyValue(elements, secret)
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value), secret)
    return PropertyValue(value, secret)


def to_properties(fields: Json, like: Properties) -> dict[str, PropertyValue]:
    """As `to_property`, of each field."""
    return {key: to_property(item, like.get(key)) for key, item in fields.items() if item is not None}


def has_unknown(value: Any) -> bool:
    """Whether there is an unknown value anywhere in some JSON."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return bool(value == UNKNOWN)


def secret_texts(value: PropertyValue | Properties, secret: bool = False) -> set[str]:
    """Every string in ``value`` that is marked secret, to be kept out of messages."""
    inner: Any = value
    if isinstance(value, PropertyValue):
        inner, secret = value.value, secret or value.is_secret
    if isinstance(inner, Mapping):
        return {text for item in inner.values() for text in secret_texts(item, secret)}
    if isinstance(inner, str):
        return {inner} if secret else set()
    if isinstance(inner, Sequence):
        return {text for item in inner for text in secret_texts(item, secret)}
    return set()
