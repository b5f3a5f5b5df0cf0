"""What a Docker build sees of a folder, and its hash."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from components.site.dockerignore import ignore_file, left
from components.site.pages.server import DOCKERFILE


def dockerfile_of(folder: Path) -> Path:
    """Return the Dockerfile that builds ``folder``: its own or, where it has none, that of pages."""
    own = folder / "Dockerfile"
    return own if own.is_file() else DOCKERFILE


def content_hash(folder: Path, dockerfile: Path, arguments: Mapping[str, str] | None = None) -> str:
    """Return the SHA-256 (hex) of what ``dockerfile`` is built from in ``folder`` with ``arguments``.

    Of the folder it depends on the paths inside it, the contents, the exec bits and the targets of links, and on
    nothing else: not on times, owners, the umask or where the folder is. What ``.dockerignore`` names doesn't count.
    """
    digest = hashlib.sha256()
    _add(digest, b"dockerfile", dockerfile.read_bytes())
    for argument, value in sorted((arguments or {}).items()):
        _add(digest, b"argument", argument.encode(), value.encode())
    for path in files(folder, dockerfile):
        name = os.fsencode(path.relative_to(folder))
        if path.is_symlink():
            _add(digest, b"link", name, os.fsencode(path.readlink()))
        else:
            executable = path.stat().st_mode & stat.S_IXUSR
            _add(digest, b"program" if executable else b"file", name, path.read_bytes())
    return digest.hexdigest()


def files(folder: Path, dockerfile: Path) -> list[Path]:
    """Return the files and links of the build context ``folder`` that ``.dockerignore`` leaves, sorted by path.

    Raises:
        DockerignoreError: Docker refuses that file.
        OSError: It, or a folder that it leaves, can't be read.
    """
    paths = (folder / name for name in left(folder, ignore_file(folder, dockerfile)))
    # Nothing else is sent to a Docker Engine, and to read a pipe would take for ever.
    return [path for path in paths if path.is_symlink() or path.is_file()]


def _add(digest: "hashlib._Hash", *fields: bytes) -> None:
    # With their lengths, so that no two lists of fields look the same.
    for field in fields:
        digest.update(len(field).to_bytes(8, "big") + field)
