"""The environment that the last ``script/up`` made, for commands that only use it."""

from __future__ import annotations

import json
import os

from embedded.cluster.plan import Files
from embedded.paths import STATE

FILE = Files(STATE).environment


def remember(environment: dict[str, str], folders: list[str]) -> None:
    """Keep it for other commands and other shells.

    Args:
        environment: All variables but ``PATH``.
        folders: What comes first in ``PATH``.
    """
    FILE.write_text(json.dumps({"environment": environment, "folders": folders}, indent=1))


def recall() -> tuple[dict[str, str], list[str]] | None:
    """What :func:`remember` kept; None if ``script/up`` has not come so far yet."""
    try:
        kept = json.loads(FILE.read_text())
    except FileNotFoundError:
        return None
    return kept["environment"], kept["folders"]


def remembered() -> dict[str, str] | None:
    """The same as variables for a child process, ``PATH`` included."""
    kept = recall()
    if kept is None:
        return None
    environment, folders = kept
    rest = [folder for folder in os.environ.get("PATH", "").split(":") if folder not in folders]
    return {**environment, "PATH": ":".join([*folders, *rest])}
