"""How tests unpack an archive of the project's own."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpack it as it is, file modes and owners too.

    The filter is an attribute, because Debian 12's Python (3.11.2) doesn't know `filter` as a parameter yet; later
    ones warn where neither says which it is.
    """
    tar.extraction_filter = getattr(tarfile, "tar_filter", None)
    tar.extractall(folder)
