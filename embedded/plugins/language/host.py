"""Answers the Pulumi engine's questions about Python programs, and runs them."""

# Names and parameters of the service's methods are the protocol's.
# ruff: noqa: ARG001, ARG002, N802

import contextlib
import importlib.metadata
import os
import platform
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal, NoReturn

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from ..shared import loopback
from .child import LOST, REPORTED, Child, Fresh, Spare
from .environment import Environment, UnsupportedError

Stream = Literal["stdout", "stderr"]

REFUSED = ("GenerateProgram", "GenerateProject", "GeneratePackage", "Link", "Pack", "Template")
"""What only the official language host does: all of it makes code or packages, nothing runs them."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Pulumi's ``LanguageRuntime`` service.

    Args:
        engine: The engine's address, ``host:port``.
        spare: The process that runs the first program in this interpreter's environment.
        others: Processes that end with this one.
    """

    def __init__(self, engine: str, spare: Spare, *others: subprocess.Popen[bytes]) -> None:
        self._engine = engine
        self._spare: Spare | None = spare
        self._lock = threading.Lock()
        self._running: list[Child | subprocess.Popen[bytes]] = [spare, *others]

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        """Run programs for this engine from now on, in place of the one that has started this process."""
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """The version: that of the SDK, with which the official host is released."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def About(self, request: language_pb2.AboutRequest, context: grpc.ServicerContext) -> language_pb2.AboutResponse:
        """The interpreter, for ``pulumi about``."""
        with _refusals(context):
            environment = Environment.of(request.info)
            python = environment.python
            command = [str(python), "-c", "import platform; print(platform.python_version())"]
            own = environment.is_own
            version = platform.python_version() if own else subprocess.check_output(command, text=True).strip()
            return language_pb2.AboutResponse(executable=str(python), version=version)

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """The plugins that the SDKs in the program's environment need."""
        with _refusals(context):
            packages = Environment.of(request.info).required_packages()
            return language_pb2.GetRequiredPackagesResponse(packages=packages)

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        """The packages in the program's environment, for ``pulumi about``."""
        with _refusals(context):
            dependencies = Environment.of(request.info).dependencies(request.transitiveDependencies)
            return language_pb2.GetProgramDependenciesResponse(dependencies=dependencies)

    def RuntimeOptionsPrompts(
        self, request: language_pb2.RuntimeOptionsRequest, context: grpc.ServicerContext
    ) -> language_pb2.RuntimeOptionsResponse:
        """Nothing to ask at ``pulumi new``: there is one toolchain, pip."""
        return language_pb2.RuntimeOptionsResponse()

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Create the virtual environment if it isn't there, and install ``requirements.txt`` into it."""
        with _refusals(context):
            environment = Environment.of(request.info)
            commands: list[Sequence[str | Path]] = []
            python = Path(sys.executable)
            if environment.directory is not None:
                python = environment.directory / "bin" / "python"
                if not python.is_file():
                    commands.append([sys.executable, "-m", "venv", environment.directory])
            requirements = Path(request.info.program_directory, "requirements.txt")
            if requirements.is_file():
                commands.append([python, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements])
            for command in commands:
                process = self._start(command, request.info.program_directory, environment.activate(os.environ))
                for stream, chunk in _outputs(process):
                    yield language_pb2.InstallDependenciesResponse(**{stream: chunk})
                if code := process.wait():
                    raise UnsupportedError(f"`{' '.join(map(str, command))}` failed with exit code {code}")

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        """Run a program to its end."""
        with _refusals(context):
            if request.attach_debugger:
                raise UnsupportedError(
                    "--attach-debugger is not supported by the embedded Python language host; "
                    "install the official Pulumi for it"
                )
            environment = Environment.of(request.info)
            child = self._child(environment)
            if not context.add_callback(child.stop):
                child.stop()  # cancelled already
            code = child.run(self._engine, request.SerializeToString())
            if code == REPORTED:
                return language_pb2.RunResponse(bail=True)
            if code == LOST:
                return language_pb2.RunResponse(
                    error=f"the program can't reach the Pulumi engine at {self._engine}; see what it says, and "
                    "check that nothing on this machine keeps its programs from connecting to each other at 127.0.0.1"
                )
            if code < 0:
                return language_pb2.RunResponse(error=f"Program was ended by signal {-code}")
            if code:
                return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {code}")
        return language_pb2.RunResponse()

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a plugin that is a Python program: a policy pack, or a provider in a folder."""
        with _refusals(context):
            environment = Environment.of(request.info)
            directory = request.info.program_directory
            words = [str(environment.python), "-u"]
            if request.kind == "analyzer":
                words += ["-m", "pulumi.policy", *request.args[:1], directory, *request.args[1:]]
            else:
                words += [directory, *request.args]
            given = dict(each.split("=", 1) for each in request.env) or os.environ
            variables = environment.activate({**given, **loopback.without_proxy(given)})
            process = self._start(words, request.pwd or directory, variables)
            context.add_callback(process.terminate)
            for stream, chunk in _outputs(process):
                yield (
                    language_pb2.RunPluginResponse(stdout=chunk)
                    if stream == "stdout"
                    else language_pb2.RunPluginResponse(stderr=chunk)
                )
            yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        """Interrupt what is running."""
        self.stop()
        return Empty()

    def stop(self) -> None:
        """End every process that this host started."""
        with self._lock:
            running, self._running = self._running, []
        for each in running:
            if isinstance(each, subprocess.Popen):
                each.terminate()
            else:
                each.stop()

    def _child(self, environment: Environment) -> Child:
        with self._lock:
            child: Child | None = None
            if environment.is_own:
                child, self._spare = self._spare, None
            if child is None:
                child = Fresh(environment)
                self._running.append(child)
            return child

    def _start(
        self, command: Sequence[str | Path], directory: str, variables: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with self._lock:
            self._running.append(process)
        return process


def _outputs(process: subprocess.Popen[bytes]) -> Iterator[tuple[Stream, bytes]]:
    """What ``process`` writes, as it comes, up to the end of both its streams."""
    chunks: queue.SimpleQueue[tuple[Stream, bytes]] = queue.SimpleQueue()

    def read(name: Stream, stream: IO[bytes]) -> None:
        while chunk := os.read(stream.fileno(), 65536):
            chunks.put((name, chunk))
        chunks.put((name, b""))

    assert process.stdout is not None and process.stderr is not None  # noqa: S101 (both are pipes)
    for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
        threading.Thread(target=read, args=(name, stream), daemon=True).start()
    open_streams = 2
    while open_streams:
        name, chunk = chunks.get()
        if chunk:
            yield name, chunk
        else:
            open_streams -= 1


@contextlib.contextmanager
def _refusals(context: grpc.ServicerContext) -> Iterator[None]:
    """Answer an `UnsupportedError` as an error of one line, without a traceback."""
    try:
        yield
    except UnsupportedError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def _refuse(method: str) -> None:
    def refused(self: LanguageHost, request: object, context: grpc.ServicerContext) -> NoReturn:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{method} is not supported by the embedded Python language host; install the official Pulumi for it",
        )

    setattr(LanguageHost, method, refused)


for _method in REFUSED:
    _refuse(_method)
