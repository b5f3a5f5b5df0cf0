"""Tab completes the options of the scripts, in shells that really run."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pages import PROJECT

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
BEFORE = {"bash": "", "zsh": "autoload -Uz compinit && compinit -D -u; "}


@contextmanager
def terminal(command: list[str], folder: Path) -> Iterator[int]:
    """A program at a terminal, which the test types into and reads from."""
    ours, its = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "PS1": "$ ", "HISTFILE": ""}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    try:
        yield ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(shell: int, pattern: str, seconds: float = 20) -> str:
    """What is shown until that is there."""
    shown = ""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if select.select([shell], [], [], 0.2)[0]:
            shown += os.read(shell, 65536).decode(errors="replace").replace("\a", "")
            if re.search(pattern, shown):
                return shown
    raise AssertionError(f"{pattern!r} isn't in {shown!r}")


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("script/up --stat", r"script/up --status "),
        ("./script/down --p", r"\./script/down --purge "),
        ("script/down --p", r"script/down --purge "),
        ("script/test --no", r"script/test --no-checks "),
        ("script/completion z", r"script/completion zsh "),
        ("script/backup READ", r"script/backup README\.md "),
        ("script/licences --j", r"script/licences --json "),
    ],
)
def test_tab_completes(name: str, typed: str, completed: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"there is no {name}")
    with terminal(SHELLS[name], PROJECT) as shell:
        # What is typed is echoed: the quotes make the sign that it is done another text than what is typed.
        os.write(shell, f'{BEFORE[name]}eval "$(script/completion {name})"; echo do""ne\n'.encode())
        read_until(shell, r"\bdone\s[^$]*\$ ")
        os.write(shell, f"{typed}\t".encode())
        read_until(shell, completed)


def test_what_is_hidden_is_not_offered() -> None:
    printed = subprocess.run(["script/completion", "bash"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "--from" not in printed.stdout
