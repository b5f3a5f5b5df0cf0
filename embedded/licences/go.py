"""Go modules: those that are linked into the programs of the toolchain, as each program says itself."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from embedded.licences import UNKNOWN, Part, recognized

_ELSEWHERE = {
    # Its README: "under the Appdash License", which is MIT, as are those of the four libraries in it.
    "github.com/sourcegraph/appdash-data": "MIT",
}
"""The licences of modules that have no file with one."""

_FILES = re.compile(r"(?i)(un)?licen[cs]e([-.].*)?|copying([-.].*)?")


def linked(go: Path, program: Path) -> Iterator[Part]:
    """Yield what a program is made of, Go's own library included.

    Args:
        go: The ``go`` command; its module cache has the licences.
        program: A program that Go has built.
    """
    info = json.loads(_run(go, "version", "-m", "-json", str(program)))
    root, cache = _run(go, "env", "GOROOT", "GOMODCACHE").split("\n")[:2]
    yield Part("Go module", "std", info["GoVersion"].removeprefix("go"), licence_in(Path(root)), program.name)
    for module in info.get("Deps") or []:
        # A fork that stands for it, where go.mod has one.
        source = module.get("Replace") or module
        folder = Path(cache, f"{escaped(source['Path'])}@{escaped(source['Version'])}")
        licence = _ELSEWHERE.get(source["Path"]) or licence_in(folder)
        yield Part("Go module", source["Path"], source["Version"], licence, program.name)


def programs(folders: Sequence[Path]) -> list[Path]:
    """Return the programs in the folders, without links and scripts."""
    files = [path for folder in folders for path in sorted(folder.iterdir()) if not path.is_symlink()]
    return [path for path in files if path.read_bytes()[:4] == b"\x7fELF"]


def licence_in(folder: Path) -> str:
    """Return the licences of a source tree by the files at its top; unknown where the cache has lost it."""
    if not folder.is_dir():
        return UNKNOWN
    files = sorted(path for path in folder.iterdir() if _FILES.fullmatch(path.name) and path.is_file())
    found = [name for path in files if (name := recognized(path.read_text(errors="replace"))) != UNKNOWN]
    return " AND ".join(dict.fromkeys(found)) or UNKNOWN


def escaped(path: str) -> str:
    """Return a module's path as its folder in the cache is called: capitals as ``!`` and the small letter."""
    return re.sub("[A-Z]", lambda capital: f"!{capital[0].lower()}", path)


def _run(*command: Any) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
