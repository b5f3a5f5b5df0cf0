"""The results: a file of JSON for each subject."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from bench.machine import machine

FOLDER = Path(__file__).resolve().parent / "results"


def write(subject: str, result: dict[str, Any]) -> None:
    """Keep the result of a subject, with what it was measured on and when; the one before is replaced."""
    FOLDER.mkdir(exist_ok=True)
    noted = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), **result}
    (FOLDER / f"{subject}.json").write_text(json.dumps(noted, indent=1) + "\n")


def read() -> dict[str, dict[str, Any]]:
    """All results that are there, by subject."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
