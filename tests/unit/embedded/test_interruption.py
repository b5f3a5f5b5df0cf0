"""Ctrl-C at any moment of a script: exit code 130 and one line, none is lost, and a second one ends it at once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import interruption
from tests.pages import PROJECT
from tests.waiting import eventually

LINE = "interrupted; what is done stays, script/up goes on from there"

HEAD = """
import contextlib, signal, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from embedded import __main__, interruption, stack
from embedded.cluster.supervision import Supervisor
from embedded.errors import Failure
from embedded.progress import Progress

def ready():
    Path("ready").touch()

def child():
    "Something that has been started, and ends by the same Ctrl-C."
    done = subprocess.run(["sleep", "60"])
    if done.returncode:
        raise Failure("kubectl failed", fix="look for the reason")

progress = Progress()
"""

TAIL = """
__main__._run = run
__main__.interruption.listen("interrupted")
code = __main__.main()
sys.stdout.flush()
import os
os._exit(code)
"""

MOMENTS = {
    "the main thread is at work": """
def run(*_):
    with progress.stage("Images"):
        ready()
        while True: pass
""",
    "what a thread has started fails by it": """
def run(*_):
    with progress.stage("Cluster"), ThreadPoolExecutor() as threads:
        step = threads.submit(child)
        time.sleep(0.2)
        ready()
        step.result()
""",
    "what the main thread has started fails by it": """
def run(*_):
    with progress.stage("select"):
        threading.Timer(0.2, ready).start()
        child()
""",
    "a thread waits for a program of the cluster": """
def run(*_):
    def start():
        ready()
        Supervisor._rpc = lambda _: type("Rpc", (), {"getProcessInfo": lambda *_: {"statename": "RUNNING"}})()
        Supervisor.wait(object.__new__(Supervisor), "etcd", lambda: False, "etcd", 60)
    with progress.stage("Cluster"), ThreadPoolExecutor() as threads:
        threads.submit(start).result()
""",
    "a thread works on": """
def run(*_):
    with progress.stage("Images") as stage, ThreadPoolExecutor() as threads:
        def make():
            ready()
            while True:
                stage.update("making one")
        threads.submit(make).result()
""",
    "a library swallows it": """
def run(*_):
    with progress.stage("first"), contextlib.suppress(BaseException):
        ready()
        time.sleep(60)
    with progress.stage("second"):
        raise Failure("it goes on", fix="")
""",
    "a destructor swallows it, the last thing that is done": """
class Slow:
    def __del__(self):
        ready()
        time.sleep(60)
def run(*_):
    Slow()
    return 0
""",
    "it is on its way out": """
def run(*_):
    try:
        with progress.stage("Cluster"):
            raise Failure("the disk is full", fix="make room")
    finally:
        ready()
        time.sleep(60)
""",
    "it tells of a failure": """
def explain(_):
    ready()
    time.sleep(60)
__main__.explain = explain
def run(*_):
    raise Failure("the disk is full", fix="make room")
""",
    "Pulumi is at work": """
def run(*_):
    return stack.Stack(Path(), Path("state"), {}).run("up")
""",
}
PULUMI = "#!/bin/sh\ntrap 'echo cancelling; exit {code}' INT TERM\ntouch ready\nwhile :; do sleep 0.1; done\n"


@contextlib.contextmanager
def started(folder: Path, program: str, *, ignored: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Run a program that stands for ``script/up``, as at a terminal: in a group of its own with what it starts."""
    if not (folder / "pulumi").exists():
        (folder / "Pulumi.yaml").write_text("name: inspiration\n")
        (folder / "pulumi").write_text(PULUMI.format(code=1))
    (folder / "pulumi").chmod(0o755)
    command = [sys.executable, "-c", HEAD + program + TAIL, "up"]
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT)}
    heed = signal.SIG_IGN if ignored else signal.SIG_DFL
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, heed),
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def interrupted(process: subprocess.Popen[str], folder: Path) -> str:
    """Press Ctrl-C when the program is ready, and return what it has printed."""
    assert eventually((folder / "ready").exists, 30), process.poll()
    os.killpg(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=20)
    return said + errors


@pytest.mark.parametrize("ignored", [False, True], ids=["at a terminal", "in the background"])
@pytest.mark.parametrize("program", MOMENTS.values(), ids=MOMENTS)
def test_ctrl_c_ends_it_with_one_line(tmp_path: Path, program: str, ignored: bool) -> None:
    with started(tmp_path, program, ignored=ignored) as process:
        said = interrupted(process, tmp_path)
    assert process.returncode == 130, said
    assert said.count(LINE) == 1
    assert said.endswith(f"{LINE}\n")
    assert "error:" not in said
    assert "Traceback (most recent call last)" not in said or "Exception ignored in" in said


