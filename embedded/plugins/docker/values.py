"""Between Pulumi's property values and plain Python data."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

COMPUTED = PropertyValue(UNKNOWN)
"""A value that is known only once something else has been created. The SDK's own `Computed` can't be sent."""


def plain(value: PropertyValue) -> Any:
    """``value`` without marks of secrets and dependencies."""
    content = value.value
    if isinstance(content, Mapping):
        return plain_map(content)
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [plain(each) for each in content]
    return content


def plain_map(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    """`plain` of each value, without those that are null."""
    return {key: plain(value) for key, value in values.items() if value.value is not None}


def is_unknown(value: object) -> bool:
    """Whether ``value``, plain data, is or contains something that isn't known yet."""
    if isinstance(value, dict):
        return any(is_unknown(each) for each in value.values())
    if isinstance(value, list):
        return any(is_unknown(each) for each in value)
    return value == UNKNOWN


def with_entry(value: PropertyValue | None, key: str, entry: PropertyValue) -> PropertyValue:
    """A copy of the map ``value``, or of an empty one, in which ``key`` is ``entry``; as secret as it was."""
    base = value or PropertyValue({})
    content = base.value if isinstance(base.value, Mapping) else {}
    return base.with_value({**content, key: entry})
