"""The README's table of the configuration, made from ``Pulumi.yaml``: ``.venv/bin/python -m docs.configuration``."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "README.md"
BEGIN, END = "<!-- configuration: made by docs/configuration.py -->\n", "<!-- end of configuration -->\n"


def table(schema: dict[str, Any]) -> str:
    """Return the table of the keys in ``schema``, which is ``config`` of ``Pulumi.yaml``."""
    rows = [
        f"| `{key}` | {text(entry['description'])} | {default(entry['default'])} |"
        for key, entry in schema.items()
        # Keys with a colon are other packages'.
        if ":" not in key
    ]
    return "\n".join(["| key | what | default |", "|---|---|---|", *rows, ""])


def text(description: str) -> str:
    """Return a description with what would be markup to Markdown escaped."""
    return re.sub(r"([|<>])", r"\\\1", description)


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
    schema = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    return f"{before}{begin}\n{table(schema)}\n{end}{after}"


if __name__ == "__main__":
    README.write_text(updated(README.read_text()))
