"""Where the time of a command goes: its processes, when each ran, and what it used of the processor."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.edit import edit_page
from bench.session import UP, Session
from embedded.errors import Failure

POLL_SECONDS = 0.02
COMMANDS = {
    "preview": "pulumi preview --expect-no-changes",
    "edit": UP,
}


@dataclass
class Seen:
    """A process, as far as it was seen. Times are seconds since the command began."""

    command: Sequence[str]
    parent: int
    began: float
    ended: float = 0.0
    processor: float = 0.0


def measure(session: Session) -> dict[str, dict[str, Any]]:
    """Return the processes of a preview without changes, and of an update after an edit; the last of some runs."""
    session.have_stack()
    found: dict[str, Any] = {}
    for turn in range(1, session.runs + 1):
        for name, command in COMMANDS.items():
            if name == "edit":
                edit_page(session.project / "site", turn)
            found[name] = profiled(command, session.project, session.shell.environment)
    return {"profile": {"commands": found}}


def profiled(script: str, folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run ``script``, and return its seconds and those of its processes, in the order of their beginning.

    Raises:
        Failure: It fails.
    """
    begin, seen = time.time(), dict[int, Seen]()
    with psutil.Popen(
        ["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in [process, *process.children(recursive=True)]:
                    _note(each, seen, begin)
            time.sleep(POLL_SECONDS)
    seconds = time.time() - begin
    if process.returncode != 0:
        raise Failure(f"`{script}` failed with {process.returncode}", fix="run it to see why")
    rows = [
        {
            "process": named(each.command, seen[each.parent].command if each.parent in seen else ()),
            "began": round(each.began, 2),
            "ended": round(each.ended, 2),
            "processor": round(each.processor, 2),
        }
        for each in sorted(seen.values(), key=lambda each: each.began)
        if each.processor >= POLL_SECONDS
    ]
    return {"seconds": round(seconds, 2), "processes": rows}


def _note(process: psutil.Process, seen: dict[int, Seen], begin: float) -> None:
    with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
        each = seen.setdefault(process.pid, Seen((), process.ppid(), max(0.0, process.create_time() - begin)))
        times = process.cpu_times()
        each.processor = times.user + times.system
        each.ended = time.time() - begin
        # A process that ends has none any more.
        each.command = process.cmdline() or each.command


def named(command: Sequence[str], parent: Sequence[str] = ()) -> str:
    """What a process is, by its command line and that of its ``parent``.

    ``pulumi preview``, ``language host``, and ``program`` for its fork that runs ours; ``forks``, and ``plugin``
    for a fork of that; ``plugin tls`` for one that stands by itself or only holds a fork's place.
    """
    words = " ".join(command)
    if plugin := re.search(r"/resource-([a-z]+)-v", words):
        return f"plugin {plugin[1]}"
    if ".language.forks" in words:
        return "plugin" if command == parent else "forks"
    if "/language-python-" in words:
        return "program" if command == parent else "language host"
    program = Path(command[0]).name if command else "?"
    return f"{program} {command[1]}" if program == "pulumi" and len(command) > 1 else program
