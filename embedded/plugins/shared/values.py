"""Between Pulumi's property values and plain Python data."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

Values: TypeAlias = dict[str, Any]
"""The properties of a resource as plain data, by their names."""

COMPUTED = PropertyValue(UNKNOWN)
"""A value that is known only once something else has been created. The SDK's own `Computed` can't be sent."""


def plain(value: PropertyValue) -> Any:
    """``value`` without marks of secrets and dependencies; whole numbers as ``int``."""
    content = value.value
    if isinstance(content, Mapping):
        return plain_map(content)
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [plain(each) for each in content]
    if isinstance(content, float) and content.is_integer():
        return int(content)
    return content


def plain_map(values: Mapping[str, PropertyValue]) -> Values:
    """`plain` of each value, without those that are null."""
    return {key: plain(value) for key, value in values.items() if value.value is not None}


def to_property(value: str | bool | float, secret: bool = False) -> PropertyValue:
    """A property value of a text, a boolean or a number."""
    return PropertyValue(value if isinstance(value, str | bool) else float(value), secret)


def is_unknown(value: object) -> bool:
    """Whether ``value``, plain data, is or contains something that isn't known yet."""
    if isinstance(value, dict):
        return any(is_unknown(each) for each in value.values())
    if isinstance(value, list):
        return any(is_unknown(each) for each in value)
    return value == UNKNOWN


def significant(value: Any) -> Any:
    """``value``, plain data, without what says nothing: an empty list is the same as none."""
    if isinstance(value, dict):
        return {key: kept for key, each in value.items() if (kept := significant(each)) is not None} or None
    return None if value in ([], "") else value
