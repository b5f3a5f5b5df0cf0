"""What ``script/up`` prints in the end, on a terminal and elsewhere, when it went well and when it didn't."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.pages import PROJECT
from tests.terminal import run

OUTPUTS = {
    "site_urls": {"blog": "http://blog.localhost/"},
    "addon_urls": {"dashboard": "https://dashboard.localhost/"},
    "dashboard_login": {"user": "admin", "password": "[secret]"},
    "hosts_entry": "192.0.2.7 blog.example.com",
}
END = f"""
from embedded.commands import up
up._show({OUTPUTS!r})
"""
FAILURE = """
from pathlib import Path
import sys
from embedded import __main__
from embedded.errors import Failure

def fail(*arguments, **options):
    raise Failure("the disk is full", fix="make room", log=Path("/srv/a long folder/logs"))

__main__._run = fail
sys.exit(__main__.main())
"""


def at_a_terminal(program: str, **variables: str) -> tuple[int, str]:
    """Run a program at a terminal; return its exit code and all that it shows."""
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment = {**inherited, "PYTHONPATH": str(PROJECT), **variables}
    return run([sys.executable, "-c", program, "up"], PROJECT, environment)


def piped(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, "up"],
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_terminal_gets_the_urls_as_links() -> None:
    code, shown = at_a_terminal(END)
    assert code == 0
    for name in ("http://blog.localhost/", "https://dashboard.localhost/"):
        # OSC 8: the address, the text, and the end of the link.
        assert f";{name}\x1b\\" in shown
        assert f"{name}\x1b[0m\x1b]8;;\x1b\\" in shown
    assert "to sign in to dashboard: eval" in shown


def test_elsewhere_the_urls_are_plain() -> None:
    done = piped(END)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "blog       http://blog.localhost/\n"
        "dashboard  https://dashboard.localhost/\n"
        'to sign in to dashboard: eval "$(script/env)"; pulumi stack output dashboard_login --show-secrets\n'
        "add to /etc/hosts: 192.0.2.7 blog.example.com\n"
    )


def test_a_failure_ends_with_the_log() -> None:
    done = piped(FAILURE)
    assert done.returncode == 1
    assert done.stderr == "error: the disk is full\n  fix: make room\n  log: /srv/a long folder/logs\n"


@pytest.mark.parametrize("no_color", [False, True])
def test_colours_are_for_who_wants_them(no_color: bool) -> None:
    code, shown = at_a_terminal(FAILURE, **({"NO_COLOR": "1"} if no_color else {}))
    assert code == 1
    assert ("\x1b[1;31m" in shown) is not no_color
    assert "error: " in shown
