"""Runs a Pulumi program in this process.

Also a script, ``python program.py FD REPORTED LOST``, for another interpreter than the language host's: it
stands alone and imports nothing but the SDK that it finds there. What to run comes through a pipe, so that no config
value shows up on a command line or in an environment.
"""

import asyncio
import atexit
import collections
import contextlib
import functools
import gc
import importlib
import logging
import os
import runpy
import select
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn

try:
    import grpc
    import pulumi
    import pulumi.runtime
    from pulumi.runtime import resource
    from pulumi.runtime.proto import engine_pb2, language_pb2, resource_pb2, source_pb2
except ImportError as error:
    if error.name not in ("grpc", "pulumi"):
        raise
    sys.exit(f"the Pulumi SDK is not installed in {sys.prefix}; run `pulumi install`, or "
             f"`{sys.executable} -m pip install -r requirements.txt`")  # fmt: skip

GARBAGE = 100_000
"""How many objects are made between two collections.

A program is short: at the default threshold, much of its start-up goes into collecting what imports have made.
"""

CONSTRUCTORS = 3
"""``__init__`` of `Resource`, of `CustomResource` or `ComponentResource`, and of the class that is declared."""

HOST = Path(__file__).parents[2]
"""Where the language host is installed; below a project's folder perhaps."""

LIBRARIES = (
    "pulumi_docker",
    "pydantic",
    "pulumi_kubernetes",
    "pulumi_random",
    "pulumi_tls",
    "cryptography.x509",
    "kubernetes.client",
)
"""What this project's program imports anyway, in its order: half of its own imports."""

DEBUG_SECONDS = 0.2
"""How long a debug message may wait for others to be sent with."""

ENGINE_SECONDS = 5
"""How long an engine may take to say that it is there."""

INTERRUPTED = 130
"""Exit code of a program that was interrupted, as shells have it."""


class Asyncio:
    """``asyncio`` for the module of the SDK that waits for a program's outputs.

    It waits for the first of all that aren't done, again and again, which takes the square of their number. It only
    wants to know of an error at once, and otherwise that there are none left.
    """

    FIRST_COMPLETED = asyncio.FIRST_EXCEPTION

    def __getattr__(self, name: str) -> Any:
        """Return what the SDK gets otherwise."""
        return getattr(asyncio, name)


def trace_the_program(directory: Path) -> None:
    """Have the SDK say of each resource where the program in ``directory`` declares it, and not who runs the program.

    The engine keeps it. Twenty frames of asyncio, of the SDK and from here were a quarter of its state, and the SDK
    looked for the files of them all, each time.
    """
    is_users = functools.cache(lambda file: _is_users(Path(file), directory))
    uri = functools.cache(lambda file: Path(file).as_uri() if Path(file).is_absolute() else None)

    def trace() -> source_pb2.StackTrace:
        frame, constructors = sys._getframe(1), 0
        while frame and constructors < CONSTRUCTORS:
            constructors += frame.f_code.co_name == "__init__"
            frame = frame.f_back  # type: ignore[assignment]
        calls = [(call.f_code.co_filename, line) for call, line in traceback.walk_stack(frame)] if frame else []
        while calls and not is_users(calls[-1][0]):
            calls.pop()
        places = [(uri(file), line) for file, line in calls]
        positions = [source_pb2.SourcePosition(uri=place, line=line) if place else None for place, line in places]
        return source_pb2.StackTrace(frames=[source_pb2.StackFrame(pc=position) for position in positions])

    resource._get_stack_trace = trace


class EngineLostError(Exception):
    """The engine can't be reached; ``str()`` is what the user is to be shown."""


def preload(pipe: int) -> None:
    """Import what programs with `LIBRARIES` need, until there is something to read from ``pipe``."""
    gc.set_threshold(GARBAGE)
    for name in LIBRARIES:
        if select.select([pipe], [], [], 0)[0]:
            return
        with contextlib.suppress(ImportError):  # the environment of another program than ours
            importlib.import_module(name)


def main(pipe: int, reported: int, lost: int) -> int:
    """Read the engine's address, a line, and a serialized ``RunRequest`` from the file descriptor ``pipe``, and run it.

    Returns:
        The program's exit code, ``reported`` if it failed and the user has been shown why, ``lost`` if the engine
        couldn't be told.
    """
    gc.set_threshold(GARBAGE)
    with open(pipe, "rb") as source:
        engine, request = source.readline().decode().strip(), source.read()
    if not engine:
        return 0  # the host went away, or needed no program
    # Waiting, an interrupt just ends the process; a program gets the chance to clean up.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = run(language_pb2.RunRequest.FromString(request), engine)
        return reported if code is None else code
    except EngineLostError as error:
        sys.stdout.flush()
        sys.stderr.write(f"{error}\n")
        return lost
    except KeyboardInterrupt:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)  # threads may wait for an engine that is gone


