"""Registers Kubernetes objects with the engine, as children of a component that this plugin constructs for it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import ConstructResponse
from pulumi.runtime.rpc import UNKNOWN, _special_resource_sig, _special_sig_key

from . import VERSION, annotations, manifests, secrecy
from .errors import Json
from .secrecy import Secrets

KEEP = ("helm.sh/resource-policy", "keep")
"""Annotation of objects that outlive their chart (Helm documentation, "Chart Development Tips and Tricks")."""

_SECRET_FIELDS = ("data", "stringData")


def register(
    component: pulumi.ComponentResource, objects: list[Json], prefix: str, skip_await: bool, secrets: Secrets
) -> list[pulumi.CustomResource]:
    """Declare ``objects`` as children, named and ordered as by the official plugin.

    Args:
        component: Their parent.
        objects: The objects; those with a namespace have it.
        prefix: Begins each name: ``PREFIX:NAMESPACE/NAME``; none if empty.
        skip_await: Whether they aren't waited for.
        secrets: What is to stay secret, wherever it turns up in them.
    """
    children: dict[manifests.Reference, pulumi.CustomResource] = {}
    for body, needed in manifests.in_order(objects):
        key = manifests.reference(body)
        _, namespace, kind, name = key
        identity = f"{namespace}/{name}" if namespace else name
        version = str(body["apiVersion"])
        children[key] = pulumi.CustomResource(
            f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}",
            f"{prefix}:{identity}" if prefix else identity,
            _properties(body, skip_await, secrets),
            pulumi.ResourceOptions(
                parent=component,
                version=VERSION,
                depends_on=[children[manifests.reference(each)] for each in needed],
                retain_on_delete=manifests.annotation(body, KEEP[0]) == KEEP[1] or None,
            ),
        )
    return list(children.values())


async def constructed(
    component: pulumi.ComponentResource, children: Sequence[pulumi.CustomResource] | None
) -> ConstructResponse:
    """Wait until all children are there; ``None`` if they aren't known yet."""
    urn = await component.urn.future()
    if children is None:
        return ConstructResponse(str(urn), {"resources": PropertyValue(UNKNOWN)}, {})
    references = await asyncio.gather(*map(_reference, children))
    component.register_outputs({"resources": list(children)})
    return ConstructResponse(str(urn), {"resources": PropertyValue(references)}, {})


def _properties(body: Json, skip_await: bool, secrets: Secrets) -> dict[str, Any]:
    if skip_await:
        marks = {**(body["metadata"].get("annotations") or {}), annotations.SKIP_AWAIT: "true"}
        body = {**body, "metadata": {**body["metadata"], "annotations": marks}}
    # What a resource's own name tells anyway isn't hidden.
    told = {key: body["metadata"][key] for key in ("name", "namespace") if key in body["metadata"]}
    properties: Json = secrecy.hidden(body, secrets) | {"apiVersion": body["apiVersion"], "kind": body["kind"]}
    properties["metadata"] |= told
    if (body["apiVersion"], body["kind"]) == ("v1", "Secret"):
        properties |= {key: pulumi.Output.secret(body[key]) for key in _SECRET_FIELDS if key in body}
    return properties


async def _reference(child: pulumi.CustomResource) -> PropertyValue:
    """A reference to a resource, as the engine writes it: the SDK's own ``ResourceReference`` leaves its ID out."""
    urn = str(await child.urn.future())
    identity = await child.id.future() if await child.id.is_known() else UNKNOWN
    fields = {_special_sig_key: _special_resource_sig, "urn": urn, "id": str(identity), "packageVersion": VERSION}
    return PropertyValue({key: PropertyValue(text) for key, text in fields.items()}, dependencies=[urn])
