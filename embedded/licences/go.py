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

_ELSEWHERE = {
    # Its README: "under the Appdash License", which is MIT, as are those of the four libraries in it.
    "github.com/sourcegraph/appdash-data": "MIT",
}
"""The licences of modules that have no file with one."""

_FILES = re.compile(r"(?i)(un)?licen[cs]e([-.].*)?|copying([-.].*)?")


RECORD = "licences.json"
"""What the file beside a folder of programs is called."""


def record(go: Path, programs: Path, environment: Mapping[str, str]) -> None:
    """Write what the programs in a folder are made of to :data:`RECORD` beside it.

    Args:
        go: The ``go`` command that has built them.
        programs: Their folder.
        environment: That of the build: its module cache has the licences.
    """
    parts = [
        dataclasses.asdict(part)
        for program in sorted(programs.iterdir())
        if not program.is_symlink()
        for part in _linked(go, program, environment)
    ]
    (programs.parent / RECORD).write_text(json.dumps(parts, indent=1))


def recorded(programs: Path) -> Iterator[Part]:
    """Yield what :func:`record` has found."""
    for part in json.loads((programs.parent / RECORD).read_text()):
        yield Part(**part)


def _linked(go: Path, program: Path, environment: Mapping[str, str]) -> Iterator[Part]:
    """Yield what a program is made of, Go's own library included."""

    def ask(*arguments: str) -> str:
        return subprocess.run([go, *arguments], env=environment, capture_output=True, text=True, check=True).stdout

    info = json.loads(ask("version", "-m", "-json", str(program)))
    root, cache = ask("env", "GOROOT", "GOMODCACHE").splitlines()
    yield Part("Go module", "std", info["GoVersion"].removeprefix("go"), licence_in(Path(root)), program.name)
    for module in info.get("Deps") or []:
        # A fork that stands for it, where go.mod has one.
        source = module.get("Replace") or module
        folder = Path(cache, f"{escaped(source['Path'])}@{escaped(source['Version'])}")
        licence = _ELSEWHERE.get(source["Path"]) or licence_in(folder)
        yield Part("Go module", source["Path"], source["Version"], licence, program.name)


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
