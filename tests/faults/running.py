"""``script/up`` while a test does something to it, recognised from what it prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from typing import Self

import psutil

from tests.checkout import Checkout, newcomer


class Running:
    """A command of a checkout in a process group of its own, as in a terminal; ended with the block.

    Args:
        checkout: Where.
        command: The command.
        environment: Variables besides those of a newcomer's shell.
    """

    def __init__(self, checkout: Checkout, *command: str, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command, cwd=checkout.path, env={**newcomer(), **(environment or {})}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=_heed_ctrl_c,
        )  # fmt: skip
        self.said = ""
        """What it has printed so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        assert self._process.stdout
        self._process.stdout.close()
        self._process.wait()

    def until(self, line: str) -> None:
        """Read what it prints until a line that the regular expression ``line`` is found in.

        Raises:
            AssertionError: It ends without.
        """
        assert self._process.stdout
        for text in self._process.stdout:
            self.said += text
            if re.search(line, text):
                return
        raise AssertionError(f"it ended without {line}:\n{self.said}")

    def interrupt(self) -> None:
        """Ctrl-C in its terminal."""
        os.killpg(self._process.pid, signal.SIGINT)

    def kill(self) -> None:
        """``kill -9`` of it and of all that it has started, but for what has a process group of its own."""
        os.killpg(self._process.pid, signal.SIGKILL)

    def kill_pulumi(self) -> None:
        """``kill -9`` of the ``pulumi`` in it."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        engines = (each for each in psutil.process_iter(["name"]) if each.info["name"] == "pulumi")
        [engine] = [each for each in engines if each in children]
        engine.kill()

    def ended(self) -> int:
        """Wait for it to end; returns its exit code."""
        rest, _ = self._process.communicate()
        self.said += rest
        return self._process.returncode


def _heed_ctrl_c() -> None:
    # Ignored where the tests themselves run in the background, and inherited.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
