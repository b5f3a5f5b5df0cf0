"""The resources of a stack as Pulumi's engine records them, without their inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Resource:
    """What the drawing needs to know of a resource."""

    urn: str
    type: str
    """Type token, such as ``kubernetes:apps/v1:Deployment``."""
    parent: str = ""
    """URN; empty for the root."""
    dependencies: frozenset[str] = frozenset()
    """URNs of all that it waits for, whatever the reason."""
    property_dependencies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By input, the URNs of those whose outputs are in it."""
    provider: str = ""
    """``URN::id`` of its provider; empty for a component and for a provider."""

    @property
    def name(self) -> str:
        """Its name in the program; unlike the other parts of a URN, it may have colons in it."""
        return self.urn.split("::", 3)[3]


def from_export(export: Mapping[str, Any]) -> Iterator[Resource]:
    """Yield the resources of a stack from what ``pulumi stack export`` wrote.

    Nothing else is read of them, so no secret is.

    Source: https://www.pulumi.com/docs/iac/cli/commands/pulumi_stack_export/

    Raises:
        ValueError: It is no export of a stack, or of one that has nothing in it.
    """
    deployment = export.get("deployment")
    resources = deployment.get("resources") if isinstance(deployment, dict) else None
    if not resources:
        raise ValueError("no resources in it; it should be what `pulumi stack export` wrote after a `pulumi up`")
    for state in resources:
        # What is being replaced is in it twice.
        if not state.get("delete"):
            yield Resource(
                urn=state["urn"],
                type=state["type"],
                parent=state.get("parent", ""),
                dependencies=frozenset(state.get("dependencies") or ()),
                property_dependencies={
                    name: frozenset(urns or ()) for name, urns in (state.get("propertyDependencies") or {}).items()
                },
                provider=state.get("provider", ""),
            )
