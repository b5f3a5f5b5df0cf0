"""What became of a resource's inputs in the cluster, so that a refresh shows drift and nothing but drift."""

import base64
import json
from typing import Any

from . import fields
from .errors import Json

_ABSENT: Any = object()

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def live_inputs(inputs: Json, recorded: Json, live: Json) -> Json:
    """The inputs as the cluster has them now.

    A field that is as it was when Pulumi last saw it keeps the input's value: the API server may write a value in
    another way than the program does (``1000m`` becomes ``1``, ``stringData`` becomes ``data``), and that isn't drift.
    Any other field gets its live value, or is left out when it's gone.

    Args:
        inputs: The inputs that were applied last.
        recorded: The object as it was then.
        live: The object as it is now.
    """
    # Nobody manages a field of an object that is only a name; that doesn't make the object an atomic value.
    merged: Json = _merge(inputs, recorded, live, fields.structure(live) or None)
    merged |= {key: inputs[key] for key in ("apiVersion", "kind") if key in inputs}
    if inputs.get("kind") == "Secret" and inputs.get("stringData"):
        merged["stringData"] = _string_data(inputs["stringData"], recorded.get("data") or {}, live.get("data") or {})
    return merged


def _merge(wanted: Any, recorded: Any, live: Any, tree: Json | None) -> Any:
    if live == recorded:
        return wanted
    if isinstance(wanted, dict) and isinstance(live, dict):
        if wanted and fields.is_atomic(tree):
            return live
        before = recorded if isinstance(recorded, dict) else {}
        merged = {
            key: _merge(item, before.get(key, _ABSENT), live.get(key, _ABSENT), fields.field(tree, key))
            for key, item in wanted.items()
        }
        return {key: item for key, item in merged.items() if item is not _ABSENT}
    if isinstance(wanted, list) and isinstance(live, list):
        return _merge_list(wanted, recorded if isinstance(recorded, list) else [], live, tree)
    return live


def _merge_list(wanted: list[Any], recorded: list[Any], live: list[Any], tree: Json | None) -> list[Any]:
    if keys := fields.list_keys(tree):
        shape = fields.element(tree)
        found = [(item, _find(keys, item, live)) for item in wanted]
        merged = [_merge(item, _find(keys, item, recorded), now, shape) for item, now in found if now is not _ABSENT]
        # Elements that others added are theirs. But where one of ours is gone and another has appeared, somebody has
        # changed a key of ours (the number of a Service's port).
        if len(merged) < len(wanted):
            before = [_keys_of(keys, item) for item in recorded]
            merged += [item for item in live if _keys_of(keys, item) not in before]
        return merged
    if fields.is_set(tree):
        return [item for item in wanted if item in live]
    both = min(len(wanted), len(live))
    start = [_merge(wanted[i], recorded[i] if i < len(recorded) else _ABSENT, live[i], None) for i in range(both)]
    return start + live[both:]


def _find(keys: tuple[str, ...], wanted: Json, candidates: list[Any]) -> Any:
    return next((item for item in candidates if fields.same_element(keys, wanted, item)), _ABSENT)


def _keys_of(keys: tuple[str, ...], item: Any) -> list[Any]:
    return [item.get(key) for key in keys] if isinstance(item, dict) else [item]


def _string_data(wanted: Json, recorded: Json, live: Json) -> Json:
    """``stringData`` is write-only, so its drift shows in ``data``, in base64."""
    texts = {}
    for key, text in wanted.items():
        if live.get(key) == recorded.get(key):
            texts[key] = text
        elif key in live:
            texts[key] = base64.b64decode(live[key]).decode(errors="replace")
    return texts


def imported_inputs(live: Json) -> Json:
    """The inputs that would make an object which Pulumi knows nothing about: for ``pulumi import`` and ``.get()``.

    What was applied, if the object came from server-side apply or ``kubectl apply``; else all that isn't the server's
    own.
    """
    metadata = live["metadata"]
    annotations = metadata.get("annotations") or {}
    if applied := fields.owned(live, "Apply"):
        spec = applied
    elif _LAST_APPLIED in annotations:
        spec = json.loads(annotations[_LAST_APPLIED])
    else:
        spec = {key: value for key, value in live.items() if key not in ("status", "metadata")}
        kept = {key: value for key, value in annotations.items() if not key.startswith("deployment.kubernetes.io/")}
        labels = metadata.get("labels")
        spec["metadata"] = {key: value for key, value in (("labels", labels), ("annotations", kept)) if value}
    identity = {key: metadata[key] for key in ("name", "namespace") if metadata.get(key)}
    body = {key: value for key, value in spec.items() if key != "status"}
    return {
        **body,
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {**(spec.get("metadata") or {}), **identity},
    }
