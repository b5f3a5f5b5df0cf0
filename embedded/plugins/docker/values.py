"""Changed copies of Pulumi's property values."""

from collections.abc import Mapping

from pulumi.provider.experimental.property_value import PropertyValue


def with_entry(value: PropertyValue | None, key: str, entry: PropertyValue) -> PropertyValue:
    """A copy of the map ``value``, or of an empty one, in which ``key`` is ``entry``; as secret as it was."""
    base = value or PropertyValue({})
    content = base.value if isinstance(base.value, Mapping) else {}
    return base.with_value({**content, key: entry})
