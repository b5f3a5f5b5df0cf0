"""The processes in which programs run: apart from the host, so that a program that crashes takes nothing down."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .environment import Environment


PROGRAM = Path(__file__).with_name("program.py")

REPORTED = 32
"""Exit code of a program whose error the user has been shown already; the official host uses the same."""


LOST = 33
"""Exit code of a program that couldn't tell the engine why it failed, which its standard error does."""


class Child(Protocol):
    """A process that waits for the request to run a program."""

    def run(self, request: bytes) -> int:
        """Run the serialized ``RunRequest`` and return the exit code, negative if a signal ended it."""
        ...

    def stop(self) -> None:
        """End it, if it hasn't ended yet."""
        ...


class Spare:
    """A fork of this process that loads the SDK, most of a program's start-up, before it is asked for a program.

    Only for programs that run in this interpreter's environment. To be made while this process has no threads.
    """

    def __init__(self, engine: str) -> None:
        reader, self._writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._writer)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)  # standard input is the host's tie to the engine
            from . import program
            from .environment import activated

            if sys.prefix != sys.base_prefix:
                os.environ.update(activated(os.environ, Path(sys.prefix)))
            program.end(program.main(reader, engine, REPORTED, LOST))
        os.close(reader)
        self._status: int | None = None

    def run(self, request: bytes) -> int:
        """Run the serialized ``RunRequest`` and return the exit code, negative if a signal ended it."""
        _send(self._writer, request)
        _, status = os.waitpid(self._pid, 0)
        self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def stop(self) -> None:
        """End it, if it hasn't ended yet."""
        if self._status is None:
            os.kill(self._pid, signal.SIGTERM)


class Fresh:
    """A new process in another environment than this interpreter's."""

    def __init__(self, environment: "Environment", engine: str) -> None:
        reader, self._writer = os.pipe()
        self._process = subprocess.Popen(
            [environment.python, "-u", PROGRAM, str(reader), engine, str(REPORTED), str(LOST)],
            stdin=subprocess.DEVNULL,
            pass_fds=[reader],
            env=environment.activate(os.environ),
        )
        os.close(reader)

    def run(self, request: bytes) -> int:
        """Run the serialized ``RunRequest`` and return the exit code, negative if a signal ended it."""
        _send(self._writer, request)
        return self._process.wait()

    def stop(self) -> None:
        """End it, if it hasn't ended yet."""
        self._process.terminate()


def _send(pipe: int, request: bytes) -> None:
    # A child that is gone can't read, and its exit code says more than a broken pipe.
    with contextlib.suppress(BrokenPipeError), open(pipe, "wb") as target:
        target.write(request)
