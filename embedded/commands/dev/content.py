"""What is put into the pod of a site that is edited: as much as has changed, as an archive."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO

from embedded.commands.dev.objects import Edited, front_port
from settings import edited as folders
from settings.edited import EditError

_HERE = Path(__file__).parent
SCRIPT = (_HERE / "reload.js").read_text(encoding="utf-8")
"""Has the tab show what is new."""
SCRIPT_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"
"""How a Content-Security-Policy names it."""
PLAIN, CONFIGURATION, PUBLIC = "srv/plain", "etc", "srv/dev/public"
"""Where pages are in the archive, the configuration of their server, and what the script asks for."""

_MARK = f"<script>{SCRIPT}</script>\n".encode()
_SPOOLED = 1 << 24

Stamp = tuple[int, ...]


@dataclass
class Change:
    """What is other than it was."""

    names: list[str]
    """The files of the folder."""
    archive: IO[bytes]
    gone: list[str] = field(default_factory=list)
    """What makes way first, by its path among the pages."""
    configured: bool = False
    """Whether the server has to read its configuration again."""
    saved: float = 0
    """When the last of the files was written, by the clock of the file system; 0: that isn't known."""


class Folder:
    """Files as they were when they were last looked at."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._stamps: dict[str, Stamp] = {}

    def changed(self) -> tuple[list[str], float]:
        """Return which files have been written or removed since the last time, and when the last one was.

        Raises:
            EditError: The folder can't be read.
        """
        found: dict[str, Stamp] = {}
        # Ignored or not, these say what is built.
        deciding = (Path(self._source, name) for name in ("Dockerfile", ".dockerignore"))
        for path in (*folders.watched(self._source), *deciding):
            if (stamp := stamp_of(path)) is not None:
                found[path.relative_to(self._source).as_posix()] = stamp
        names = sorted(name for name in {*found, *self._stamps} if found.get(name) != self._stamps.get(name))
        saved = max((found[name][0] for name in names if name in found), default=0) / 1e9
        self._stamps = found
        return names, saved


class Pages:
    """A folder of pages, and what the pod has of it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._stamps: dict[str, Stamp] = {}
        self._sums: dict[str, str] = {}
        self._configuration: Mapping[str, str] = {}

    def forget(self) -> None:
        """There is nothing in the pod: it is another one."""
        self._stamps, self._sums, self._configuration = {}, {}, {}

    def change(self) -> Change | None:
        """Return what has changed since the last time; ``None``: nothing.

        Raises:
            EditError: It can't be served as it is. What can is returned the next time.
        """
        pages = folders.pages(self._source, SCRIPT_SOURCE)
        files = _Archive()
        stamps: dict[str, Stamp] = {}
        sums: dict[str, str] = {}
        names = []
        for name, path in pages.files.items():
            stamp = stamp_of(path)
            if stamp is None:
                continue  # gone meanwhile, which is a change of its own
            if stamp == self._stamps.get(name):
                stamps[name], sums[name] = stamp, self._sums[name]
                continue
            try:
                entry = _entry(path)
            except OSError as error:
                raise EditError(f"{path} can't be read: {error.strerror}; make it readable") from None
            stamps[name], sums[name] = stamp, hashlib.sha256(entry).hexdigest()
            if sums[name] != self._sums.get(name):
                names.append(name)
                if path.is_symlink():
                    files.link(f"{PLAIN}/{name}", str(path.readlink()))
                else:
                    files.add(f"{PLAIN}/{name}", marked(name, entry), sums[name])
        changed = {name: text for name, text in pages.configuration.items() if self._configuration.get(name) != text}
        for name, text in changed.items():
            files.add(f"{CONFIGURATION}/{name}", text.encode(errors="surrogateescape"))
        removed = sorted(self._sums.keys() - sums.keys())
        gone = [*removed, *_folders_of(self._sums) & sums.keys()]
        saved = max((stamps[name][0] for name in names), default=0) / 1e9
        self._stamps, self._sums = stamps, sums
        self._configuration = pages.configuration
        if not (names or removed or changed):
            return None
        if changed and not (names or removed):
            names = ["_redirects, _headers"]
        return Change([*names, *removed], files.closed(), gone, bool(changed), saved)


def marked(name: str, content: bytes) -> bytes:
    """Return a file as it is served: a page with the script at its end, where a browser takes it for the body's."""
    return content + _MARK if name.lower().endswith((".html", ".htm")) else content


def front(edited: Edited) -> IO[bytes]:
    """Return an archive of what the server in front of a program needs."""
    files = _Archive()
    port = front_port(edited.port)
    conf = (_HERE / "nginx.conf").read_text(encoding="utf-8")
    texts = {
        "nginx.conf": conf.replace("{port}", str(port)).replace("{program}", str(edited.port)),
        "listen-ipv6.conf": f"listen [::]:{port};\n",
        "append-by-script.conf": "js_import dev from /srv/dev/append.js;\n",
        "append-here.conf": "js_header_filter dev.header;\njs_body_filter dev.body buffer_type=buffer;\n",
        "append-after.conf": "add_after_body /.dev/append.html;\n",
        "append.js": (_HERE / "append.js").read_text(encoding="utf-8"),
        "public/append.html": '<script src="/.dev/reload.js"></script>\n',
        "public/reload.js": SCRIPT,
        "public/waiting.html": (_HERE / "waiting.html").read_text(encoding="utf-8"),
    }
    for name, text in texts.items():
        files.add(f"srv/dev/{name}", text.encode())
    return files.closed()


def state(version: str, error: str) -> IO[bytes]:
    """Return an archive of what the script asks for: it reloads when the version is another, and shows the error."""
    files = _Archive()
    files.add(f"{PUBLIC}/state.json", json.dumps({"version": version, "error": error}).encode())
    files.add("srv/dev/ready", b"")
    return files.closed()


def stamp_of(path: Path) -> Stamp | None:
    """Return what changes when a file is written, when it was first; ``None`` if there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino, stat.S_IFMT(found.st_mode))


def _entry(path: Path) -> bytes:
    return os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()


def _folders_of(names: Iterable[str]) -> set[str]:
    return {parent.as_posix() for name in names for parent in Path(name).parents}


class _Archive:
    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_SPOOLED)  # noqa: SIM115 - it is handed on
        # BusyBox knows GNU's long names, and not those of POSIX.
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115

    def add(self, name: str, content: bytes, digest: str = "") -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o644
        # Tells the content, as in the image: nginx makes ETags of time and size.
        member.mtime = int((digest or hashlib.sha256(content).hexdigest())[:7], 16)
        self._tar.addfile(member, BytesIO(content))

    def link(self, name: str, target: str) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(member)

    def closed(self) -> IO[bytes]:
        self._tar.close()
        self._file.seek(0)
        return self._file
