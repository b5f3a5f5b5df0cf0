"""The scripts as command-line tools: help, wrong usage, exit codes, interruption."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedded import __main__ as command
from embedded.command_line import EXAMPLES, parsers
from tests.pages import PROJECT

SCRIPTS = sorted(path.name for path in (PROJECT / "script").iterdir() if path.name != "bench")
"""But for one that would first install what only benchmarks need."""
OF_EMBEDDED = sorted(parsers())


def run(script: str, *arguments: str, state: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"INSPIRATION_STATE": str(state)} if state else {})}
    return subprocess.run(
        [f"script/{script}", *arguments],
        cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_explains_itself(script: str) -> None:
    done = run(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: script/{script}")
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_the_benchmarks_explain_themselves() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench", "--help"],
        cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: script/bench")
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_each_script_of_the_embedded_default_has_examples_and_exit_codes() -> None:
    assert {*OF_EMBEDDED, "lock", "test"} == {*SCRIPTS}
    for script in OF_EMBEDDED:
        text = parsers()[script].format_help()
        assert "examples:\n  " in text
        assert "exit codes: 0 " in text


@pytest.mark.parametrize("script", OF_EMBEDDED)
def test_the_examples_are_right_usage(script: str) -> None:
    for example in EXAMPLES[script]:
        words = shlex.split(example.removeprefix('eval "$(').partition(")")[0].partition(" && ")[0].partition(" |")[0])
        assert words[0] == f"script/{script}"
        parsers()[script].parse_args(words[1:])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "--nonsense"], "usage: script/up"),
        (["up", "--stack", "mine"], "--stack goes with --status"),
        (["up", "--nodes", "10"], "argument --nodes: '10' given; allowed: a whole number from 1 to 9"),
        (["up", "--nodes", "2", "--status"], "--nodes goes without --status, which changes nothing"),
        (["down", "--keep", "--purge"], "argument --purge: not allowed with argument --keep"),
        (["backup"], "the following arguments are required: FILE"),
        (["restore", "a", "b"], "unrecognized arguments: b"),
        (["env", "x"], "unrecognized arguments: x"),
        (["logs"], "the following arguments are required: SITE"),
        (["logs", "blog", "--since", "1w"], "argument --since: '1w' given; allowed: numbers with d, h, m or s"),
        (["releases", "blog", "--prune"], "--prune goes without SITE and --json"),
        (["rollback"], "the following arguments are required: SITE"),
        (["rollback", "blog", "1a2b", "--undo"], "RELEASE goes without --undo"),
        (["dev", "blog", "shop"], "unrecognized arguments: shop"),
        (["completion", "csh"], "invalid choice: 'csh'"),
        (["licences", "--jsn"], "unrecognized arguments: --jsn"),
    ],
)
def test_wrong_usage_is_2(words: list[str], said: str, tmp_path: Path) -> None:
    done = run(*words, state=tmp_path / "state")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_failure_is_1_and_names_cause_and_fix(tmp_path: Path) -> None:
    done = run("env", state=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: there is no embedded cluster yet\n  fix: run script/up first\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_is_130(number: signal.Signals, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with subprocess.Popen(
        ["script/restore", "nothing.tar.gz"],
        cwd=PROJECT, env={**os.environ, "INSPIRATION_STATE": str(tmp_path)}, stderr=subprocess.PIPE, text=True,
        # As at a terminal: what a shell starts in the background ignores SIGINT, and what `nohup` starts, SIGHUP; so
        # would what these tests start.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as waiting:  # fmt: skip
        assert waiting.stderr is not None
        assert "waiting for another script/up" in waiting.stderr.readline()
        waiting.send_signal(number)
        assert waiting.stderr.read() == "interrupted; nothing was changed, run script/restore again\n"
    os.close(folder)
    assert waiting.returncode == 130


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = 'script/completion bash | head -n 1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("141", "0")


def test_who_may_not_read_what_is_there_is_told_whose_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(*_: str) -> int:
        raise PermissionError(13, "Permission denied", "/srv/site/.inspiration/environment.json")

    monkeypatch.setattr(command, "_run", read)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["embedded", "down"])
    assert command.main() == 1
    assert capsys.readouterr().err == (
        "error: /srv/site/.inspiration/environment.json can't be read: it is another user's\n"
        "  fix: run `sudo script/down`\n"
    )
