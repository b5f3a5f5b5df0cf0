"""Small files that are there as a whole or not at all, whenever the one who writes them is ended."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path


def replace(path: Path, text: str, mode: int = 0o644) -> None:
    """Have a file hold ``text``, in one step.

    Args:
        path: The file. One that is there keeps its owner and its permissions; a link stays one.
        text: Its content.
        mode: The permissions of a new file.
    """
    path = path.resolve()
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        new = Path(file.name)
        try:
            file.write(text)
            with contextlib.suppress(FileNotFoundError):
                before = path.stat()
                mode = stat.S_IMODE(before.st_mode)
                if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                    with contextlib.suppress(PermissionError):
                        os.chown(new, before.st_uid, before.st_gid)
            new.chmod(mode)
            file.flush()
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
