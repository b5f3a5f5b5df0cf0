"""What is being done, on a terminal as one live line a stage, elsewhere as plain lines."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from embedded import interruption

LOG_SECONDS = 30
"""Between two lines of a log that say how far a long stage is."""

ENOUGH_SHARE, ENOUGH_SECONDS = 0.05, 20
"""Of a stage, before the rest of it is estimated."""


@dataclass(eq=False)
class Stage:
    """One thing that is being done; `Progress.stage` makes them."""

    title: str
    result: str = ""
    """How it came about, shown when it is done: "built", "from cache"."""
    detail: str = ""
    share: float | None = None
    """How much of it is done, 0 to 1, where that is known."""
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    failed: bool = False
    say: Callable[["Stage"], None] | None = None
    """Puts the stage into a log, now and then; None on a terminal, which shows it all the time."""
    said: float = field(default_factory=time.monotonic)

    def update(self, detail: str, share: float | None = None) -> None:
        """Show what the stage is doing, in a few words, and how much of it is done where that is known.

        Raises:
            KeyboardInterrupt: The process has been asked to end; other threads than the main one don't hear of it.
        """
        interruption.check()
        self.detail, self.share = detail, share
        if self.say and time.monotonic() - self.said >= LOG_SECONDS:
            self.said = time.monotonic()
            self.say(self)

    @property
    def left(self) -> str:
        """How long it may still take, in words; empty until there is something to judge it by."""
        if self.share is None or self.share < ENOUGH_SHARE or self.seconds < ENOUGH_SECONDS:
            return ""
        minutes = round(self.seconds * (1 - self.share) / self.share / 60)
        return f"about {minutes} min left" if minutes > 1 else "a minute left"

    @property
    def seconds(self) -> float:
        """Wall time so far, or altogether once it has ended."""
        return (self.ended or time.monotonic()) - self.began


class Progress:
    """Shows stages, which may run at the same time in several threads.

    Args:
        console: Where to; default standard error, so that standard output stays free for results.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.stages: list[Stage] = []
        self._began = time.monotonic()
        self._lock = threading.RLock()
        self._active: list[Stage] = []
        self._live: Live | None = None
        plain = self.console.options.ascii_only
        self._spinner = Spinner("line" if plain else "dots")
        self._started, self._done, self._failed = ("->", "ok", "x") if plain else ("▸", "✓", "✗")

    @contextmanager
    def stage(self, title: str, *, live: bool = True) -> Iterator[Stage]:
        """Show ``title`` as under way until the block ends; an exception marks it as failed and passes on.

        Args:
            title: What is being done.
            live: Whether the terminal is ours meanwhile; if not, there is a line at the start and one at the end.

        Raises:
            KeyboardInterrupt: The process has been asked to end, and this is no time to begin something.
        """
        interruption.check()
        stage = Stage(title)
        self._begin(stage, live and self.console.is_terminal)
        try:
            yield stage
        except BaseException as error:
            stage.failed = True
            stopped = isinstance(error, CancelledError) or not isinstance(error, Exception)
            stage.result = "stopped" if stopped else "failed"
            raise
        finally:
            self._end(stage)

    def summary(self) -> None:
        """Print the wall time of each stage, and of everything since this object was made."""
        table = Table.grid(padding=(0, 2))
        table.add_column()
        table.add_column(style="dim")
        table.add_column(justify="right")
        for stage in self.stages:
            table.add_row(stage.title, stage.result, duration(stage.seconds))
        table.add_row(Text("all in all", "bold"), "", Text(duration(time.monotonic() - self._began), "bold"))
        self.console.print(table)

    def __rich__(self) -> Text:
        """What is live: a line for each stage under way, cut to the terminal's width."""
        lines = []
        for stage in list(self._active):
            line = Text("  ").join(
                [
                    Text(stage.title),
                    Text(duration(stage.seconds)),
                    *([Text(stage.left)] if stage.left else []),
                    Text(stage.detail, "dim"),
                ],
            )
            line = Text(" ").join([Text(str(self._spinner.render(time.monotonic())), "cyan"), line])
            line.truncate(self.console.width, overflow="ellipsis")
            lines.append(line)
        return Text("\n").join(lines)

    def _begin(self, stage: Stage, live: bool) -> None:
        with self._lock:
            self.stages.append(stage)
            if not live:
                self.console.print(self._started, Text(stage.title), soft_wrap=True)
                stage.say = self._say
                return
            self._active.append(stage)
            if self._live is None:
                self._live = Live(self, console=self.console, transient=True, refresh_per_second=8)
                self._live.start()

    def _say(self, stage: Stage) -> None:
        with self._lock:
            parts = [stage.title, stage.detail, duration(stage.seconds), *filter(None, [stage.left])]
            self.console.print(" ", Text("  ".join(parts)), soft_wrap=True)

    def _end(self, stage: Stage) -> None:
        with self._lock:
            stage.ended = time.monotonic()
            if stage in self._active:
                self._active.remove(stage)
            if not self._active and self._live is not None:
                self._live.stop()
                self._live = None
            mark = Text(self._failed, "bold red") if stage.failed else Text(self._done, "green")
            result = Text(stage.result, "red" if stage.failed else "dim")
            parts = [Text(stage.title), *([result] if stage.result else []), Text(duration(stage.seconds), "dim")]
            self.console.print(mark, Text("  ").join(parts), soft_wrap=True)


def duration(seconds: float) -> str:
    """``seconds`` for people: ``12.3 s``, ``3 min 05 s``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
