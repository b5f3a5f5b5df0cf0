"""What the image of a folder of pages is built with: its Dockerfile, and that one's arguments."""

import re
from collections.abc import Sequence, Set
from pathlib import Path

from components.site.pages import headers, redirects
from components.site.pages.rules import RuleError, key

DOCKERFILE = Path(__file__).parent / "Dockerfile"
CONFIGURATION = Path(__file__).parent / "nginx.conf"
RELEASE_HEADER = "X-Release"
"""Says with each answer of which release it is: the hash of what the image was built from."""
MAX_ARGUMENT = 120_000
"""Bytes of a build argument: one word of a command has 128 KiB on Linux."""

YEAR = '"public, max-age=31536000, immutable"'
_VITE = re.compile(rb'<script type="module" crossorigin src="(?:\./|/)?((?:[A-Za-z0-9_.-]+/)+)[^"/]+-[\w-]{8}\.js">')
_WORD = "(?:[A-Za-z]?[a-z]+(?:[A-Z][a-z]+)*|[A-Z]+)[0-9]*"
"""Looks like a hash of Vite's, eight of 64 characters, and is nearly always a word: ``document``, ``DarkMode``."""


def arguments(folder: Path, context: Sequence[Path]) -> dict[str, str]:
    """Return the arguments of the Dockerfile for ``folder``, of whose files the build sees ``context``.

    Raises:
        RuleError: A line of ``_redirects`` or ``_headers`` can't be meant.
        OSError: A file can't be read.
    """
    present = {f"/{path.relative_to(folder).as_posix()}": path for path in context}
    pages = present.keys() - {f"/{redirects.FILE}", f"/{headers.FILE}", "/.dockerignore"}
    said = headers.compiled(present.get(f"/{headers.FILE}"), pages)
    found = {
        "NGINX_CONF": CONFIGURATION.read_text(encoding="utf-8"),
        "REDIRECTS": redirects.compiled(present.get(f"/{redirects.FILE}"), pages),
        "HEADERS": said.http,
        "LOCATIONS": said.server,
        "IMMUTABLE": _immutable(folder, pages),
    }
    for name, file in (("REDIRECTS", redirects.FILE), ("HEADERS", headers.FILE), ("LOCATIONS", headers.FILE)):
        if (size := len(found[name].encode())) > MAX_ARGUMENT:
            raise RuleError(
                f"{folder / file}: comes to {size} bytes; allowed: {MAX_ARGUMENT}; take some rules together"
            )
    return found


def _immutable(folder: Path, pages: Set[str]) -> str:
    """Return the keys of a map for the files of Vite, which its page alone tells from others like ``a-document.js``."""
    found = _VITE.search((folder / "index.html").read_bytes())
    if not found or not any(path.startswith(f"/{found[1].decode()}") for path in pages):
        return ""
    return key(rf"^//\w+/{re.escape(found[1].decode())}[^/]*-(?!{_WORD}\.)[\w-]{{8}}\.\w+$") + f" {YEAR};\n"
