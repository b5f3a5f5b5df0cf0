"""Keeps secret what was made of secrets: Helm knows nothing of Pulumi's marks, and writes values anywhere."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.provider.experimental.property_value import PropertyValue

from .values import to_json

_SHORTEST = 4
"""Characters from which on a text is looked for inside of others; shorter ones must be equal."""


class Secrets:
    """The texts that are to stay secret.

    Args:
        values: Values of which some are marked secret.
    """

    def __init__(self, values: Mapping[str, PropertyValue]) -> None:
        self._texts = {text for value in values.values() for text in _texts(value, False)}
        # A text of several lines is indented where it's written into another one.
        lines = {line.strip() for text in self._texts for line in text.splitlines()}
        encoded = {base64.b64encode(text.encode()).decode() for text in self._texts}
        self._parts = {text for text in self._texts | lines | encoded if len(text) >= _SHORTEST}

    def __contains__(self, value: object) -> bool:
        """Whether a value is one of them, or has one of them in it."""
        text = _text(value)
        return text in self._texts or any(part in text for part in self._parts)

    def removed_from(self, text: str) -> str:
        """A message without them."""
        for part in sorted(self._parts, key=len, reverse=True):
            text = text.replace(part, "[secret]")
        return text


def hidden(value: Any, secrets: Secrets) -> Any:
    """Some JSON in which each text and number that holds a secret is marked secret."""
    if isinstance(value, Mapping):
        return {key: hidden(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item, secrets) for item in value]
    return pulumi.Output.secret(value) if _text(value) and value in secrets else value


def _texts(value: PropertyValue, secret: bool) -> set[str]:
    inner: Any = value.value
    secret = secret or value.is_secret
    if isinstance(inner, Mapping):
        return {text for item in inner.values() for text in _texts(item, secret)}
    if isinstance(inner, pulumi.StringAsset):
        inner = inner.text
    elif isinstance(inner, Sequence) and not isinstance(inner, str):
        return {text for item in inner for text in _texts(item, secret)}
    return (
        {text}
        if secret and (text := _text(to_json(PropertyValue(inner)) if isinstance(inner, float) else inner))
        else set()
    )


def _text(value: object) -> str:
    """A text or number as text; empty for what isn't one, and for switches, which tell nothing apart."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
