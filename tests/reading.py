"""Reading what programs write that are at work."""

from __future__ import annotations

from pathlib import Path


def contents(path: Path) -> bytes:
    """What is in a file; nothing where it was removed or renamed meanwhile, as logs are that are rotated."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
