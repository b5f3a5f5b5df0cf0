"""An update that is killed while a key is made: the next one takes the lock, and goes on without a warning."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from embedded import stack
from tests.plugins.language.project import Project
from tests.waiting import eventually

PROGRAM = """
import pulumi_tls as tls
tls.PrivateKey("key", algorithm="RSA", rsa_bits={bits})
"""


def pending(project: Project) -> list[str]:
    state = json.loads(project.pulumi("stack", "export"))
    return [operation["type"] for operation in state["deployment"].get("pending_operations") or []]


def test_the_lock_and_what_was_under_way_are_taken_over(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    project.write("__main__.py", PROGRAM.format(bits=16384))  # takes minutes
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"]
    with subprocess.Popen(command, cwd=project.folder, env=project.variables, stdout=subprocess.DEVNULL) as update:
        assert eventually(lambda: pending(project) == ["creating"])
        update.kill()
    assert pending(project) == ["creating"]

    project.write("__main__.py", PROGRAM.format(bits=2048))
    state = tmp_path / "state"
    state.mkdir()
    (state / "pulumi").symlink_to(project.backend)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    code = stack.Stack(project.folder, state, {}).run(
        "up", "--stack", "dev", "--yes", "--skip-preview", "--non-interactive"
    )

    said = capfd.readouterr()
    assert code == 0, said.out + said.err
    assert (
        f"removed the lock of an earlier pulumi (pid {update.pid}), which was killed; going on from there" in said.err
    )
    assert "pending operations" not in said.out
    assert pending(project) == []
