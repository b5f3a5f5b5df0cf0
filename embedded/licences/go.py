"""Go modules: those that are linked into the programs of the toolchain, as each program says itself.

Their licences are looked up when the programs are built, and kept beside them: later Go's module cache may be empty.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from embedded.licences import UNKNOWN, Part, recognized

RECORD = "licences.json"
"""What the file with the licences of a module's programs is called."""

_ELSEWHERE = {
    # Its README: "under the Appdash License", which is MIT, as are those of the four libraries in it.
    "github.com/sourcegraph/appdash-data": "MIT",
    # Its README: "## License MIT".
    "github.com/mattn/go-localereader": "MIT",
}
"""The licences of modules that have no file with one."""

_FILES = re.compile(r"(?i)(un)?licen[cs]e([-.].*)?|copying([-.].*)?")


def record(go: Path, programs: Path, file: Path, environment: Mapping[str, str]) -> None:
    """Write what the programs in a folder are made of, Go's own library included.

    Args:
        go: The ``go`` command that has built them.
        programs: Their folder.
        file: Where to.
        environment: That of the build: its module cache has the licences.
    """

    def ask(*arguments: str) -> str:
        return subprocess.run([go, *arguments], env=environment, capture_output=True, text=True, check=True).stdout

    root, cache = map(Path, ask("env", "GOROOT", "GOMODCACHE").splitlines())
    parts = []
    for program in sorted(path for path in programs.iterdir() if not path.is_symlink()):
        info = json.loads(ask("version", "-m", "-json", str(program)))
        parts.append(Part("Go module", "std", info["GoVersion"].removeprefix("go"), licence_in(root), program.name))
        for module in info.get("Deps") or []:
            # A fork that stands for it, where go.mod has one; a folder is that module, amended.
            fork = module.get("Replace")
            source = fork if fork and not fork["Path"].startswith("./") else module
            folder = cache / f"{escaped(source['Path'])}@{escaped(source['Version'])}"
            parts.append(Part("Go module", source["Path"], source["Version"], licence_in(folder), program.name))
    file.write_text(json.dumps([dataclasses.asdict(part) for part in parts], indent=1))


def recorded(file: Path) -> Iterator[Part]:
    """Yield what :func:`record` has written."""
    for part in json.loads(file.read_text()):
        yield Part(**part | {"licence": _ELSEWHERE.get(part["name"], part["licence"])})


def licence_in(folder: Path) -> str:
    """Return the licences of a source tree by the files at its top."""
    if not folder.is_dir():
        return UNKNOWN
    files = sorted(path for path in folder.iterdir() if _FILES.fullmatch(path.name) and path.is_file())
    found = [name for path in files if (name := recognized(path.read_text(errors="replace"))) != UNKNOWN]
    return " AND ".join(dict.fromkeys(found)) or UNKNOWN


def escaped(path: str) -> str:
    """Return a module's path as its folder in the cache is called: capitals as ``!`` and the small letter."""
    return re.sub("[A-Z]", lambda capital: f"!{capital[0].lower()}", path)
