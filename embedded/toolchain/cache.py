"""Folders made once and kept by the hash of what they are made of."""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.errors import Failure

MORE_ROOM = "make room, or set XDG_CACHE_HOME (and GOMODCACHE) to a folder on a larger disk"
"""What to do about a full disk."""
_UNUSED_DAYS = 30
"""Entries that nobody has asked for in so long are removed."""


def entry(
    root: Path, name: str, key: str, make: Callable[[Path, int], None], waiting: Callable[[], None]
) -> tuple[Path, bool]:
    """Return the folder ``root/NAME-KEY``, made by ``make`` unless it is there already.

    It appears whole or not at all: ``make`` fills a folder beside it, which is renamed at the end.

    Args:
        root: The folder of all entries.
        name: What it is; one entry of a name is made at a time.
        key: Hash of all that determines the content.
        make: Fills the folder given. The descriptor given holds the lock: a child process that inherits it keeps
            others out even when this process is killed.
        waiting: Called before waiting for another process that makes an entry of this name.

    Returns:
        The folder, and whether it was there.

    Raises:
        Failure: The disk became full.
    """
    if folder := find(root, name, key):
        return folder, True
    with locked(root / f"{name}.lock", waiting) as lock:
        if folder := find(root, name, key):
            return folder, True
        # The lock is ours, so whatever is half made was left behind by a process that was killed.
        for orphan in root.glob(f"{name}-*.partial"):
            shutil.rmtree(orphan)
        folder = root / f"{name}-{key}"
        partial = root / f"{folder.name}.partial"
        partial.mkdir()
        try:
            make(partial, lock)
            _flush(partial)
            partial.rename(folder)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise Failure(f"The disk became full while making {folder}", MORE_ROOM) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _prune(root, name, keep=folder)
    return folder, False


def find(root: Path, name: str, key: str) -> Path | None:
    """Return the folder ``root/NAME-KEY`` if it is there, and note that it is in use."""
    folder = root / f"{name}-{key}"
    try:
        os.utime(folder)
    except FileNotFoundError:
        return None
    except PermissionError:
        pass  # another user's, and good enough to read
    return folder


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[int]:
    """Hold the lock ``path`` for the block; ``waiting`` is called first if somebody else has it.

    Raises:
        Failure: The file can't be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        fix = "make it yours (chown), or set XDG_CACHE_HOME to a folder that is"
        raise Failure(f"{path} can't be written: {error.strerror}", fix) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _flush(folder: Path) -> None:
    """Have the content on disk before the rename, which a power cut could otherwise overtake."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _prune(root: Path, name: str, keep: Path) -> None:
    running = {_executable(process) for process in Path("/proc").glob("[0-9]*/exe")}
    for folder in root.glob(f"{name}-*"):
        idle = time.time() - folder.stat().st_mtime > _UNUSED_DAYS * 86400
        if folder != keep and idle and not any(program.is_relative_to(folder) for program in running):
            shutil.rmtree(folder)


def _executable(link: Path) -> Path:
    try:
        return link.readlink()
    except OSError:  # it has ended, or is another user's
        return Path("/")
