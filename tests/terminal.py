"""Programs that run at a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LINES, COLUMNS = 40, 120


@contextmanager
def terminal(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a program at a terminal of its own, and yield it with what the test types into and reads from."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    try:
        yield process, ours
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def read_until(ours: int, pattern: str, seconds: float = 30) -> str:
    """Return what is shown until the pattern is there.

    Raises:
        AssertionError: It isn't in time.
    """
    shown = ""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if select.select([ours], [], [], 0.2)[0]:
            shown += _read(ours).replace("\a", "")
            if re.search(pattern, shown):
                return shown
    raise AssertionError(f"{pattern!r} isn't in {shown!r}")


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a program at a terminal with colours to its end; return its exit code and all that it wrote."""
    variables = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    with terminal(command, folder, {"TERM": "xterm-256color", **variables}) as (process, ours):
        shown = ""
        while read := _read(ours):
            shown += read
        return process.wait(), shown.replace("\r\n", "\n")


def _read(ours: int) -> str:
    try:
        return os.read(ours, 65536).decode(errors="replace")
    except OSError:  # the program has closed its end
        return ""
