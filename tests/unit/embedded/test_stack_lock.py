"""Locks of a stack: those of the dead are taken away, all others stay."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from embedded import stack
from embedded.errors import Failure
from embedded.stack_lock import end_orphans, release_dead
from tests.waiting import eventually


def lock(backend: Path, pid: int, *, hostname: str = "", made: datetime | None = None) -> Path:
    """Write a lock as Pulumi does, with nanoseconds."""
    folder = backend / ".pulumi" / "locks" / "organization" / "inspiration" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{pid}.json"
    timestamp = (made or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    path.write_text(
        json.dumps(
            {"pid": pid, "username": "root", "hostname": hostname or socket.gethostname(), "timestamp": timestamp}
        )
    )
    return path


def ended() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    pid = ended()
    path = lock(tmp_path, pid)
    assert release_dead(tmp_path, "inspiration", "dev") == [pid]
    assert not path.exists()


def test_a_number_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    path = lock(tmp_path, os.getpid(), made=datetime.now(UTC) - timedelta(days=1))
    assert release_dead(tmp_path, "inspiration", "dev") == [os.getpid()]
    assert not path.exists()


def test_locks_of_the_living_and_of_other_machines_stay(tmp_path: Path) -> None:
    paths = [lock(tmp_path, os.getpid()), lock(tmp_path, ended(), hostname="elsewhere")]
    paths.append(paths[0].with_name("unknown.json"))
    paths[-1].write_text("another form")
    assert release_dead(tmp_path, "inspiration", "dev") == []
    assert all(path.exists() for path in paths)


def test_a_clock_that_is_set_ends_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pulumi").symlink_to("/bin/sleep")
    with subprocess.Popen([tmp_path / "pulumi", "1000"]) as running:
        path = lock(tmp_path, running.pid)
        boot_time = psutil.boot_time()
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot_time + 3600)
        assert release_dead(tmp_path, "inspiration", "dev") == []
        running.kill()
    assert path.exists()


def test_other_stacks_are_left_alone(tmp_path: Path) -> None:
    path = lock(tmp_path, ended())
    assert release_dead(tmp_path, "inspiration", "prod") == []
    assert path.exists()


def pulumi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> stack.Stack:
    """A stack whose ``pulumi`` is a shell script."""
    (folder / "Pulumi.yaml").write_text("name: inspiration\n")
    (folder / "pulumi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return stack.Stack(folder, folder / "state", {})


def test_a_pulumi_that_is_killed_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure) as failure:
        pulumi(tmp_path, "kill -KILL $$", monkeypatch).run("up")
    assert str(failure.value).startswith("pulumi was killed (SIGKILL); what it has made so far stays; run the same")


def test_a_salt_that_pulumi_adds_is_gone_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    assert pulumi(tmp_path, "echo 'encryptionsalt: v1:abc:v1:def' >>Pulumi.dev.yaml", monkeypatch).run("up") == 0
    assert (tmp_path / "Pulumi.dev.yaml").read_text() == "config: {}\n"


def test_the_exit_code_is_that_of_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pulumi(tmp_path, "exit 7", monkeypatch).run("up") == 7


def test_the_end_of_this_process_is_passed_on(tmp_path: Path) -> None:
    """SIGTERM reaches only ``script/up``: Pulumi is told to stop, and has the time to."""
    (tmp_path / "Pulumi.yaml").write_text("name: inspiration\n")
    (tmp_path / "pulumi").write_text(
        "#!/bin/sh\ntrap 'echo told; exit 1' TERM\ntouch ready\nwhile :; do sleep 0.1; done\n"
    )
    (tmp_path / "pulumi").chmod(0o755)
    program = (
        "import os, pathlib, signal, threading\n"
        "from embedded import interruption, stack\n"
        "interruption.listen('')\n"
        "def end():\n"
        "    while not pathlib.Path('ready').exists(): pass\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "threading.Thread(target=end).start()\n"
        "try: stack.Stack(pathlib.Path(), pathlib.Path('state'), {}).run('up')\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    project = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(project)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["told", "interrupted"]


def test_plugins_without_an_engine_are_ended_and_no_others(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep
    orphan, of_others = tmp_path / "home/plugins/one/plugin", tmp_path / "another/plugins/one/plugin"
    for program in orphan, of_others:
        program.parent.mkdir(parents=True)
        shutil.copy2(sleep, program)
    engine = tmp_path / "pulumi"
    engine.write_text(f"#!/bin/sh\n{orphan} 60\n:\n")
    engine.chmod(0o755)
    with (
        subprocess.Popen([orphan, "60"]) as alone,
        subprocess.Popen([of_others, "60"]) as elsewhere,
        subprocess.Popen([engine]) as running,
    ):
        try:
            assert eventually(lambda: len(psutil.Process(running.pid).children()) == 1)
            end_orphans(tmp_path / "home")
            assert alone.wait(60) == -signal.SIGTERM
            assert elsewhere.poll() is None
            [plugin] = psutil.Process(running.pid).children()
            assert plugin.is_running()
        finally:
            for child in psutil.Process(running.pid).children():
                child.kill()
            elsewhere.kill()
