"""What of a Dockerfile only BuildKit builds, and what BuildKit says while it does so.

The Engine has BuildKit since 18.09, and takes an archive for it as for its own builder: by the parameter ``version=2``.
Its own builder is used for everything else: it is as fast, and it hides from ``COPY`` what `.dockerignore` lists.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FLAG = re.compile(r"--(mount|network|security|device|chmod|link|parents|exclude|keep-git-dir|checksum|unpack)\b")
_INSTRUCTION = re.compile(r"\s*(?:ONBUILD\s+)?(RUN|COPY|ADD)\s+(.*)", re.IGNORECASE | re.DOTALL)
_HERE_DOCUMENT = re.compile(r"(?:^|\s)\d*<<-?([\"']?)([A-Za-z0-9_.]+)\1(?=\s|$)")
_ESCAPE = re.compile(r"#\s*escape\s*=\s*(\S)\s*", re.IGNORECASE)


def needed_for(dockerfile: str) -> str:
    """The first line of a Dockerfile that the Engine's own builder can't build, as it stands there; else empty."""
    lines = dockerfile.removeprefix("\ufeff").splitlines()
    escape = next((found[1] for line in lines[:2] if (found := _ESCAPE.fullmatch(line.strip()))), "\\")
    logical = ""
    for line in lines:
        if line.lstrip().startswith("#"):
            continue
        logical += line.rstrip()
        if logical.endswith(escape):
            logical = logical[:-1] + " "
            continue
        if (found := _INSTRUCTION.fullmatch(logical)) and _is_buildkits(found[2]):
            return " ".join(logical.split())
        logical = ""
    return ""


def _is_buildkits(rest: str) -> bool:
    flags = []
    for word in rest.split():
        if not word.startswith("--"):
            break
        flags.append(word)
    return any(map(_FLAG.match, flags)) or _HERE_DOCUMENT.search(rest) is not None


@dataclass
class Progress:
    """What the records of a build say so far."""

    lines: list[str] = field(default_factory=list)
    """Output of the steps."""
    failed: str = ""
    """The step that failed."""

    def take(self, record: str) -> list[str]:
        """Read a record of the Engine's answer, and return the steps that it says begin.

        Source: StatusResponse in moby/buildkit's api/services/control/control.proto.
        """
        begun = []
        for number, part in _fields(base64.b64decode(record)):
            fields = dict(_fields(part)) if number in (1, 3) else {}
            if number == 1:  # a step: 3 is its name, 5 when it began, 6 when it ended, 7 its error
                name = fields.get(3, b"").decode(errors="replace")
                if fields.get(7):
                    self.failed = name
                elif 5 in fields and 6 not in fields and not name.startswith("[internal]"):
                    begun.append(name)
            elif number == 3:  # output: 4 is the text
                self.lines += fields.get(4, b"").decode(errors="replace").splitlines()
        return begun


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The number and content of each field of a message in protobuf's encoding; numbers are left out."""
    at = 0
    while at < len(message):
        key, at = _integer(message, at)
        if key & 7 == 2:
            size, at = _integer(message, at)
            yield key >> 3, message[at : at + size]
            at += size
        elif key & 7 == 0:
            _, at = _integer(message, at)
        else:
            at += 8 if key & 7 == 1 else 4


def _integer(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
