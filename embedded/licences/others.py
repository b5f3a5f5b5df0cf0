"""npm packages in the pages of addons, Debian packages on the machine and in images, and BusyBox."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from embedded.licences import UNKNOWN, Part, recognized, spelt

_DOCUMENTS = Path("/usr/share/doc")
_STATUS = Path("/var/lib/dpkg/status")


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


def debian_in_image(archive: Path, image: str) -> Iterator[Part]:
    """Yield the packages in an image that is made of Debian's.

    Args:
        archive: An OCI archive of one layer.
        image: What to call it.
    """
    with tarfile.open(archive) as layout:
        [image_of] = json.loads(_text(layout, "manifest.json"))
        with tarfile.open(fileobj=layout.extractfile(image_of["Layers"][0])) as files:
            for package in filter(None, _text(files, f".{_STATUS}").split("\n\n")):
                fields = dict(re.findall(r"^(Package|Version): (.*)", package, re.MULTILINE))
                text = _copyright(files, fields["Package"])
                yield Part("Debian", fields["Package"], fields["Version"], declared(text), f"the image {image}")


def _copyright(files: tarfile.TarFile, package: str) -> str:
    documents = f".{_DOCUMENTS}/{package}"
    names = set(files.getnames())
    # The documents of some are another's.
    if documents in names and (link := files.getmember(documents)).issym():
        documents = f".{_DOCUMENTS}/{link.linkname}"
    name = f"{documents}/copyright"
    return _text(files, name) if name in names else ""


def _text(files: tarfile.TarFile, name: str) -> str:
    content = files.extractfile(name)
    return content.read().decode(errors="replace") if content else ""


def declared(text: str) -> str:
    """Return the licences that a Debian ``copyright`` file names: in its fields, or in its text, or has the text of."""
    common = "/usr/share/common-licenses/"
    names = (
        re.findall(r"^License: *(\S.*)$", text, re.MULTILINE)
        or re.findall(rf"{common}([A-Za-z]+-?[0-9.]*[0-9])", text)
        or [
            f"{'L' if lesser else ''}GPL-{version}"
            for lesser, version in re.findall(
                r"GNU\s+(Lesser\s+)?General\s+Public\s+License\b.{0,80}?\bversion\s+([0-9.]*[0-9])", text, re.DOTALL
            )
        ]
        or re.findall(rf"{common}([A-Z]+)", text)
    )
    return " AND ".join(sorted({name.strip() for name in names})) or recognized(text)


def busybox(program: Path) -> Part:
    """Return what BusyBox says of itself."""
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"BusyBox v(\S+)", said)
    licence = "GPL-2.0" if "Licensed under GPLv2" in said else UNKNOWN
    return Part("Debian", "busybox-static", version[1] if version else UNKNOWN, licence, "the image busybox")
