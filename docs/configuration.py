"""The tables of the configuration, made from ``Pulumi.yaml``: ``.venv/bin/python -m docs.configuration``.

The README has the keys, ``docs/configuration.md`` the options of each as well.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "README.md"
PAGE = PROJECT / "docs" / "configuration.md"
BEGIN, END = "<!-- configuration: made by docs/configuration.py -->\n", "<!-- end of configuration -->\n"

_OPTION = re.compile(r"(?P<indentation> *)- (?P<name>[A-Za-z-]+): (?P<text>.*)")


@dataclass(frozen=True)
class Option:
    """What a description says of one option of a map."""

    path: tuple[str, ...]
    """Its name, after those of the maps that it is in."""
    what: str
    default: str
    """In words, or as it would be written; empty where there is none."""


def schema() -> dict[str, Any]:
    """Return what ``Pulumi.yaml`` says of each key of the program."""
    config = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    # Keys with a colon are other packages'.
    return {key: entry for key, entry in config.items() if ":" not in key}


def summary(description: str) -> str:
    """Return what comes before the options."""
    return " ".join(re.split(r"^ *- ", description, maxsplit=1, flags=re.MULTILINE)[0].split())


def options(description: str) -> Iterator[Option]:
    """Yield the options that a description lists, ``- name: what; default this``, those of a map indented below it."""
    found: list[tuple[tuple[str, ...], str]] = []
    for line in description.splitlines():
        if begins := _OPTION.fullmatch(line):
            outer = found[-1][0][: len(begins["indentation"]) // 2] if found else ()
            found.append(((*outer, begins["name"]), begins["text"]))
        elif found:
            path, text = found.pop()
            found.append((path, f"{text} {line.strip()}"))
    for path, text in found:
        what, _, value = text.rpartition("; default ") if "; default " in text else (text, "", "")
        yield Option(path, what.strip(), value.strip())


def keys() -> str:
    """Return the table of the keys alone."""
    rows = [
        f"| {key_in_page(key, entry)} | {escaped(summary(entry['description']))} | {default(entry['default'])} |"
        for key, entry in schema().items()
    ]
    return "\n".join(["| key | what | default |", "|---|---|---|", *rows, ""])


def key_in_page(key: str, entry: dict[str, Any]) -> str:
    """Return a key, as a link to its options where it has some."""
    return f"[`{key}`](docs/configuration.md#{key.lower()})" if any(options(entry["description"])) else f"`{key}`"


def page() -> str:
    """Return the page with all options."""
    parts = [
        "# Configuration",
        "<!-- made from Pulumi.yaml by docs/configuration.py -->",
        "A key is set by `pulumi config set domain example.com`, an option by its path: "
        "`pulumi config set --path ingress.httpPort 8080`, `pulumi config set --path 'sites[0].replicas' 3`. All "
        "errors are reported at once, each with the key, the value and what is allowed, before any resource is "
        "registered.",
        "An addon that was switched on by `true` has to make room for a map of options: "
        "`pulumi config rm --path addons.cert`.",
    ]
    for key, entry in schema().items():
        parts.append(f"## {key}")
        parts.append(f"{escaped(summary(entry['description']))} Default: {default(entry['default']) or 'unset'}.")
        rows = [
            f"| `{'.'.join(option.path)}` | {escaped(option.what)} | {in_words(option.default)} |"
            for option in options(entry["description"])
        ]
        if rows:
            parts.append("\n".join(["| option | what | default |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def escaped(description: str) -> str:
    """Return a description with what would be markup to Markdown escaped."""
    return re.sub(r"([|<>*])", r"\\\1", description)


def in_words(value: str) -> str:
    """Return the default of an option: a single word as it would be written, else a text."""
    return f"`{value}`" if value and " " not in value else escaped(value)


def default(value: object) -> str:
    """Return a default as it would be written in a stack's file; nothing for what is unset."""
    return "" if value == "" else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def updated(readme: str) -> str:
    """Return the text of the README with the table of today.

    Raises:
        ValueError: It lacks one of the lines around the table.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README.name} has no place for the table: {BEGIN.strip()} … {END.strip()}")
    return f"{before}{begin}\n{keys()}\n{end}{after}"


if __name__ == "__main__":
    README.write_text(updated(README.read_text()))
    PAGE.write_text(page())
