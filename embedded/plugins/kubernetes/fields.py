"""Fields of objects: how the API server writes their paths, and which lists and maps of an object are whole values.

Both come from server-side apply. ``metadata.managedFields`` holds, for each manager, a tree (``fieldsV1``) whose keys
say how a field is merged (Kubernetes documentation, "Server-Side Apply"; format in structured-merge-diff's
``fieldpath``): ``f:name`` a field, ``k:{…}`` an element of a list told apart by keys, ``v:…`` an element of a set,
``i:3`` an index.
"""

import json
import re
from typing import Any

from .errors import Json

Path = tuple[str | int, ...]
"""Keys and indexes that lead to a field."""

_ELEMENT = re.compile(r"\[((?:\"(?:[^\"\\]|\\.)*\"|[^\]\"])*)\]")
_KEY = re.compile(r"([A-Za-z0-9_.-]+)=(\"(?:[^\"\\]|\\.)*\"|[^,]+)")


def structure(live: Json) -> Json:
    """How the fields of an object are merged: the trees of all its managers in one, elements of a list as one."""
    merged: Json = {}
    for entry in live.get("metadata", {}).get("managedFields") or []:
        merge(merged, entry.get("fieldsV1") or {})
    return merged


def merge(into: Json, tree: Json) -> None:
    """Add the fields of ``tree`` to another one."""
    for key, child in tree.items():
        merge(into.setdefault(key, {}), child)


def field(tree: Json | None, name: str) -> Json | None:
    """The subtree of a field, ``None`` if no manager knows it."""
    return (tree or {}).get(f"f:{name}")


def element(tree: Json | None) -> Json:
    """The shape of a list's elements, from all that are known."""
    merged: Json = {}
    for key, child in (tree or {}).items():
        if key.startswith("k:"):
            merge(merged, child)
    return merged


def list_keys(tree: Json | None) -> tuple[str, ...]:
    """The keys that tell a list's elements apart, such as ``("containerPort", "protocol")``; none if it has no keys."""
    for key in tree or {}:
        if key.startswith("k:"):
            return tuple(json.loads(key[2:]))
    return ()


def is_set(tree: Json | None) -> bool:
    """Whether a list is a set of plain values."""
    return any(key.startswith("v:") for key in tree or {})


def is_atomic(tree: Json | None) -> bool:
    """Whether a map or list is replaced as a whole."""
    return tree == {}


def same_element(keys: tuple[str, ...], wanted: Json, candidate: Any) -> bool:
    """Whether two elements of a list are the same one; a key that ``wanted`` leaves to its default fits any value."""
    return isinstance(candidate, dict) and all(key not in wanted or wanted[key] == candidate.get(key) for key in keys)


def owned(live: Json, operation: str) -> Json:
    """The part of an object that managers own through ``operation`` (``Apply`` or ``Update``), its status excepted."""
    merged: Json = {}
    for entry in live.get("metadata", {}).get("managedFields") or []:
        if entry.get("operation") == operation and not entry.get("subresource"):
            merge(merged, entry.get("fieldsV1") or {})
    return dict(_extract(live, merged)) if merged else {}


def is_manager(live: Json, name: str) -> bool:
    """Whether a manager has applied fields of an object."""
    entries = live.get("metadata", {}).get("managedFields") or []
    return any(entry.get("manager") == name and entry.get("operation") == "Apply" for entry in entries)


def _extract(value: Any, tree: Json) -> Any:
    if not any(key != "." for key in tree):
        return value
    if isinstance(value, dict):
        return {key: _extract(item, tree[f"f:{key}"]) for key, item in value.items() if f"f:{key}" in tree}
    if isinstance(value, list):
        found = []
        for item in value:
            for key, child in tree.items():
                if key.startswith("k:") and isinstance(item, dict):
                    wanted = json.loads(key[2:])
                    if all(item.get(name) == expected for name, expected in wanted.items()):
                        found.append(_extract(item, child))
                        break
                elif key.startswith("v:") and json.loads(key[2:]) == item:
                    found.append(item)
                    break
        return found
    return value


def locate(value: Any, path: str) -> Path | None:
    """Where in some JSON a field is; ``None`` if it isn't there.

    Args:
        value: The JSON.
        path: The field as the API server writes it: ``.spec.template.spec.containers[name="web"].image`` in a conflict,
            ``spec.ports[0].nodePort`` in a cause.
    """
    path = path.removeprefix(".")
    if not path:
        return ()
    if isinstance(value, dict):
        # Keys may have dots themselves (annotations), so each key is tried instead of splitting the path.
        for key, item in value.items():
            if path.startswith(key) and (len(path) == len(key) or path[len(key)] in ".["):
                rest = locate(item, path[len(key) :])
                if rest is not None:
                    return (key, *rest)
    match = _ELEMENT.match(path)
    if isinstance(value, list) and match:
        for index, item in enumerate(value):
            if _is_selected(match[1], index, item):
                rest = locate(item, path[match.end() :])
                if rest is not None:
                    return (index, *rest)
    return None


def _is_selected(selector: str, index: int, item: Any) -> bool:
    if selector.isdigit():
        return index == int(selector)
    if selector.startswith("="):
        return bool(json.loads(selector[1:]) == item)
    return is_element(item, {key: json.loads(text) for key, text in _KEY.findall(selector)})


def without(value: Any, path: Path) -> Any:
    """Some JSON without the field at a path."""
    step, *rest = path
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key != step}
        return {**kept, step: without(value[step], tuple(rest))} if rest else kept
    index = int(step)
    changed = [without(value[index], tuple(rest))] if rest else []
    return [*value[:index], *changed, *value[index + 1 :]]


def is_element(item: Any, keys: Json) -> bool:
    """Whether an element of a list is the one with these keys; inputs may leave some of them to their defaults."""
    if not isinstance(item, dict) or not any(name in item for name in keys):
        return False
    return all(item.get(name, expected) == expected for name, expected in keys.items())
