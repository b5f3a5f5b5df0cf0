"""When something of a folder is saved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from watchfiles import Change, watch

QUIET_MILLISECONDS = 30
"""In which nothing more is written, before what was is taken: editors and generators write several files."""
LONGEST_MILLISECONDS = 400
"""After which it is taken though more is being written."""
TICK_SECONDS = 1.0


def saves(folder: Path) -> Iterator[bool]:
    """Yield True when something in a folder may have changed, and False every second in which nothing has.

    A generator may remove the folder and make it again: then it is that one.
    """
    folder = folder.resolve()
    while True:
        if not folder.is_dir():
            time.sleep(TICK_SECONDS / 10)
            yield False
            continue
        # What has been saved before this was watched was told by nobody.
        first = True
        try:
            for changes in watch(
                folder,
                watch_filter=None,
                debounce=LONGEST_MILLISECONDS,
                step=QUIET_MILLISECONDS,
                rust_timeout=round(TICK_SECONDS * 1000),
                yield_on_timeout=True,
            ):
                yield bool(changes) or first
                first = False
                if (Change.deleted, str(folder)) in changes or not folder.is_dir():
                    break
        except FileNotFoundError:
            continue
