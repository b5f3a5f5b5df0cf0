"""What is wrong with a configuration, one line each: the key, the value given, what is allowed."""

import json
import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import TypeAlias

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from components.options import allowed, keys, nested, shown

Path: TypeAlias = tuple[int | str, ...]
"""Where a value is: keys of maps and indexes of lists, outermost first."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

MASK = "[secret]"
"""Shown in place of a secret value."""


def qualified(key: str) -> str:
    """Return a key of the configuration as Pulumi's commands and the stack's file have it, with the project's name."""
    # Asked at each call: whoever gives the project in Pulumi.yaml another name has the keys under that one.
    return f"{pulumi.get_project()}:{key}"


def describe(error: ValidationError, model: type[BaseModel], secrets: Collection[str]) -> Iterator[str]:
    """Yield one line for each of the errors of a ``model``, that of the whole configuration.

    The values of its keys ``secrets`` are not shown, nor are those of fields with ``repr=False``.
    """
    for details in error.errors(include_url=False):
        path = details["loc"]
        key = qualified(dotted(path))
        is_secret = path[0] in secrets or not all(field.repr for field in _fields(model, path))
        match details["type"]:
            case "default_factory_not_called":
                # The default comes from another key, whose error is reported.
                pass
            case "extra_forbidden":
                yield unknown_key(key, str(path[-1]), keys(_model_at(model, path[:-1])))
            case "missing":
                yield f"{key}: missing; allowed: {_allowed(model, path)}"
            case "problem_of_secret":
                yield f"{key}: {details['msg']}"
            case "problem" if not is_secret:
                yield from (f"{key}: {text}" for text in details["msg"].splitlines())
            case _:
                value = MASK if is_secret else shown(details["input"])
                yield f"{key}: {value} given; allowed: {_allowed(model, path)}"


def unknown_key(key: str, name: str, known: Collection[str]) -> str:
    """Return the line about a ``key`` whose last part, ``name``, is none of the ``known`` ones."""
    close = get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{key}: unknown key; {hint}allowed: {', '.join(known) or 'none'}"


def dotted(path: Path) -> str:
    """Return ``path`` as ``pulumi config set --path`` takes it: ``sites[0].name``, ``addons["odd one"]``."""
    parts = (
        f".{part}" if isinstance(part, str) and _PLAIN.fullmatch(part) else f"[{json.dumps(part)}]" for part in path
    )
    return "".join(parts).removeprefix(".")


def _allowed(model: type[BaseModel], path: Path) -> str:
    """Return what the innermost field on ``path`` may be, or the keys of the map that an item of a list is."""
    field = list(_fields(model, path))[-1]
    item, is_item = nested(field), isinstance(path[-1], int)
    return f"a map of {', '.join(keys(item))}" if is_item and item else allowed(field, item=is_item)


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    for field in _fields(model, path):
        model = nested(field) or model
    return model


def _fields(model: type[BaseModel], path: Path) -> Iterator[FieldInfo]:
    """Yield the fields on ``path``, outermost first."""
    for part in path:
        if isinstance(part, str):
            field = next((field for name, field in model.model_fields.items() if (field.alias or name) == part), None)
            if field is None:
                return  # an unknown key, or one inside a map of anything
            yield field
            model = nested(field) or model
