"""Lines of logs, each with its time and its pod."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

CONTAINER = "site"
"""The container of a site's pods, and of those of its jobs, that runs the site's image."""

SECOND = 10**9
"""In nanoseconds."""

_LINE = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.](\d{1,9}))?(Z|[+-]\d\d:\d\d)(?: (.*))?", re.DOTALL)


@dataclass(frozen=True, order=True)
class Line:
    """A line that a pod has written."""

    time: int
    """When, as the node's clock had it, in nanoseconds since 1970."""
    pod: str = field(compare=False)
    text: bytes = field(compare=False)
    """As it was written, without its end."""


def parsed(pod: str, raw: bytes) -> Line | None:
    """Return a line of a pod as the API gives it with ``timestamps=true``; ``None`` if it is no line of the pod.

    In a log that isn't there any more, the kubelet says so itself, without a time.
    """
    match = _LINE.fullmatch(raw.removesuffix(b"\n"))
    if match is None:
        return None
    seconds, fraction, zone, text = match.groups()
    time = int(datetime.fromisoformat((seconds + zone).decode()).timestamp())
    return Line(time * SECOND + int((fraction or b"").ljust(9, b"0")), pod, text or b"")


@dataclass
class Mark:
    """How far the log of a container has been read."""

    time: int
    """That of the last line, or from when on there may be one."""
    count: int = 0
    """How many lines of that very time have been read."""

    def unread(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield what comes after the mark, which goes with it. ``lines`` may begin before it."""
        again, passed = self.count, False
        for line in lines:
            if not passed:
                if line.time < self.time:
                    continue
                if line.time == self.time and again:
                    again -= 1
                    continue
            # From here on the order is that of the log: a clock may have been put back.
            passed = True
            self.count = self.count + 1 if line.time == self.time else 1
            self.time = line.time
            yield line
