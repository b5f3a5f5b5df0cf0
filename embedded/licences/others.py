"""npm packages in the pages of addons, Debian packages that run the cluster, and BusyBox."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from embedded.licences import UNKNOWN, Part, spelt

_DOCUMENTS = Path("/usr/share/doc")


def npm(lock: Path) -> Iterator[Part]:
    """Yield the packages of a ``package-lock.json``, which has their licences."""
    for path, package in json.loads(lock.read_text())["packages"].items():
        if path:  # the project itself has none
            name = path.rpartition("node_modules/")[2]
            yield Part("npm", name, package["version"], spelt(package.get("license", "")), lock.parent.name)


def debian(packages: Iterable[str]) -> Iterator[Part]:
    """Yield those of the packages that are installed."""
    for package in sorted(set(packages)):
        asked = ["dpkg-query", "--show", "--showformat=${Version}", package]
        try:
            version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        copyright_file = _DOCUMENTS / package / "copyright"
        text = copyright_file.read_text(errors="replace") if copyright_file.exists() else ""
        yield Part("Debian", package, version, declared(text), "the machine")


def declared(text: str) -> str:
    """Return the licences that a Debian ``copyright`` file names: in its fields, or as files of common-licenses."""
    fields = re.findall(r"^License: *(\S.*)$", text, re.MULTILINE)
    names = fields or re.findall(r"/usr/share/common-licenses/([A-Za-z]+-?[0-9.]*[0-9])", text)
    return " AND ".join(sorted({name.strip() for name in names})) or UNKNOWN


def busybox(program: Path) -> Part:
    """Return what BusyBox says of itself."""
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"BusyBox v(\S+)", said)
    licence = "GPL-2.0" if "Licensed under GPLv2" in said else UNKNOWN
    return Part("Debian", "busybox-static", version[1] if version else UNKNOWN, licence, "the image busybox")
