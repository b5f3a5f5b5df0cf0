"""The build context: which files it holds, a digest of them, and the archive that the Docker Engine gets.

Owner, permissions but for the executable bit, and modification time differ from one checkout to the next. So the digest
ignores all three, and the archive holds neither of the first two: equal digests make equal images.
"""

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..shared.errors import PluginError
from .buildkit import needed_for
from .dockerfile import of_folder
from .dockerignore import IGNORE_FILE, DockerignoreError, ignore_file, left

MAX_BYTES = 1 << 30
"""Of all files together. More is a mistake, usually a forgotten `.dockerignore`."""

_CHUNK = 1 << 20

_DOCKERFILE, _FOLDER = "Dockerfile", "context"
"""In the archive of `BuildContext.write_beside`."""


@dataclass(frozen=True)
class BuildContext:
    """A folder to build.

    Args:
        folder: The context.
        dockerfile: The Dockerfile, inside the folder or elsewhere; relative to the current folder.
    """

    folder: Path
    dockerfile: Path

    def digest(self) -> str:
        """SHA-256 of what a build depends on, the same wherever and whoever checked the folder out.

        Raises:
            PluginError: A file can't be read, or there is too much of it all.
        """
        digest = hashlib.sha256()
        digest.update(b"dockerfile %s\n" % os.fsencode(self._dockerfile_name()))
        if not self._has_dockerfile():
            digest.update(_file_digest(self.dockerfile))
        for name, path, status in self._entries(self._left()):
            if stat.S_ISLNK(status.st_mode):
                digest.update(b"link %s\0%s\n" % (os.fsencode(name), os.fsencode(path.readlink())))
            elif stat.S_ISDIR(status.st_mode):
                digest.update(b"folder %s\n" % os.fsencode(name))
            else:
                executable = b"True" if _is_executable(status) else b"False"
                digest.update(b"file %s\0%s\n" % (os.fsencode(name), executable) + _file_digest(path))
        return digest.hexdigest()

    def needs_buildkit(self) -> str:
        """The first line of the Dockerfile that only BuildKit builds; else empty.

        Raises:
            PluginError: It can't be read; or BuildKit would have it in the image, which it mustn't.
        """
        line = needed_for(self.text())
        if line and self._hidden(self._left()):
            raise PluginError(
                f"{self.dockerfile} needs BuildKit, for “{line}”, and would be in the image then, though "
                f"{'.dockerignore lists it' if self._has_dockerfile() else 'it is outside of the context'}; "
                f"{'take it off that list' if self._has_dockerfile() else 'move it into the context'}, and copy what "
                "the image needs by name"
            )
        return line

    def text(self) -> str:
        """What the Dockerfile says.

        Raises:
            PluginError: It can't be read.
        """
        with _readable(self.dockerfile) as source:
            return source.read().decode(errors="replace")

    def write(self, target: IO[bytes]) -> str:
        """Write the folder as a tar archive, and return the Dockerfile's name in it.

        Raises:
            PluginError: A file can't be read, or there is too much of it all.
        """
        names, dockerfile = self._left(), self._dockerfile_name()
        hidden = self._hidden(names)
        with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
            # The Dockerfile first: BuildKit knows an archive by its first 1024 bytes, which a short header fits in.
            for name, path, status in sorted(self._entries(names), key=lambda entry: entry[0] != dockerfile):
                if name != IGNORE_FILE or name not in hidden:
                    _add_entry(tar, name, path, status)
            if not self._has_dockerfile():
                _add(tar, dockerfile, self.dockerfile.read_bytes())
            if IGNORE_FILE in hidden:
                _add(tar, IGNORE_FILE, "".join(f"{name}\n" for name in hidden).encode(errors="surrogateescape"))
        return dockerfile

    def write_beside(self, target: IO[bytes], dockerfile: str) -> str:
        """Write a tar archive with a Dockerfile that says something else, and return its name.

        It is beside the folder in there, where no ``COPY`` picks it up, as BuildKit hides nothing of an archive.

        Args:
            target: Where to.
            dockerfile: What it is to say of the folder.

        Raises:
            PluginError: A file can't be read, or there is too much of it all.
        """
        names = self._left()
        with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, _DOCKERFILE, of_folder(dockerfile, _FOLDER).encode(errors="replace"))
            folder = tarfile.TarInfo(_FOLDER)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
            for name, path, status in self._entries(names):
                if name in names:
                    _add_entry(tar, f"{_FOLDER}/{name}", path, status)
        return _DOCKERFILE

    def _hidden(self, names: list[str]) -> list[str]:
        """What the Engine is sent, and ignores then, so that no ``COPY`` picks it up: as the Docker command does it."""
        if self._has_dockerfile() and self._dockerfile_name() in names:
            return []
        # In the image there is the folder's own ignore file, if that leaves itself, or none.
        own = self._has_dockerfile() and IGNORE_FILE in names
        return [self._dockerfile_name(), *([] if own else [IGNORE_FILE])]

    def _has_dockerfile(self) -> bool:
        # A link that leads out of the folder is of no use to the Engine, which gets the folder only.
        return self.dockerfile.resolve().is_relative_to(self.folder.resolve())

    def _dockerfile_name(self) -> str:
        if not self._has_dockerfile():
            return ".dockerfile.outside"
        return Path(os.path.relpath(self.dockerfile.resolve(), self.folder.resolve())).as_posix()

    def _left(self) -> list[str]:
        try:
            return left(self.folder, ignore_file(self.folder, self.dockerfile))
        except DockerignoreError as error:
            raise PluginError(f"build.context: {error}") from error
        except OSError as error:
            raise _unreadable(error.filename or self.folder, error) from error

    def _entries(self, left: list[str]) -> Iterator[tuple[str, Path, os.stat_result]]:
        """Name in the archive, path and status of each entry that is `left`, and of the Dockerfile, by name."""
        names = {*left, *([self._dockerfile_name()] if self._has_dockerfile() else [])}
        entries = []
        for name in sorted(names):
            path = self.folder / name
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
                entries.append((name, path, status))
        sizes = {name: status.st_size for name, _, status in entries if stat.S_ISREG(status.st_mode)}
        if sum(sizes.values()) > MAX_BYTES:
            largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
            raise PluginError(
                f"build.context {self.folder} holds {_mebibytes(sum(sizes.values()))}, more than "
                f"{_mebibytes(MAX_BYTES)}; list what the image doesn't need in {self.folder / '.dockerignore'} "
                f"(largest: {', '.join(f'{name} {_mebibytes(sizes[name])}' for name in largest)})"
            )
        yield from entries


def _file_digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with _readable(path) as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()


def _readable(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path | str, error: OSError) -> PluginError:
    return PluginError(
        f"build.context: {path} can't be read: {error.strerror}; make it readable, or list it in .dockerignore"
    )


def _is_executable(status: os.stat_result) -> bool:
    return bool(status.st_mode & stat.S_IXUSR)


def _add_entry(tar: tarfile.TarFile, name: str, path: Path, status: os.stat_result) -> None:
    member = tar.gettarinfo(path, arcname=name)
    member.mode = 0o755 if stat.S_ISDIR(status.st_mode) or _is_executable(status) else 0o644
    member.mtime = int(member.mtime)  # a fraction would need another header
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    with _readable(path) if member.isreg() else io.BytesIO() as source:
        tar.addfile(member, source if member.isreg() else None)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o644
    tar.addfile(member, io.BytesIO(content))


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
