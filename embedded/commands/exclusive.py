"""One command at a time may change a cluster."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from embedded import paths


@contextmanager
def exclusive(console: Console) -> Iterator[None]:
    """Wait until no other ``script/up`` or ``script/down`` of this state folder is at work, and keep others out.

    The lock is the folder itself, so it is gone with it, and with the process, however that ends.
    """
    while True:
        folder = os.open(paths.create_state(), os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(f"waiting for another script/up or script/down that works on {paths.STATE}")
            fcntl.flock(folder, fcntl.LOCK_EX)
        # The one that was waited for may have removed the folder: then this is the lock of nothing.
        if paths.STATE.exists() and os.path.samestat(os.fstat(folder), paths.STATE.stat()):
            break
        os.close(folder)
    try:
        yield
    finally:
        os.close(folder)
