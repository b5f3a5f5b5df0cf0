"""Ctrl-C, and the other signals that ask a process to end: none is lost, and a second one ends everything at once.

Python raises `KeyboardInterrupt` wherever the main thread is just then. Most code passes it on, but a destructor or a
library may swallow it, other threads don't see it, and what has been started ends by the same Ctrl-C and looks as if it
had failed. So it is also written down here, for all of them to ask.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

CODE = 130
"""Exit code after Ctrl-C, as a shell has it for what SIGINT has ended."""

BOUNCE = 0.5
"""Seconds in which further signals are the same request: ``timeout`` and service managers send two."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_SHOW_CURSOR = "\x1b[?25h"


class _Requests:
    """The signals that have come, and what is done about them."""

    def __init__(self) -> None:
        self.words = "interrupted"
        self.count = 0
        self.last = 0.0
        self.over = False
        self.holders: list[Callable[[int, int], None]] = []

    def handle(self, number: int, _: object) -> None:
        now = time.monotonic()
        # A terminal that is closed may say so several times; nobody has pressed anything.
        new = not self.count or (now - self.last > BOUNCE and number != signal.SIGHUP)
        self.last = now
        self.count += new
        if self.over:
            _end_at_once(self.words)
        if not new:
            return
        if self.holders:
            self.holders[-1](number, self.count)
            return
        if self.count > 1:
            _end_at_once(self.words)
        if number != signal.SIGINT:
            # Ctrl-C has reached what was started too, any other signal this process only.
            _end_children(os.getpgrp())
        raise KeyboardInterrupt(number)

    def hold(self, _: int, count: int) -> None:
        if count > 1:
            _end_at_once(self.words)


_requests = _Requests()


def listen(words: str, *, at_once: bool = False) -> None:
    """Heed the signals from now on, whether they were blocked or ignored before.

    What a script starts in the background ignores Ctrl-C, but only until it is a program that asks for it, as Pulumi
    does: half of this would end by it. ``nohup``, which ignores that a terminal is closed, is heeded.

    Args:
        words: The line to print in the end if one comes.
        at_once: There is nothing yet to end in order: the first one just ends the process, with the line.
    """
    _requests.words = words
    _requests.over = at_once
    _install()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def say(words: str) -> None:
    """Have another line printed from now on if a signal comes."""
    _requests.words = words


def words() -> str:
    """The line to print in the end if a signal has come."""
    return _requests.words


def happened() -> bool:
    """Whether this process has been asked to end."""
    return _requests.count > 0


def check() -> None:
    """End what the calling thread does, if the process has been asked to end and nothing holds that back.

    Raises:
        KeyboardInterrupt: It has.
    """
    if _requests.count and not _requests.holders:
        raise KeyboardInterrupt


@contextlib.contextmanager
def held(handler: Callable[[int, int], None] | None = None) -> Iterator[None]:
    """Don't interrupt the block, but what comes after it.

    Args:
        handler: Called for each request with the signal and which request it is, from 1; by default nothing is done
            about the first one, and the second one ends this process at once.

    Raises:
        KeyboardInterrupt: After the block, if a request came meanwhile.
    """
    before = _install()
    if before:  # nobody listens but for this block
        _requests.count, _requests.over = 0, False
    _requests.holders.append(handler or _requests.hold)
    try:
        yield
    finally:
        _requests.holders.pop()
        for number, previous in before.items():
            signal.signal(number, previous)
        asked = happened()
        if before:
            _requests.count = 0
    if asked and not _requests.holders:
        raise KeyboardInterrupt


def finish() -> None:
    """There is nothing to end in order any more: what comes from now on just ends the process, with the line."""
    _requests.over = True


def _install() -> dict[int, signal._HANDLER]:
    """Handle the signals, if that isn't done yet; return how they were handled before, where that was changed."""
    before: dict[int, signal._HANDLER] = {}
    for number in SIGNALS:
        previous = signal.getsignal(number)
        if previous != _requests.handle and (number != signal.SIGHUP or previous != signal.SIG_IGN):
            before[number] = previous
            signal.signal(number, _requests.handle)
    return before


def _end_at_once(words: str) -> NoReturn:
    """End this process and what it has started, without waiting for anything."""
    _end_children()
    cursor = _SHOW_CURSOR if os.isatty(2) else ""  # which a live line has hidden
    with contextlib.suppress(OSError):
        os.write(2, f"{cursor}{words}\n".encode())
    os._exit(CODE)


def _end_children(group: int | None = None) -> None:
    """Ask what this process has started to end; the cluster has a session of its own, and stays.

    Args:
        group: Only what is in this process group.
    """
    parents: dict[int, int] = {}
    groups: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        # The fields of proc_pid_stat(5) from the third one on; the second one, in parentheses, may have spaces.
        with contextlib.suppress(OSError, ValueError):
            fields = file.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == os.getsid(0):
                parents[int(file.parent.name)] = int(fields[1])
                groups[int(file.parent.name)] = int(fields[2])
    started = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in started} - started:
        started |= more
    for pid in started - {os.getpid()}:
        if group in (None, groups[pid]):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                os.kill(pid, signal.SIGTERM)
