"""Python packages: those of the virtual environment, and those in images."""

from __future__ import annotations

import importlib.metadata
import json
import re
import tarfile
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from embedded.licences import UNKNOWN, Part, spelt

_CLASSIFIER = "License :: OSI Approved :: "
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")


def installed() -> Iterator[Part]:
    """Yield what is in this virtual environment."""
    for each in importlib.metadata.distributions():
        yield part(each.metadata, "the virtual environment")


def in_image(archive: Path, image: str) -> Iterator[Part]:
    """Yield what is in an image.

    Args:
        archive: An OCI archive.
        image: What to call it.
    """
    with tarfile.open(archive) as layout:

        def read(name: str) -> Any:
            member = layout.extractfile(name)
            return json.load(member) if member else {}

        def blob(descriptor: dict[str, str]) -> str:
            return f"blobs/{descriptor['digest'].replace(':', '/')}"

        for layer in read(blob(read("index.json")["manifests"][0]))["layers"]:
            with tarfile.open(fileobj=layout.extractfile(blob(layer))) as files:
                for member in files:
                    content = files.extractfile(member) if _METADATA.search(member.name) else None
                    if content:
                        metadata = HeaderParser().parsestr(content.read().decode(errors="replace"))
                        yield part(metadata, f"the image {image}")


def part(metadata: Message | importlib.metadata.PackageMetadata, used: str) -> Part:
    """Return what a package says of itself, in the order of what says it most exactly."""

    def first(field: str) -> str:
        return str((metadata.get_all(field) or [""])[0])

    classifiers = [
        each.removeprefix(_CLASSIFIER)
        for each in metadata.get_all("Classifier") or []
        if str(each).startswith(_CLASSIFIER)
    ]
    # The older field may hold the whole text instead of a name.
    short = first("License")
    licence = first("License-Expression") or (short if len(short) < 80 else "")
    if not licence or licence == "UNKNOWN":
        licence = " AND ".join(spelt(each) for each in classifiers) or UNKNOWN
    return Part("PyPI", first("Name"), first("Version"), spelt(licence), used)
