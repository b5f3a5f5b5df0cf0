"""What a ``pulumi`` leaves that was killed: its lock of a stack, and plugins.

A ``pulumi`` that is killed leaves its lock in the file backend, and the next one refuses to work until somebody runs
``pulumi cancel``, which would take the lock of one that is at work as well. Here only locks of the dead are taken.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil

SLACK = timedelta(seconds=5)
"""A process that began so much after the lock was made is another one, with a number that is used again."""


def release_dead(backend: Path, project: str, stack: str) -> list[int]:
    """Remove the locks that dead processes of this machine hold on a stack.

    Args:
        backend: The folder of Pulumi's file backend.
        project: Name of the stack's project.
        stack: Its name.

    Returns:
        The process ids of those that held them.
    """
    released = []
    for path, pid, is_dead in _locks(backend, project, stack):
        if is_dead:
            path.unlink(missing_ok=True)
            released.append(pid)
    return released


def holders(backend_url: str, project: str, stack: str) -> list[int]:
    """Return the process ids of the updates that are at work on a stack; none where its state isn't in files.

    Args:
        backend_url: As ``$PULUMI_BACKEND_URL`` has it.
        project: Name of the stack's project.
        stack: Its name.
    """
    url = urlsplit(backend_url)
    if url.scheme != "file" or not url.path:
        return []
    locks = _locks(Path(unquote(url.path)), project, stack.rpartition("/")[2])
    return [pid for _, pid, is_dead in locks if not is_dead]


def end_orphans(home: Path) -> None:
    """End the plugins of a ``PULUMI_HOME`` whose engine is gone.

    Pulumi's own look every five minutes whether it is still there (pkg/resource/provider/main.go); those of this
    project end at once.
    """
    for process in psutil.process_iter(["exe"]):
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = process.parent()
            if Path(process.info["exe"] or "/").is_relative_to(home / "plugins") and (
                parent is None or parent.name() != "pulumi"
            ):
                process.terminate()


def _locks(backend: Path, project: str, stack: str) -> Iterator[tuple[Path, int, bool]]:
    """Yield the locks of a stack, the process that made each, and whether that was of this machine and has ended."""
    # Written by pulumi's pkg/backend/diy/lock.go.
    for path in sorted((backend / ".pulumi" / "locks" / "organization" / project / stack).glob("*.json")):
        try:
            lock = json.loads(path.read_text())
            pid, made = int(lock["pid"]), datetime.fromisoformat(lock["timestamp"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # gone meanwhile, or not what we know: Pulumi says what it thinks of it
        yield path, pid, lock.get("hostname") == socket.gethostname() and not _is_alive(pid, made)


def _is_alive(pid: int, locked: datetime) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        # That a pulumi began later may only seem so, where the clock was set meanwhile.
        return process.name() == "pulumi" or process.create_time() <= (locked + SLACK).timestamp()
    except psutil.NoSuchProcess:
        return False
