"""What there is to say of the configuration, made from its models: ``.venv/bin/python -m docs.configuration``.

That is the schema in ``Pulumi.yaml``, and the page with the tables of all options.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typing_extensions import override

from components.addons import ADDONS
from components.addons.addon import Detectable
from components.options import allowed, default_text, nested
from settings import DEFAULT_SITE, Settings

PROJECT = Path(__file__).resolve().parent.parent
SCHEMA = PROJECT / "Pulumi.yaml"
PAGE = PROJECT / "docs" / "configuration.md"
BEGIN = "  # From here on made from the models of the options: .venv/bin/python -m docs.configuration\n"


@dataclass(frozen=True)
class Option:
    """An option of a map."""

    path: tuple[str, ...]
    """Its name, after those of the maps that it is in."""
    what: str
    allowed: str
    default: str
    """In words, or as it would be written; empty where there is none."""


def options(model: type[BaseModel], *path: str) -> Iterator[Option]:
    """Yield the options of a map, each followed by its own if it is a map itself."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        if issubclass(model, Detectable) and name == "auto":
            continue  # said once, of all addons
        yield Option((*path, key), field.description or "", allowed(field), default(field))
        if inner := nested(field):
            yield from options(inner, *path, key)


def default(field: FieldInfo) -> str:
    """Return the default of an option, as it would be written or in words."""
    if text := default_text(field):
        return text
    return json.dumps(field.default).strip('"') if isinstance(field.default, str | int) else ""


def schema() -> dict[str, dict[str, Any]]:
    """Return the schema of the configuration, as ``Pulumi.yaml`` has it."""
    entries = {}
    for name, field in Settings.model_fields.items():
        model = nested(field)
        is_list = get_origin(field.annotation) is list
        kind = "array" if is_list else "object" if model else "string"
        text = field.description or ""
        if model:
            text = "\n".join([*textwrap.wrap(text, 114), *(line for each in options(model) for line in item(each)), ""])
        # Pulumi would refuse `sites[1]` before the program has seen it: `sites[0]`, the default one, is null then.
        typed = {} if name == "sites" else {"type": kind, **({"items": {"type": "object"}} if is_list else {})}
        entries[field.alias or name] = {
            **typed,
            "description": text,
            "default": default_of_key(name, field, model),
        }
    return entries


def item(option: Option) -> list[str]:
    """Return the lines of an option in a list: ``- name: what; default this``."""
    text = f"- {option.path[-1]}: {option.what}" + (f"; default {option.default}" if option.default else "")
    indentation = "  " * (len(option.path) - 1)
    return textwrap.wrap(
        text, 114, initial_indent=indentation, subsequent_indent=f"{indentation}  ", break_on_hyphens=False
    )


def default_of_key(name: str, field: FieldInfo, model: type[BaseModel] | None) -> Any:
    """Return the default of a key: for a map, those of its options that are plain values."""
    if name == "sites":
        return [dict(DEFAULT_SITE)]
    if name == "addons":
        return {addon.name: addon.default for addon in ADDONS if addon.default}
    if name == "charts":
        return []
    if model is None:
        return field.default or ""
    fields = {each.alias or key: each for key, each in model.model_fields.items()}
    return {
        key: each.default
        for key, each in fields.items()
        if each.default is not PydanticUndefined and isinstance(each.default, str | int)
    }


def updated(text: str) -> str:
    """Return the text of ``Pulumi.yaml`` with the schema of today.

    Raises:
        ValueError: It lacks the line before it.
    """
    before, begin, _ = text.partition(BEGIN)
    if not begin:
        raise ValueError(f"{SCHEMA.name} has no place for the schema: {BEGIN.strip()}")
    return before + begin + textwrap.indent(written(schema()), "  ")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and the items of lists below their key."""

    @override
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def written(document: dict[str, Any]) -> str:
    """Return a document as YAML."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=116)


def page() -> str:
    """Return the page with all options."""
    parts = [
        "# Configuration",
        "<!-- made from the models of the options by docs/configuration.py -->",
        "A key is set by `pulumi config set domain example.com`, an option by its path: "
        "`pulumi config set --path ingress.httpPort 8080`, `pulumi config set --path 'sites[0].replicas' 3`. All "
        "errors are reported at once, each with the key, the value and what is allowed, before any resource is "
        "registered.",
        "An addon that was switched on by `true` has to make room for a map of options: "
        "`pulumi config rm --path addons.cert`.",
    ]
    for (key, entry), field in zip(schema().items(), Settings.model_fields.values(), strict=True):
        value = entry["default"]
        shown = f"`{value if isinstance(value, str) else json.dumps(value)}`" if value != "" else "unset"
        parts += [f"## {key}", f"{escaped(field.description or '')} Default: {shown}."]
        if model := nested(field):
            rows = [
                f"| `{'.'.join(each.path)}` | {escaped(each.what)} | {escaped(each.allowed)} | {default} |"
                for each in options(model)
                for default in [in_words(each.default)]
            ]
            parts.append("\n".join(["| option | what | allowed | default |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Return a text with what would be markup to Markdown escaped."""
    return re.sub(r"([|<>*])", r"\\\1", text)


def in_words(value: str) -> str:
    """Return the default of an option: a single word as it would be written, else a text."""
    return f"`{value}`" if value and " " not in value else escaped(value)


if __name__ == "__main__":
    SCHEMA.write_text(updated(SCHEMA.read_text()))
    PAGE.write_text(page())
