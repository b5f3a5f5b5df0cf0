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

    def run(self, engine: str, request: bytes) -> int:
        """Run the serialized ``RunRequest`` of the engine at ``host:port``, and return the exit code.

        It is negative if a signal ended the program.
        """
        ...

    def stop(self) -> None:
        """End it, if it hasn't ended yet."""
        ...


class Spare:
    """A fork of this process that loads libraries, most of a program's start-up, before it is asked for a program.

    Only for programs that run in this interpreter's environment. To be made while this process has no threads, which
    importing the SDK, for both of them, doesn't start.
    """

    def __init__(self) -> None:
        from . import program
        from .environment import activated

        reader, self._writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._writer)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)  # standard input is the host's tie to the engine
            if sys.prefix != sys.base_prefix:
                os.environ.update(activated(os.environ, Path(sys.prefix)))
            program.preload(reader)
            program.end(program.main(reader, REPORTED, LOST))
        os.close(reader)
        self._status: int | None = None

    def run(self, engine: str, request: bytes) -> int:
        """Do as `Child.run` says."""
        _send(self._writer, engine, request)
        _, status = os.waitpid(self._pid, 0)
        self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def stop(self) -> None:
        """End it, if it hasn't ended yet."""
        if self._status is None:
            os.kill(self._pid, signal.SIGTERM)


class Fresh:
    """A new process in another environment than this interpreter's."""

    def __init__(self, environment: "Environment") -> None:
        reader, self._writer = os.pipe()
        self._process = subprocess.Popen(
            [environment.python, "-u", PROGRAM, str(reader), str(REPORTED), str(LOST)],
            stdin=subprocess.DEVNULL,
            pass_fds=[reader],
            env=environment.activate(os.environ),
        )
        os.close(reader)

    def run(self, engine: str, request: bytes) -> int:
        """Do as `Child.run` says."""
        _send(self._writer, engine, request)
        return self._process.wait()

    def stop(self) -> None:
        """End it, if it hasn't ended yet."""
        self._process.terminate()


def load_for_plugins() -> "subprocess.Popen[bytes]":
    """Start the process in which the resource plugins of this process's engine run; it loads their libraries now."""
    code = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_module(sys.argv[2], None, '__main__', True)"
    folder = Path(__file__).parents[__name__.count(".")]
    # Until it can ignore an interrupt, which is meant for the engine, it is to know of none.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", code, folder, f"{__package__}.forks", str(os.getppid())],
        stdin=subprocess.PIPE,  # at its end, which is also this process's, the other one ends
        stdout=subprocess.DEVNULL,
    )
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    os.register_at_fork(after_in_child=process.stdin.close)  # or it would go on as long as a fork does
    return process


def _send(pipe: int, engine: str, request: bytes) -> None:
    # A child that is gone can't read, and its exit code says more than a broken pipe.
    with contextlib.suppress(BrokenPipeError), open(pipe, "wb") as target:
        target.write(engine.encode() + b"\n" + request)
