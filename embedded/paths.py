"""Where the embedded default keeps things."""

import os
from pathlib import Path

from embedded.errors import Failure

PROJECT = Path(__file__).resolve().parent.parent
"""The checkout."""

STATE = Path(os.environ.get("INSPIRATION_STATE") or PROJECT / ".inspiration").resolve()
"""This machine's cluster: keys, data, kubeconfig, logs. Removed by ``script/down --purge``."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "inspiration"
"""What can be made again: the toolchain, images, Go's build cache. Shared by all checkouts."""


def create_state() -> Path:
    """Create :data:`STATE`, readable by its owner only, and return it.

    Raises:
        Failure: The folder can't be created or isn't ours.
    """
    return _create(STATE, 0o700, "set INSPIRATION_STATE to a folder that you can write to")


def create_cache(*parts: str) -> Path:
    """Create the folder ``parts`` of :data:`CACHE` and return it.

    Raises:
        Failure: The folder can't be created.
    """
    return _create(CACHE.joinpath(*parts), 0o755, "set XDG_CACHE_HOME to a folder that you can write to")


def _create(folder: Path, mode: int, fix: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if mode == 0o700:
            folder.chmod(mode)
    except PermissionError as error:
        if folder.exists():
            raise Failure(f"{folder} is another user's", "run this as that user, as by `sudo`") from error
        raise Failure(f"{folder} can't be created: {error.strerror}", fix) from error
    except OSError as error:
        raise Failure(f"{folder} can't be created: {error.strerror}", fix) from error
    return folder
