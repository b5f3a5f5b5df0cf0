"""Takes back fields that somebody changed by hand.

Server-side apply removes a field only when nobody else owns it. A list element that was put in the place of ours (a
port renumbered with ``kubectl edit``) belongs to whoever did that, so that applying our own again would add to it
instead of replacing it. Once a refresh has shown such drift and the user wants it gone, ownership is moved to the
resource's manager; the next apply then removes the field, in the same step in which it restores ours. ``kubectl apply
--server-side`` moves fields in the same way when it migrates objects from client-side apply.
"""

import copy
import json
from typing import Any

from . import fields
from .errors import Json


def taken_over(live: Json, manager: str, old: Json, new: Json) -> list[Json] | None:
    """``managedFields`` in which ``manager`` owns what is to go; ``None`` if there is nothing to take over.

    Args:
        live: The object.
        manager: The field manager of the resource.
        old: The inputs as the last refresh saw them in the cluster.
        new: The inputs to be applied.
    """
    entries: list[Json] = copy.deepcopy(live["metadata"].get("managedFields") or [])
    mine = next((entry for entry in entries if _is_apply_of(entry, manager)), None)
    if mine is None:
        return None
    others = [entry for entry in entries if entry is not mine and not entry.get("subresource")]
    foreign: Json = {}
    for entry in others:
        fields.merge(foreign, entry.get("fieldsV1") or {})
    surplus = _surplus(old, new, foreign, mine["fieldsV1"])
    if not surplus:
        return None
    for entry in others:
        _subtract(entry.get("fieldsV1") or {}, surplus)
    fields.merge(mine["fieldsV1"], surplus)
    return [entry for entry in entries if entry.get("fieldsV1")]


def _is_apply_of(entry: Json, manager: str) -> bool:
    return entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")


def _surplus(old: Any, new: Any, foreign: Json, mine: Json) -> Json:
    """The fields that are in ``old`` but not in ``new``, and that only others own."""
    found: Json = {}
    for key, child in foreign.items():
        before, after = _at(old, key), _at(new, key)
        if before is None:
            continue
        if after is None:
            if key not in mine:
                found[key] = copy.deepcopy(child)
        elif inner := _surplus(before, after, child, mine.get(key) or {}):
            found[key] = inner
    return found


def _at(value: Any, key: str) -> Any:
    """What a key of ``fieldsV1`` stands for in some JSON; ``None`` if it isn't there."""
    kind, _, rest = key.partition(":")
    if kind == "f" and isinstance(value, dict):
        return value.get(rest)
    if kind == "k" and isinstance(value, list):
        wanted = json.loads(rest)
        return next((item for item in value if fields.is_element(item, wanted)), None)
    if kind == "v" and isinstance(value, list):
        wanted = json.loads(rest)
        return wanted if wanted in value else None
    return None


def _subtract(tree: Json, surplus: Json) -> None:
    for key, child in surplus.items():
        if key in tree:
            _subtract(tree[key], child)
            if not any(inner != "." for inner in tree[key]):
                del tree[key]