def test_a_pulumi_that_succeeds_all_the_same_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: inspiration\n")
    (tmp_path / "pulumi").write_text(PULUMI.format(code=0))
    with started(tmp_path, MOMENTS["Pulumi is at work"]) as process:
        said = interrupted(process, tmp_path)
    assert (process.returncode, said) == (130, f"cancelling\n{LINE}\n")


def test_sigterm_reaches_what_was_started_too(tmp_path: Path) -> None:
    program = MOMENTS["what a thread has started fails by it"]
    with started(tmp_path, program) as process:
        assert eventually((tmp_path / "ready").exists, 30)
        began = time.monotonic()
        process.terminate()
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 130, said
    assert LINE in said
    assert time.monotonic() - began < 10


STUBBORN = """
def run(*_):
    def work():
        ready()
        time.sleep(60)
    with progress.stage("Images"), ThreadPoolExecutor() as threads:
        threads.submit(work).result()
"""


def test_the_second_one_ends_it_at_once(tmp_path: Path) -> None:
    with started(tmp_path, STUBBORN) as process:
        assert eventually((tmp_path / "ready").exists, 30)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(interruption.BOUNCE + 0.3)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        began = time.monotonic()
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 130, said
    assert said.endswith(f"{LINE}\n")
    assert time.monotonic() - began < 2


def test_a_pulumi_that_heeds_nothing_is_ended_by_the_second_one(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: inspiration\n")
    (tmp_path / "pulumi").write_text("#!/bin/sh\ntrap '' INT TERM\ntouch ready\nwhile :; do sleep 0.1; done\n")
    with started(tmp_path, MOMENTS["Pulumi is at work"]) as process:
        assert eventually((tmp_path / "ready").exists, 30)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(interruption.BOUNCE + 0.3)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 130, said
    assert said.endswith(f"{LINE}\n")


def test_what_is_held_is_done_first(tmp_path: Path) -> None:
    program = """
def run(*_):
    with interruption.held():
        ready()
        time.sleep(1)
        print("all of it", flush=True)
    print("and more", flush=True)
"""
    with started(tmp_path, program) as process:
        said = interrupted(process, tmp_path)
    assert (process.returncode, said) == (130, f"all of it\n{LINE}\n")


def test_a_terminal_that_is_closed_is_heeded_but_under_nohup(tmp_path: Path) -> None:
    program = """
def run(*_):
    ready()
    time.sleep(2)
    return 0
"""
    for ignored, code in ((signal.SIG_DFL, 130), (signal.SIG_IGN, 0)):
        (tmp_path / "ready").unlink(missing_ok=True)
        before = signal.signal(signal.SIGHUP, ignored)
        try:
            with started(tmp_path, program) as process:
                signal.signal(signal.SIGHUP, before)
                assert eventually((tmp_path / "ready").exists, 30)
                process.send_signal(signal.SIGHUP)
                assert process.wait(20) == code
        finally:
            signal.signal(signal.SIGHUP, before)


def test_a_block_that_is_held_outside_of_a_script_leaves_nothing_behind() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruption.held():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
    assert signal.getsignal(signal.SIGINT) == before
    assert not interruption.happened()


FAKE_UP = """
def run(*_):
    for number in range(8):
        with progress.stage(f"stage {number}"), ThreadPoolExecutor() as threads:
            steps = [threads.submit(subprocess.run, ["sleep", "0.05"], check=True) for _ in range(3)]
            for step in steps:
                step.result()
    return stack.Stack(Path(), Path("state"), {}).run("up")
"""


def test_at_twenty_moments_of_a_run(tmp_path: Path) -> None:
    """Wherever it is just then: in a stage, between two of them, in Pulumi."""
    (tmp_path / "Pulumi.yaml").write_text("name: inspiration\n")
    # Longer than a test on a busy machine can be late: a run doesn't end before its moment has come.
    (tmp_path / "pulumi").write_text("#!/bin/sh\nexec sleep 60\n")
    program = "ready()\n" + FAKE_UP
    for number in range(20):
        (tmp_path / "ready").unlink(missing_ok=True)
        # From when signals are heeded.
        with started(tmp_path, f'interruption.listen("interrupted")\n{program}') as process:
            assert eventually((tmp_path / "ready").exists, 30)
            time.sleep(number * 0.03)
            os.killpg(process.pid, signal.SIGINT)
            said, errors = process.communicate(timeout=20)
        assert process.returncode == 130, (number, said + errors)
        assert errors.endswith(f"{LINE}\n") or errors == "interrupted\n", (number, errors)
