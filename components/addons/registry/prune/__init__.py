"""Deletes old releases from the registry's volume, and what only they needed. A CronJob runs this, in the cluster.

It needs nothing but Python. What it deletes goes aside first, where the registry doesn't look. Then it looks again, and
puts back what has come into use meanwhile. So a push or a deployment at the same moment finds what it needs, or fails
with an error and can be repeated; the registry goes on serving.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .errors import PruneError
from .store import Release, Store
from .workloads import Used, list_objects, used

VOLUME = Path("/var/lib/registry")
SETTLE_SECONDS = 3
"""What the registry had accepted when something went aside has been written so much later."""
PATIENCE_SECONDS = 300
"""How long it waits for pushes to end."""


def prune(store: Store, now_used: Callable[[], Used], keep: int, say: Callable[[str], None]) -> None:
    """Delete all releases but the newest ones of each site and those that are used, and what only they needed.

    Args:
        store: The registry's volume.
        now_used: Asks the cluster what it uses.
        keep: How many releases of a site stay.
        say: Tells the user.

    Raises:
        PruneError: Something has been pushed all the time.
    """
    store.put_back()
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        if not store.is_pushed_to():
            deleted = _put_aside(store, now_used(), keep)
            if not store.is_anything_aside():
                break
            time.sleep(SETTLE_SECONDS)
            is_used = now_used()
            if not store.is_pushed_to() and not any(
                is_used(each.repository, each.digest, each.tags) or store.has_come_back(each) for each in deleted
            ):
                break
            # From the beginning, with what is so now.
            store.put_back()
        if time.monotonic() > end:
            busy = f"something has been pushed for {PATIENCE_SECONDS} s"
            raise PruneError(f"{busy}; nothing was deleted, try again later")
        time.sleep(1)
    store.put_back_named()
    freed = store.delete()
    for repository in sorted({each.repository for each in deleted}):
        number = sum(each.repository == repository for each in deleted)
        left = len(store.releases(repository))
        say(f"{repository}: {number} {'release' if number == 1 else 'releases'} deleted, {left} kept")
    if not deleted:
        say(f"no release to delete: each is among the last {keep} of its site, or in use")
    say(f"{_mebibytes(freed)} given back, {_mebibytes(store.size())} in use")


def _put_aside(store: Store, is_used: Used, keep: int) -> list[Release]:
    """Put aside what is to be deleted, and return the releases of it."""
    deleted = []
    for repository in list(store.repositories()):
        for release in store.releases(repository)[keep:]:
            if not is_used(repository, release.digest, release.tags):
                parts = {each for each in store.parts(release) if not is_used(repository, each, ())}
                store.put_aside_release(release, parts)
                deleted.append(release)
    store.put_aside_unnamed()
    return deleted


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def main() -> int:
    """Delete what is old; returns the exit code."""
    keep = int(os.environ["KEEP"])

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")

    # Another job may run.
    with (VOLUME / ".prune-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            prune(Store(VOLUME), lambda: used(list_objects, keep), keep, say)
        except PruneError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        except OSError as error:
            # The next run puts back what is aside.
            sys.stderr.write(f"the volume can't be changed: {error}; see that the user {os.getuid()} may\n")
            return 1
    return 0
