"""``script/logs``: what the pods of a site have written."""

from __future__ import annotations

import heapq
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import timedelta

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from embedded.commands import deployment
from embedded.health.api import ApiError
from embedded.health.deployed import components
from embedded.logs.lines import SECOND, Line
from embedded.logs.loki import Loki
from embedded.logs.pods import Following, Log, read

COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "red")
"""Those of the pods' names, in turn."""


def show(site: str, *, stack: str | None, since: timedelta, tail: int | None, follow: bool) -> int:
    """Print the lines of a site's pods, in order of time, and go on with those that come if it is to be followed.

    Args:
        site: Its name.
        stack: Name of a stack of the user's own; by default, that of the embedded cluster.
        since: How far back.
        tail: How many of the lines that there are, the last ones; by default all of them.
        follow: Whether to go on until the user ends it.

    Raises:
        Failure: There is no such site, or it can't be asked about.
    """
    start = time.time_ns() - round(since.total_seconds()) * SECOND
    deployed = components(deployment.running(stack))
    namespace = deployment.site_namespace(site, deployed, stack)
    printer = Printer()
    with deployment.explained():
        api = deployment.api_server(stack)
        logs, errors = read(api, namespace, start)
        addon = next((each for each in deployed if each.type == "Logs" and "url" in each.outputs), None)
        kept = _kept(Loki(api, addon), namespace, start, logs) if addon else ()
        there = heapq.merge(kept, *(log.lines for log in logs))
        printer.print(there if tail is None else deque(there, tail))
        if errors and not printer.count:
            raise errors[0]
        for problem in dict.fromkeys(map(str, errors)):
            _note(f"lines are missing: {problem}")
        if not (follow or printer.count):
            status = f"script/up --status{f' --stack {stack}' if stack else ''}"
            _note(f"{site} has written nothing in this time; --since 7d looks further back, {status} tells how it is")
        for log in logs:
            log.lines.clear()
        if follow:
            for lines in Following(api, namespace, start, logs).lines():
                printer.print(lines)
    return 0


def _kept(loki: Loki, namespace: str, start: int, logs: Iterable[Log]) -> Iterator[Line]:
    """Yield what Loki has of the time before the logs of the pods that are there begin, and of pods that are gone."""
    begins = {log.pod: min(line.time for line in log.lines) for log in logs if log.lines}
    now = time.time_ns()
    try:
        for line in loki.lines(namespace, start, now):
            if line.time < begins.get(line.pod, now):
                yield line
    except ApiError as error:
        _note(f"lines of pods that are gone are missing: {error}")


def _note(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"note: {text}\n")


class Printer:
    """Prints lines as they were written, each after the name of its pod, on a terminal in a colour of its own."""

    def __init__(self) -> None:
        console = Console()
        self._is_coloured = console.is_terminal and not console.no_color
        self._names: dict[str, bytes] = {}
        self.count = 0
        """How many it has printed."""

    def print(self, lines: Iterable[Line]) -> None:
        """Print lines, all of them by the time it returns."""
        for line in lines:
            sys.stdout.buffer.write(b"%s %s\n" % (self._name(line.pod), line.text))
            self.count += 1
        sys.stdout.buffer.flush()

    def _name(self, pod: str) -> bytes:
        if pod not in self._names:
            colour = COLOURS[len(self._names) % len(COLOURS)]
            system = ColorSystem.STANDARD if self._is_coloured else None
            self._names[pod] = Style(color=colour).render(pod, color_system=system).encode()
        return self._names[pod]
