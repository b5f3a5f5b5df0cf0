"""What people and logs see of the stages."""

import io
import re
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
from rich.console import Console

from embedded import progress as progress_module
from embedded.progress import Progress, duration


def console(terminal: bool = False, width: int = 60, encoding: str = "utf-8") -> tuple[Console, io.BytesIO]:
    """A console and the bytes that it writes."""
    data = io.BytesIO()
    file = io.TextIOWrapper(data, encoding=encoding, write_through=True)
    return Console(file=file, force_terminal=terminal, width=width, highlight=False), data


def test_a_log_gets_a_line_at_the_start_and_at_the_end() -> None:
    out, data = console()
    progress = Progress(out)
    with progress.stage("Kubernetes [1.37]") as stage:
        stage.update("not in a log")
        stage.result = "from cache"
    first, last = data.getvalue().decode().splitlines()
    assert first == "▸ Kubernetes [1.37]"
    assert re.fullmatch(r"✓ Kubernetes \[1.37]  from cache  \d\.\d s", last)


def test_a_log_hears_of_a_long_stage_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    out, data = console()
    with Progress(out).stage("Kubernetes") as stage:
        stage.update("too early")
        monkeypatch.setattr(progress_module, "LOG_SECONDS", 0)
        stage.update("120 of 2886 packages")
    assert re.fullmatch(r"  Kubernetes  120 of 2886 packages  \d\.\d s", data.getvalue().decode().splitlines()[1])
    assert "too early" not in data.getvalue().decode()


def test_a_long_line_of_a_log_is_not_wrapped() -> None:
    out, data = console(width=20)
    with Progress(out).stage("a title of more than twenty characters"):
        pass
    assert len(data.getvalue().decode().splitlines()) == 2


def test_a_console_without_unicode_gets_ascii() -> None:
    out, data = console(encoding="ascii")
    with Progress(out).stage("Pulumi"):
        pass
    assert re.fullmatch(rb"-> Pulumi\nok Pulumi  \d\.\d s\n", data.getvalue())


@pytest.mark.parametrize(
    ("error", "result"),
    [(ValueError("no"), "failed"), (KeyboardInterrupt(), "stopped"), (CancelledError(), "stopped")],
)
def test_what_does_not_end_well_is_marked_and_passed_on(error: BaseException, result: str) -> None:
    out, data = console()
    progress = Progress(out)
    with pytest.raises(type(error)), progress.stage("Pulumi"):
        raise error
    assert data.getvalue().decode().splitlines()[1].startswith(f"✗ Pulumi  {result}")
    assert progress.stages[0].failed


def test_a_terminal_shows_what_is_under_way_and_keeps_what_is_done() -> None:
    out, data = console(terminal=True)
    progress = Progress(out)
    with progress.stage("Pulumi") as stage:
        stage.update("12 of 34 packages, " + "x" * 100)
        (line,) = progress.__rich__().plain.splitlines()
        assert re.match(r". Pulumi  \d\.\d s  12 of 34 packages, x+…$", line)
        assert len(line) == 60
    shown = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", data.getvalue().decode())
    assert re.search("✓ Pulumi  \\d\\.\\d s\n$", shown)
    assert data.getvalue().count(b"\x1b[?25l") == data.getvalue().count(b"\x1b[?25h"), "the cursor is shown again"


@pytest.mark.parametrize(
    ("seconds", "share", "left"),
    [
        (120, None, ""),
        (120, 0.01, ""),
        (5, 0.5, ""),
        (120, 0.1, "about 18 min left"),
        (120, 0.25, "about 6 min left"),
        (120, 0.9, "a minute left"),
        (120, 1, "a minute left"),
    ],
)
def test_what_is_left_is_estimated_once_there_is_something_to_judge_it_by(
    seconds: float, share: float | None, left: str
) -> None:
    out, _ = console(terminal=True)
    progress = Progress(out)
    with progress.stage("Kubernetes") as stage:
        stage.began -= seconds
        stage.update("12 of 34 packages", share)
        assert stage.left == left
        assert (left in progress.__rich__().plain) is True


def test_a_log_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "LOG_SECONDS", 0)
    out, data = console()
    with Progress(out).stage("Kubernetes") as stage:
        stage.began -= 60
        stage.update("3 of 4 packages", 0.5)
    assert data.getvalue().decode().splitlines()[1] == "  Kubernetes  3 of 4 packages  1 min 00 s  a minute left"


def test_a_terminal_that_somebody_else_writes_to_is_left_alone() -> None:
    out, data = console(terminal=True)
    with Progress(out).stage("pulumi up", live=False):
        assert data.getvalue().decode() == "▸ pulumi up\n"
    assert b"\x1b[?25l" not in data.getvalue()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out, data = console(terminal=True)
    with pytest.raises(ValueError, match="no"), Progress(out).stage("Pulumi"):
        raise ValueError("no")
    assert b"\x1b[31m" not in data.getvalue()
    assert b"\x1b[1;31m" not in data.getvalue()


def test_stages_at_the_same_time_each_have_a_line() -> None:
    out, data = console(terminal=True)
    progress = Progress(out)
    both = threading.Barrier(3)

    def run(title: str) -> None:
        with progress.stage(title):
            both.wait(30)
            both.wait(30)

    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(run, title) for title in ("one", "two")]
        both.wait(30)
        assert sorted(line.split()[1] for line in progress.__rich__().plain.splitlines()) == ["one", "two"]
        both.wait(30)
        for future in futures:
            future.result()
    assert progress.__rich__().plain == ""
    assert data.getvalue().count("✓".encode()) == 2


def test_the_summary_lists_each_stage_and_the_whole() -> None:
    out, data = console()
    progress = Progress(out)
    for title, result in ("Kubernetes", "from cache"), ("Pulumi", "built"):
        with progress.stage(title) as stage:
            stage.result = result
    before = len(data.getvalue())
    progress.summary()
    lines = data.getvalue()[before:].decode().splitlines()
    assert [re.sub(r"\d\.\d s$", "…", re.sub(r"  +", "  ", line.strip())) for line in lines] == [
        "Kubernetes  from cache  …",
        "Pulumi  built  …",
        "all in all  …",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (185, "3 min 05 s")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
