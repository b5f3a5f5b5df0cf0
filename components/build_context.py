"""What a Docker build sees of a folder, and its hash."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path


def content_hash(folder: Path, dockerfile: Path) -> str:
    """Return the SHA-256 (hex) of what ``dockerfile`` is built from in ``folder``.

    It depends on the paths inside the folder, the contents, the exec bits and the targets of links, and on nothing
    else: not on times, owners, the umask or where the folder is. Files that ``.dockerignore`` names don't count.
    """
    digest = hashlib.sha256()
    _add(digest, b"dockerfile", dockerfile.read_bytes())
    for path in files(folder):
        name = os.fsencode(path.relative_to(folder))
        if path.is_symlink():
            _add(digest, b"link", name, os.fsencode(path.readlink()))
        else:
            executable = path.stat().st_mode & stat.S_IXUSR
            _add(digest, b"program" if executable else b"file", name, path.read_bytes())
    return digest.hexdigest()


def files(folder: Path) -> list[Path]:
    """Return the files and links of the build context ``folder`` that ``.dockerignore`` leaves, sorted by path."""
    ignore = folder / ".dockerignore"
    patterns = _patterns(ignore.read_text(errors="surrogateescape")) if ignore.is_file() else []
    return sorted(_walk(folder, folder, patterns), key=lambda path: path.relative_to(folder).as_posix())


def _add(digest: "hashlib._Hash", *fields: bytes) -> None:
    # With their lengths, so that no two lists of fields look the same.
    for field in fields:
        digest.update(len(field).to_bytes(8, "big") + field)


def _walk(folder: Path, root: Path, patterns: list[tuple[re.Pattern[str], bool]]) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path, root, patterns)
        # Nothing else is sent to a Docker Engine, and to read a pipe would take for ever.
        elif (path.is_symlink() or path.is_file()) and not _ignored(path.relative_to(root), patterns):
            yield path


def _ignored(path: Path, patterns: list[tuple[re.Pattern[str], bool]]) -> bool:
    # The last pattern that matches the path, or a folder that it is in, decides.
    names = [path.as_posix(), *(parent.as_posix() for parent in path.parents if parent.name)]
    ignored = False
    for pattern, ignores in patterns:
        if any(pattern.fullmatch(name) for name in names):
            ignored = ignores
    return ignored


def _patterns(text: str) -> list[tuple[re.Pattern[str], bool]]:
    """Return each pattern of a ``.dockerignore`` with whether it ignores (``!`` makes an exception).

    Source: https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    lines = (line.strip() for line in text.splitlines() if not line.startswith("#"))
    found = []
    for line in filter(None, lines):
        pattern = os.path.normpath(line.removeprefix("!").strip()).lstrip("/")
        if pattern != ".":
            found.append((_compiled(pattern), not line.startswith("!")))
    return found


_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[[^]]+\]|\\.|.", re.DOTALL)
_TRANSLATIONS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _compiled(pattern: str) -> re.Pattern[str]:
    def translate(token: str) -> str:
        if token in _TRANSLATIONS:
            return _TRANSLATIONS[token]
        if token.startswith("[") and token.endswith("]") and len(token) > 1:
            return token
        return re.escape(token[-1])

    try:
        return re.compile("".join(translate(token) for token in _TOKENS.findall(pattern)))
    except re.error:  # A range such as [z-a]; Docker will refuse it.
        return re.compile(re.escape(pattern))
