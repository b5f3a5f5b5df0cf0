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

MAX_BYTES = 1 << 30
"""Of all files together. More is a mistake, usually a forgotten `.dockerignore`."""

_CHUNK = 1 << 20


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
        for name, path, status in self._entries():
            if stat.S_ISLNK(status.st_mode):
                digest.update(b"link %s\0%s\n" % (os.fsencode(name), os.fsencode(path.readlink())))
            elif stat.S_ISDIR(status.st_mode):
                digest.update(b"folder %s\n" % os.fsencode(name))
            else:
                executable = b"True" if _is_executable(status) else b"False"
                digest.update(b"file %s\0%s\n" % (os.fsencode(name), executable) + _file_digest(path))
        return digest.hexdigest()

    def write(self, target: IO[bytes]) -> str:
        """Write the folder as a tar archive, and return the Dockerfile's name in it.

        Raises:
            PluginError: A file can't be read, or there is too much of it all.
        """
        dockerfile = self._dockerfile_name()
        with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
            ignore = b""
            for name, path, status in self._entries():
                if name == ".dockerignore" and not self._has_dockerfile():
                    ignore = path.read_bytes()
                    continue
                member = tar.gettarinfo(path, arcname=name)
                executable = stat.S_ISDIR(status.st_mode) or _is_executable(status)
                member.mode = 0o755 if executable else 0o644
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                with _readable(path) if member.isreg() else io.BytesIO() as source:
                    tar.addfile(member, source if member.isreg() else None)
            if not self._has_dockerfile():
                # As the docker command does it: sent along, but ignored, so that no COPY picks it up.
                _add(tar, dockerfile, self.dockerfile.read_bytes())
                _add(tar, ".dockerignore", ignore + f"\n{dockerfile}\n.dockerignore\n".encode())
        return dockerfile

    def _has_dockerfile(self) -> bool:
        # A link that leads out of the folder is of no use to the Engine, which gets the folder only.
        return self.dockerfile.resolve().is_relative_to(self.folder.resolve())

    def _dockerfile_name(self) -> str:
        if not self._has_dockerfile():
            return ".dockerfile.outside"
        return Path(os.path.relpath(self.dockerfile.resolve(), self.folder.resolve())).as_posix()

    def _entries(self) -> Iterator[tuple[str, Path, os.stat_result]]:
        """Name in the archive, path and status of each entry that `.dockerignore` leaves, by name."""
        # Imported here since it takes 0.1 s, and a plugin is started for every preview.
        from docker.utils.build import exclude_paths

        patterns = _ignore_patterns(self.folder / ".dockerignore")
        dockerfile = self._dockerfile_name() if self._has_dockerfile() else ".dockerignore"
        try:
            names = sorted(exclude_paths(str(self.folder), patterns, dockerfile=dockerfile))
        except OSError as error:
            raise _unreadable(error.filename or self.folder, error) from error
        entries = []
        for name in names:
            path = self.folder / name
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
                entries.append((Path(name).as_posix(), path, status))
        sizes = {name: status.st_size for name, _, status in entries if stat.S_ISREG(status.st_mode)}
        if sum(sizes.values()) > MAX_BYTES:
            largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
            raise PluginError(
                f"build.context {self.folder} holds {_mebibytes(sum(sizes.values()))}, more than "
                f"{_mebibytes(MAX_BYTES)}; list what the image doesn't need in {self.folder / '.dockerignore'} "
                f"(largest: {', '.join(f'{name} {_mebibytes(sizes[name])}' for name in largest)})"
            )
        yield from entries


def _ignore_patterns(file: Path) -> list[str]:
    if not file.is_file():
        return []
    with _readable(file) as source:
        text = source.read().decode("utf-8-sig", errors="surrogateescape")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


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


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o644
    tar.addfile(member, io.BytesIO(content))


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
