"""The virtual environment is made once, brought up to date, and made again after an attempt that was cut short."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedded import bootstrap
from tests.waiting import eventually

SHOWS_ARGUMENTS = "import sys\nprint(*sys.argv[1:])\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two requirements files that need nothing, and a module."""
    folder = tmp_path / "project"
    (folder / "embedded").mkdir(parents=True)
    shutil.copy(bootstrap.__file__, folder / "embedded")
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "more.txt").write_text("# nothing more\n")
    (folder / "shows.py").write_text(SHOWS_ARGUMENTS)
    return folder


def run(project: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(project / "embedded/bootstrap.py"), *arguments]
    return subprocess.run(command, cwd=cwd or project, capture_output=True, text=True, check=False)


def test_it_makes_the_environment_once_and_becomes_the_module(project: Path, tmp_path: Path) -> None:
    first = run(project, "requirements.txt", "--", "shows", "a b", "--", "-c")
    assert (first.returncode, first.stdout) == (0, "a b -- -c\n")
    assert first.stderr.startswith(f"making the virtual environment {project}/.venv with {sys.executable}\n")
    (tmp_path / "shows.py").write_text("raise SystemExit('the working directory is not to be imported from')")
    again = run(project, "requirements.txt", "--", "shows", "x", cwd=tmp_path)
    assert (again.returncode, again.stdout, again.stderr) == (0, "x\n", "")


def test_it_installs_what_is_new_or_changed_and_nothing_else(project: Path) -> None:
    run(project, "requirements.txt", "--", "shows")
    more = run(project, "requirements.txt", "more.txt", "--", "shows")
    assert more.stderr.startswith("installing the Python packages of more.txt, requirements.txt\ninstalled ")
    assert run(project, "requirements.txt", "--", "shows").stderr == ""
    (project / "requirements.txt").write_text("# another comment\n")
    assert run(project, "requirements.txt", "--", "shows").stderr.startswith("installing the Python packages of more")
    assert run(project, "more.txt", "--", "shows").stderr == ""


def test_after_a_failure_it_starts_again(project: Path) -> None:
    (project / "requirements.txt").write_text("missing @ file:///no/such/folder\n")
    failed = run(project, "requirements.txt", "--", "shows")
    assert failed.returncode == 1
    log = project / ".venv/pip.log"
    assert failed.stderr.splitlines()[-1] == (
        "error: the Python packages can't be installed: Could not install packages due to an OSError: "
        "[Errno 2] No such file or directory: '/no/such/folder'; "
        f"check the network and pip's settings, then run it again (log: {log})"
    )
    (project / "requirements.txt").write_text("# nothing\n")
    assert run(project, "requirements.txt", "--", "shows").stderr.startswith("making the virtual environment")


def test_an_environment_that_was_moved_is_made_again(project: Path, tmp_path: Path) -> None:
    run(project, "requirements.txt", "--", "shows")
    moved = project.rename(tmp_path / "moved")
    answer = run(moved, "requirements.txt", "--", "shows", "x")
    assert answer.stderr.startswith(f"making the virtual environment {moved}/.venv")
    assert answer.stdout == "x\n"


def test_an_environment_whose_python_is_gone_is_made_again(project: Path) -> None:
    run(project, "requirements.txt", "--", "shows")
    python = project / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/no/such/python")
    assert run(project, "requirements.txt", "--", "shows").stderr.startswith("making the virtual environment")


def test_a_run_that_is_killed_leaves_nothing_that_counts(project: Path) -> None:
    command = [sys.executable, str(project / "embedded/bootstrap.py"), "requirements.txt", "--", "shows"]
    with subprocess.Popen(command, cwd=project, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        assert eventually((project / ".venv/bin/python").exists)
        os.killpg(process.pid, signal.SIGKILL)
    assert run(project, "requirements.txt", "--", "shows").stderr.startswith("making the virtual environment")


def test_a_second_run_waits_for_the_first(project: Path) -> None:
    command = [sys.executable, str(project / "embedded/bootstrap.py"), "requirements.txt", "--", "shows", "x"]
    lock = os.open(project, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with subprocess.Popen(command, cwd=project, stdout=-1, stderr=-1, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting for another run that is installing the Python packages\n"
        os.close(lock)
        assert process.communicate()[0] == "x\n"


@pytest.mark.parametrize("arguments", [[], ["requirements.txt"], ["--", "shows"], ["requirements.txt", "--"]])
def test_a_wrong_call_says_what_is_right(project: Path, arguments: list[str]) -> None:
    answer = run(project, *arguments)
    assert answer.returncode == 2
    assert answer.stderr == "usage: bootstrap.py REQUIREMENTS_FILE... -- MODULE [ARGUMENT...]\n"


def test_an_old_python_says_which_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (3, 99))
    monkeypatch.setenv("PATH", str(tmp_path))
    this = ".".join(map(str, sys.version_info[:2]))
    with pytest.raises(bootstrap.Failure) as caught:
        bootstrap.suitable_python()
    assert str(caught.value) == (
        f"Python 3.99 or newer is needed, {sys.executable} is {this}; install a newer one so that it is on PATH as "
        "python3 or python3.99"
    )


def test_an_old_python_hands_over_to_a_newer_one_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (3, 12))
    monkeypatch.setattr(sys, "version_info", (3, 9, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, code in ("python3", 1), ("python3.14", 0), ("python3.13", 0):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    assert bootstrap.suitable_python() == str(tmp_path / "python3.14")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            [
                "WARNING: Retrying (Retry(4)) after connection broken by 'NewConnectionError(\"refused\")': /simple/x/",
                "ERROR: Could not find a version that satisfies the requirement x==1",
                "ERROR: No matching distribution found for x==1",
            ],
            "the Python packages can't be installed: 'NewConnectionError(\"refused\")': /simple/x/; "
            "check the network and pip's settings, then run it again",
        ),
        (
            ["ERROR: No matching distribution found for x==99"],
            "the Python packages can't be installed: No matching distribution found for x==99; "
            "check the network and pip's settings, then run it again",
        ),
        (
            ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
            f"the disk became full while installing the Python packages into {bootstrap.PROJECT}; make room, then run "
            "it again",
        ),
        (["Collecting x"], ""),
    ],
)
def test_what_pip_says_becomes_one_line(said: list[str], reason: str) -> None:
    assert bootstrap.explain(said) == reason


def test_an_interruption_has_the_usual_exit_code(project: Path) -> None:
    # Another run that installs is waited for.
    lock = os.open(project, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    command = [sys.executable, str(project / "embedded/bootstrap.py"), "requirements.txt", "--", "shows"]
    # As at a terminal: what a shell starts in the background ignores SIGINT, and so would what these tests start.
    with subprocess.Popen(
        command,
        cwd=project,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as waiting:
        assert waiting.stderr is not None
        assert "waiting for another run" in waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        assert waiting.stderr.read() == "interrupted; run it again to go on\n"
    os.close(lock)
    assert waiting.returncode == 130