def run(request: language_pb2.RunRequest, engine: str) -> int | None:
    """Run the program of ``request`` to its end.

    Returns:
        The exit code; ``None`` if it failed and the user has been shown why.

    Raises:
        EngineLostError: It failed, and the engine can't be told.
    """
    program = Path(request.info.program_directory, request.info.entry_point)
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=request.monitor_address,
            engine=engine,
            project=request.project,
            stack=request.stack,
            parallel=request.parallel,
            dry_run=request.dryRun,
            organization=request.organization or "organization",
            root_directory=request.info.root_directory,
        )
    )
    # Later on, one that doesn't answer has ended the run, and has said why.
    _ask("monitor")
    debug = DebugMessages(pulumi.runtime.settings.get_engine())
    pulumi.runtime.set_all_config(dict(request.config), list(request.configSecretKeys))
    directory = program if program.is_dir() else program.parent
    os.chdir(request.pwd or directory)
    sys.argv = [str(program), *request.args]
    sys.path.insert(0, str(directory))
    if program.is_dir() and not (program / "__main__.py").is_file():
        _report(f"there is no __main__.py in {program}; create it, or set `main` in Pulumi.yaml")
        return None

    def execute() -> None:
        runpy.run_path(str(program), run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.stack.asyncio = Asyncio()  # type: ignore[assignment, attr-defined]
    trace_the_program(directory)
    # When one resource fails, outputs of others stay unresolved on purpose: asyncio's complaints would be noise.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    with ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4) as executor:
        loop.set_default_executor(executor)
        try:
            loop.run_until_complete(pulumi.runtime.run_in_stack(execute))
            return 0
        except SystemExit as exit_:
            if exit_.code is None or isinstance(exit_.code, int):
                return exit_.code or 0
            message = str(exit_.code)
        except pulumi.RunError as error:
            message = str(error)
        except Exception as error:
            if _is_shutdown(error):
                _ask("engine")
                return None  # the engine has said why
            message = "Program failed with an unhandled exception:\n" + user_traceback(error, directory)
        finally:
            debug.send()
            sys.stdout.flush()
            sys.stderr.flush()
    _report(message)
    return None


class DebugMessages:
    """Collects what the SDK says of its work, to send it some at a time; it's what ``pulumi --debug`` shows.

    The SDK says four things of each resource, whether somebody listens or not, and waits for the engine each time:
    a third of the program's time where there are many resources.

    Args:
        engine: The stub that the SDK sends messages with; this puts itself before its ``Log``.
    """

    def __init__(self, engine: Any) -> None:
        self._log = engine.Log
        self._texts: collections.deque[str] = collections.deque()  # filled in one thread, emptied in another
        self._lock = threading.Lock()
        engine.Log = self._collect
        threading.Thread(target=self._send_again_and_again, daemon=True).start()

    def send(self) -> None:
        """Send what there is now."""
        with self._lock:
            if texts := [self._texts.popleft() for _ in range(len(self._texts))]:
                with contextlib.suppress(grpc.RpcError):  # an engine that is gone shows nothing any more
                    self._log(engine_pb2.LogRequest(severity=engine_pb2.DEBUG, message="\n".join(texts)))

    def _collect(self, request: engine_pb2.LogRequest, **options: Any) -> Any:
        if request.severity == engine_pb2.DEBUG and not request.urn and not request.streamId:
            self._texts.append(request.message)
            return None
        self.send()
        return self._log(request, **options)

    def _send_again_and_again(self) -> None:
        while True:
            time.sleep(DEBUG_SECONDS)
            self.send()


def _is_shutdown(error: Exception) -> bool:
    """Whether the engine has ended the run; it says so in another way where a plugin couldn't make a component."""
    call = error if isinstance(error, grpc.RpcError) else error.__context__
    if not isinstance(call, grpc.RpcError):
        return False
    if call.details() == "resource monitor shut down":
        return True
    if call.code() != grpc.StatusCode.UNAVAILABLE:
        return False
    # Somebody isn't there: the engine's monitor, or what the program itself asks.
    try:
        _ask("monitor")
    except EngineLostError:
        return True
    return False


def _ask(what: Literal["engine", "monitor"]) -> None:
    """Ask the engine, or the part of it that registers resources, something, to see whether it is there.

    Raises:
        EngineLostError: It isn't.
    """
    settings: Any = pulumi.runtime.settings
    try:
        if what == "engine":
            settings.get_engine().GetRootResource(engine_pb2.GetRootResourceRequest(), timeout=ENGINE_SECONDS)
        else:
            request = resource_pb2.SupportsFeatureRequest(id="secrets")
            settings.get_monitor().SupportsFeature(request, timeout=ENGINE_SECONDS)
    except grpc.RpcError as error:
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise EngineLostError(f"the connection to the engine failed: {error.details()}") from None


def user_traceback(error: Exception, directory: Path) -> str:
    """The traceback of ``error`` from the first frame in the program's ``directory`` on, without Pulumi's before it."""
    first: TracebackType | None = None
    if not isinstance(error, SyntaxError):  # which names its file and line itself
        first = error.__traceback__
        while first and not _is_users(Path(first.tb_frame.f_code.co_filename), directory):
            first = first.tb_next
        first = first or error.__traceback__
    return "".join(traceback.format_exception(type(error), error, first))


def _is_users(file: Path, directory: Path) -> bool:
    return file.is_relative_to(directory) and not any(file.is_relative_to(other) for other in (sys.prefix, HOST))


def _report(message: str) -> None:
    """Have the engine show ``message`` as an error.

    Raises:
        EngineLostError: It can't be reached; the message is its text.
    """
    try:
        pulumi.log.error(message)
    except grpc.RpcError as error:
        raise EngineLostError(f"{message}\n(the engine couldn't be told: {error.details()})") from None


def end(code: int) -> NoReturn:
    """End this process as ``sys.exit`` does, without taking the interpreter apart: that was 0.3 s of each preview."""
    threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing ends its forks
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    end(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
