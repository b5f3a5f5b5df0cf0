"""What can go wrong, each with one line for the user: what is wrong, where, and what to do."""

from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue

Json = dict[str, Any]
"""A JSON object, as the Kubernetes API speaks it."""


class PluginError(Exception):
    """An error whose text is meant for the user; it is shown without a stack trace."""


class UnreachableError(PluginError):
    """The API server doesn't answer."""


class KindMissingError(PluginError):
    """The cluster serves no such kind: usually a CustomResourceDefinition that isn't installed (yet)."""


class ApiError(PluginError):
    """The API server refused a request with a ``Status`` object."""

    def __init__(self, code: int, status: Json, text: str | None = None) -> None:
        self.code = code
        """HTTP status code."""
        self.causes: list[Json] = (status.get("details") or {}).get("causes") or []
        """``{reason, message, field}`` for each field at fault."""
        self._status = status
        super().__init__(text or status.get("message") or f"HTTP {code}")

    def worded(self, text: str) -> "ApiError":
        """The same error in other words."""
        return ApiError(self.code, self._status, text)


class NotReadyError(Exception):
    """The object exists, but it didn't become ready (or, for a delete, isn't gone)."""

    def __init__(self, reasons: list[str], live: Json) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        """What is wrong, then its causes; the first is a whole sentence on its own."""
        self.live = live
        """The object as it was seen last."""


class InitFailedError(Exception):
    """A resource that is to be kept in the state although it didn't become ready (``ErrorResourceInitFailed``)."""

    def __init__(
        self,
        resource_id: str,
        properties: dict[str, PropertyValue],
        reasons: list[str],
        inputs: dict[str, PropertyValue] | None = None,
    ) -> None:
        super().__init__("; ".join(reasons))
        self.resource_id = resource_id
        self.properties = properties
        self.reasons = reasons
        self.inputs = inputs
