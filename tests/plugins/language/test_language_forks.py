"""Resource plugins run in forks of a process that has loaded their libraries, where there is one."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc

from embedded.plugins import install
from embedded.plugins.language.child import load_for_plugins
from embedded.plugins.shared import handover
from tests.archives import unpack
from tests.plugins.language.project import Project
from tests.waiting import eventually

PYTHON = Path(sys.executable)
ENGINE = "127.0.0.1:1"
"""Nobody's: plugins first talk to the engine when they have something to say."""

FIND = """
import os, psutil, pulumi, pulumi_random
[forks] = [each for each in psutil.Process(os.getppid()).children() if any(".forks" in word for word in each.cmdline())]
"""
KILL = """
forks.kill()
while forks.status() != psutil.STATUS_ZOMBIE:  # its parent, the language host, needn't look after it
    os.sched_yield()
"""
PASSWORD = "pulumi_random.RandomPassword('password', length=12)"


def test_a_program_finds_its_plugins_loaded_and_leaves_no_process(project: Project) -> None:
    project.write("__main__.py", f"{FIND}{PASSWORD}.id.apply(lambda _: print(f'forks: {{len(forks.children())}}'))")
    assert "forks: 1" in project.up()
    home = project.variables["PULUMI_HOME"]
    assert eventually(lambda: [each for each in psutil.process_iter() if home in " ".join(words(each))] == [])


def test_plugins_start_by_themselves_where_that_process_has_died(project: Project) -> None:
    project.write("__main__.py", f"{FIND}{KILL}{PASSWORD}")
    project.up()
    assert any(each["type"] == "random:index/randomPassword:RandomPassword" for each in project.resources())


def test_an_interrupt_while_it_starts_is_not_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    process = load_for_plugins()
    process.send_signal(signal.SIGINT)
    assert eventually(lambda: f"@{handover.address(os.getppid())[1:]}" in Path("/proc/net/unix").read_text())
    process.communicate()  # closes its standard input, which ends it
    assert process.returncode == 0
    assert capfd.readouterr().err == ""


@pytest.fixture(params=["random"])
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The executable of a plugin; of another one where the test's parameter names it."""
    packed = install.archive(install.plugin_files(request.param, PYTHON))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        unpack(tar, tmp_path)
    return tmp_path / f"pulumi-resource-{request.param}"


@pytest.fixture
def forks() -> Iterator[psutil.Process]:
    """The process that waits for plugins that this process starts."""
    code = "import runpy; runpy.run_module('embedded.plugins.language.forks', None, '__main__', True)"
    with psutil.Popen([sys.executable, "-c", code, str(os.getpid())], stdin=subprocess.PIPE) as process:
        assert eventually(lambda: f"@{handover.address(os.getpid())[1:]}" in Path("/proc/net/unix").read_text())
        yield process
        process.stdin.close()
    assert process.returncode == 0


def started(launcher: Path) -> psutil.Popen:
    return started_on_port(launcher)[0]


def started_on_port(launcher: Path) -> tuple[psutil.Popen, str]:
    process = psutil.Popen(
        [launcher, ENGINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    port = process.stdout.readline().strip()
    assert port.isdigit(), process.communicate()
    return process, port


def test_the_fork_has_the_launchers_streams_and_ends_with_them(launcher: Path, forks: psutil.Process) -> None:
    process = started(launcher)
    [fork] = forks.children()
    assert process.communicate() == ("", "")  # closes its standard input, which ends it
    assert process.returncode == 0
    assert eventually(lambda: not fork.is_running())


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_fork_ends_with_the_launcher(launcher: Path, forks: psutil.Process, end: signal.Signals) -> None:
    process = started(launcher)
    [fork] = forks.children()
    process.send_signal(end)
    process.wait()
    assert eventually(lambda: not fork.is_running())
    process.communicate()


def test_the_launcher_ends_with_the_fork(launcher: Path, forks: psutil.Process) -> None:
    process = started(launcher)
    [fork] = forks.children()
    fork.kill()
    assert process.communicate() == ("", "")


@pytest.mark.usefixtures("forks")
def test_a_plugin_that_fails_has_its_exit_code_and_its_traceback(launcher: Path) -> None:
    (launcher.parent / "pulumi_resource_random/random/passwords.py").write_text("1 / 0")
    done = subprocess.run([launcher, ENGINE], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("launcher", install.RESOURCE_PLUGINS, indirect=True)
def test_plugins_go_on_when_the_process_that_forked_them_ends(launcher: Path, forks: psutil.Popen) -> None:
    """The language host is done, or was cancelled, before the plugins are."""
    process, port = started_on_port(launcher)
    [fork] = forks.children()
    forks.stdin.close()
    assert forks.wait() == 0
    assert eventually(lambda: fork.ppid() != forks.pid)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        plugin = provider_pb2_grpc.ResourceProviderStub(channel)
        for _ in range(2):  # what ends a plugin may come between
            assert plugin.GetPluginInfo(empty_pb2.Empty(), timeout=30).version
    assert fork.is_running()
    process.communicate()
    assert eventually(lambda: not fork.is_running())


def test_another_interpreter_is_not_taken(launcher: Path, forks: psutil.Process) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.connect(handover.address(os.getpid()))
        socket.send_fds(peer, [json.dumps({"interpreter": ["/usr/bin/python3", "3.8"]}).encode()], [0, 1, 2])
        assert peer.recv(1) == b""
    process = started(launcher)  # it goes on with the next one
    assert len(forks.children()) == 1
    process.communicate()


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
