"""Tab completes the options of the scripts, in shells that really run."""

import os
import shutil
import subprocess

import pytest

from tests.pages import PROJECT
from tests.terminal import read_until, terminal

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
BEFORE = {"bash": "", "zsh": "autoload -Uz compinit && compinit -D -u; "}


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
        ("script/logs inspiration --fo", r"script/logs inspiration --follow "),
        ("script/licences --j", r"script/licences --json "),
        ("script/bench --mi", r"script/bench --minutes "),
    ],
)
def test_tab_completes(name: str, typed: str, completed: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"there is no {name}")
    environment = {**os.environ, "TERM": "dumb", "PS1": "$ ", "HISTFILE": ""}
    with terminal(SHELLS[name], PROJECT, environment) as (_, shell):
        # What is typed is echoed: the quotes make the sign that it is done another text than what is typed.
        os.write(shell, f'{BEFORE[name]}eval "$(script/completion {name})"; echo do""ne\n'.encode())
        read_until(shell, r"\bdone\s[^$]*\$ ")
        os.write(shell, f"{typed}\t".encode())
        read_until(shell, completed)


def test_what_is_hidden_is_not_offered() -> None:
    printed = subprocess.run(["script/completion", "bash"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "--from" not in printed.stdout
