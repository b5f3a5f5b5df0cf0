"""``pulumi``, run for somebody far away."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from embedded import interruption

PATIENCE = 30
"""Seconds in which an update that was asked to end may do so by itself."""
_REFRESHED = re.compile(r" ~  \S+ \S+ refresh(ing)?\b")
"""Two lines of each resource that tell nothing."""
_WAITS = re.compile(r"Deployment (\S+)-deployment .*Waiting for app ReplicaSet")
OPTIONS = ("--non-interactive", "--color=never", "--suppress-outputs", "--suppress-progress")


def say(line: str) -> None:
    """Tell who pushes a line; who has left meanwhile doesn't end what is being done."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{line.rstrip()}\n")
        sys.stdout.flush()


class Pulumi:
    """The engine on a stack, in a folder with its program."""

    def __init__(self, folder: Path, stack: str) -> None:
        self._folder = folder
        self._stack = stack
        self._process: subprocess.Popen[str] | None = None
        self.error = ""
        """The reason why the last command failed, on one line."""
        self.waits_for: set[str] = set()
        """Sites whose Deployments have been updated, and aren't ready yet or weren't for a while."""

    def run(self, command: str, *options: str) -> int:
        """Run a command, pass on what it prints line by line, and return its exit code.

        Raises:
            KeyboardInterrupt: This process was asked to end; so was Pulumi, which has ended.
        """
        words = ["pulumi", command, *options, "--stack", self._stack, *OPTIONS]

        def pass_on(_: int, count: int) -> None:
            if self._process and self._process.poll() is None:
                self._process.send_signal(signal.SIGINT if count < 3 else signal.SIGKILL)

        with interruption.held(pass_on), subprocess.Popen(
            words, cwd=self._folder, env=dict(os.environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            # Of its own: one Ctrl-C is one request, and comes from here.
            process_group=0,
        ) as self._process:  # fmt: skip
            assert self._process.stdout is not None  # noqa: S101 - it is a pipe
            lines = []
            for line in self._process.stdout:
                if not _REFRESHED.match(line):
                    say(line)
                lines.append(line)
                if waits := _WAITS.search(line):
                    self.waits_for.add(waits[1])
        self.error = reason(lines)
        return self._process.returncode

    def end(self) -> None:
        """Have the command that runs end: in order, or else at once."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        last = threading.Timer(PATIENCE, process.kill)
        last.daemon = True
        last.start()


def reason(lines: Iterable[str]) -> str:
    """Return the first error that Pulumi printed, or else the first policy that is broken, on one line."""
    said = [" ".join(line.split()) for line in lines]
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    policies = [line.removeprefix("- [mandatory] ") for line in said if line.startswith("- [mandatory] ")]
    told = [line for line in errors if line not in ("preview failed", "update failed")]
    return next(iter([*told, *policies]), "the reasons are above")
