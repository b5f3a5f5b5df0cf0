"""What is changed of each object of a chart: the engine asks here before it makes what Helm has rendered."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import pulumi

from components.manifests import PATCH_FORCE, SKIP_AWAIT, annotated

Transformed: TypeAlias = pulumi.ResourceTransformResult | None


def forced(args: pulumi.ResourceTransformArgs) -> Transformed:
    """Have an object taken over where somebody has edited it by hand: the API server would refuse that else."""
    metadata = args.props.get("metadata")
    if not isinstance(metadata, Mapping):
        return None  # the chart itself
    # A claim of a class that binds it when its first pod comes is ready, to the provider, while it is unbound only.
    annotations = {**PATCH_FORCE, **(SKIP_AWAIT if args.type_.endswith(":PersistentVolumeClaim") else {})}
    props = {**args.props, "metadata": annotated(metadata, annotations)}
    return pulumi.ResourceTransformResult(props, args.opts)


def sealed(values: Any) -> Callable[[pulumi.ResourceTransformArgs], Awaitable[Transformed]]:
    """Return what marks the objects of a chart as secret where something in its ``values`` is.

    Helm knows nothing of Pulumi's marks, and a template may make anything of a value, such as a hash. So all is secret
    but what an object is found by. (Labels and annotations of a Secret stay readable: the provider drops their marks.)
    """
    given = pulumi.Output.from_input(values)

    async def seal(args: pulumi.ResourceTransformArgs) -> Transformed:
        metadata = args.props.get("metadata")
        if not isinstance(metadata, Mapping) or not await given.is_secret():
            return None
        known = {"apiVersion", "kind"}
        if args.props["kind"] == "Secret":
            known |= {"data", "stringData"}  # marked by the provider
        props = _marked(args.props, known) | {"metadata": _marked(metadata, {"name", "namespace"})}
        return pulumi.ResourceTransformResult(props, args.opts)

    return seal


def _marked(fields: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    return {key: value if key in known else pulumi.Output.secret(value) for key, value in fields.items()}
