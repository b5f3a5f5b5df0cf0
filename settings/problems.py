"""What is wrong with a configuration, one line each: the key, the value given, what is allowed."""

import json
import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any, TypeAlias, get_args

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

Path: TypeAlias = tuple[int | str, ...]
"""Where a value is: keys of maps and indexes of lists, outermost first."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

LONGEST = 60
"""Characters of a value that are shown."""

MASK = "[secret]"
"""Shown in place of a secret value."""


def qualified(key: str) -> str:
    """Return a key of the configuration as Pulumi's commands and the stack's file have it, with the project's name."""
    # Asked at each call: whoever gives the project in Pulumi.yaml another name has the keys under that one.
    return f"{pulumi.get_project()}:{key}"


def problem(text: str) -> PydanticCustomError:
    """Return the error whose line has ``text`` after the key, in place of the description."""
    return PydanticCustomError("problem", "{text}", {"text": text})


def problem_of_secret(text: str) -> PydanticCustomError:
    """Return the same for a ``text`` that quotes nothing of a value which may be a secret."""
    return PydanticCustomError("problem_of_secret", "{text}", {"text": text})


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
                yield f"{key}: {details['msg']}"
            case _:
                value = MASK if is_secret else shown(details["input"])
                yield f"{key}: {value} given; allowed: {_allowed(model, path)}"


def unknown_key(key: str, name: str, allowed: Collection[str]) -> str:
    """Return the line about a ``key`` whose last part, ``name``, is none of the ``allowed`` ones."""
    close = get_close_matches(name, allowed, 1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{key}: unknown key; {hint}allowed: {', '.join(allowed) or 'none'}"


def shown(value: Any) -> str:
    """Return ``value`` as it would be written in the configuration, shortened, on one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def dotted(path: Path) -> str:
    """Return ``path`` as ``pulumi config set --path`` takes it: ``sites[0].name``, ``addons["odd one"]``."""
    parts = (
        f".{part}" if isinstance(part, str) and _PLAIN.fullmatch(part) else f"[{json.dumps(part)}]" for part in path
    )
    return "".join(parts).removeprefix(".")


def keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of the map that ``model`` describes."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _allowed(model: type[BaseModel], path: Path) -> str:
    """Return the description of the innermost field on ``path``, or the keys of the map that an item of a list is."""
    fields = list(_fields(model, path))
    item = nested(fields[-1])
    if isinstance(path[-1], int) and item:
        return f"a map of {', '.join(keys(item))}"
    return fields[-1].description or "see Pulumi.yaml"


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


def nested(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model in the type of ``field``: that of the items of a list, or the one that isn't ``None``."""
    pending: list[Any] = [field.annotation]
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        pending += get_args(kind)
    return None
