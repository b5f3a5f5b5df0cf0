"""The processes' life: started in namespaces of their own, kept alive by Supervisor, stopped without a trace.

Supervisor is process 1 of a PID namespace: when it ends, the kernel ends everything in it, containers included, and
every mount that they made goes with the mount namespace.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from embedded import files, interruption
from embedded.cluster import network, plan
from embedded.cluster.plan import Files
from embedded.cluster.programs import Program
from embedded.errors import Failure
from embedded.toolchain.system import SYSTEM_PATH

POLL_SECONDS = 0.1

CONFIGURATION = "supervisord.conf"
"""The supervisor's own configuration, in the cluster's folder of configuration files."""

SETTINGS = "INSPIRATION_SETTINGS"
"""A variable that tells the supervisor of a change, and nobody else."""

MOUNT_AND_RUN = """\
mount --make-rshared /
while [ "$1" != -- ]; do
	mount --bind "$1" "$2"
	shift 2
done
shift
exec "$@"
"""
"""Shell commands that take pairs of a folder and where to mount it, ``--``, and what to run then."""


class Supervisor:
    """The supervisor of one cluster, running or not."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._record = files.state / "supervisor.json"

    def root(self) -> psutil.Process | None:
        """Process 1 of the cluster's PID namespace as the machine sees it; None if it isn't running."""
        try:
            record = json.loads(self._record.read_text())
            process = psutil.Process(record["pid"])
            # A process id is used again after a while; one with another start is somebody else.
            same = _start_of(process.pid) == record["start"] and process.status() != psutil.STATUS_ZOMBIE
            return process if same else None
        except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
            # Also where whoever started it was killed before it could write that down.
            return self._found()
        except (ValueError, LookupError, TypeError):
            # The record of another version, or none: what runs is the same in all of them.
            return self._found()

    def _found(self) -> psutil.Process | None:
        """The same without a record of it, by its command line, which names this cluster's configuration."""
        configuration = (self._files.config / CONFIGURATION).resolve()
        if not configuration.exists():
            return None
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if words[-2:-1] != ["--configuration"] or Path(words[-1]).resolve() != configuration:
                continue
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                # `unshare`, which waits for it, has the same words.
                if len(_pids(process.pid)) > 1 and _innermost_pid(process.pid) == 1:
                    return process
        return None

    def processes(self) -> dict[str, psutil.Process]:
        """The running programs by name, as the machine sees them."""
        root = self.root()
        if root is None:
            return {}
        # The supervisor knows them by their number in its PID namespace, the machine by another.
        names = {state["pid"]: state["name"] for state in self.states() if state["pid"]}
        found: dict[str, psutil.Process] = {}
        for child in root.children():
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
                name = names.get(_innermost_pid(child.pid))
                if name is not None:
                    found[name] = child
        return found

    def start(self, programs: Iterable[Program]) -> set[str]:
        """Start the supervisor if it isn't running, and make it know exactly ``programs``, none started yet.

        A program whose command line or settings are others than before is stopped, so that it can be started anew.

        Returns:
            The names of those that were stopped, those that aren't wanted any more among them.
        """
        configuration = self._files.config / CONFIGURATION
        configuration.touch(mode=0o600)
        configuration.write_text(self._configuration(list(programs)))
        root = self.root()
        if root is None:
            self._launch(str(configuration))
            return set()
        self._write_down(root.pid)
        rpc = self._rpc()
        added, changed, removed = rpc.reloadConfig()[0]
        for group in (*changed, *removed):
            rpc.stopProcessGroup(group)
            rpc.removeProcessGroup(group)
        for group in (*added, *changed):
            rpc.addProcessGroup(group)
        return {*changed, *removed}

    def run(self, name: str) -> bool:
        """Start one program, if it isn't running.

        Returns:
            Whether it had to be started.

        Raises:
            Failure: It ends right after its start; with the last lines of its log.
        """
        rpc = self._rpc()
        if rpc.getProcessInfo(name)["statename"] in ("RUNNING", "STARTING"):
            return False
        try:
            rpc.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            raise Failure(
                f"{name} doesn't start: {fault.faultString}", fix=self.last_words(name), log=self.log(name)
            ) from None
        return True

    def restart(self, names: Iterable[str]) -> set[str]:
        """Stop the named programs, so that the next :meth:`run` starts them with what has changed.

        Returns:
            The names of those that ran.
        """
        rpc, stopped = self._rpc(), set()
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # it isn't running
                rpc.stopProcess(name)
                stopped.add(name)
        return stopped

    def reload(self, name: str) -> None:
        """Have a program that runs read its configuration again, if it is one that does so on SIGHUP."""
        with contextlib.suppress(xmlrpc.client.Fault):  # it isn't running
            self._rpc().signalProcess(name, "HUP")

    def wait(self, name: str, is_ready: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait until ``is_ready()``.

        Args:
            name: The program that is waited for.
            is_ready: Asked ten times a second.
            what: What is waited for, for the error.
            seconds: After which it is given up.

        Raises:
            Failure: The time is up, or the program has ended for good.
            KeyboardInterrupt: This process has been asked to end.
        """
        end = time.monotonic() + seconds
        while not is_ready():
            interruption.check()
            try:
                state = self._rpc().getProcessInfo(name)["statename"]
            except (OSError, xmlrpc.client.Fault) as error:
                raise Failure(
                    f"the supervisor ended while it was waited for {name}: {error}",
                    fix="run script/up again",
                    log=self._files.logs / "supervisord.log",
                ) from None
            if state in ("FATAL", "EXITED") or time.monotonic() > end:
                raise Failure(
                    f"{what} after {seconds:.0f} s ({name} is {state.lower()})",
                    fix=self.last_words(name),
                    log=self.log(name),
                )
            time.sleep(POLL_SECONDS)

    def states(self) -> list[dict[str, Any]]:
        """What the supervisor knows of each program: its ``name``, ``statename``, ``pid`` and more."""
        if self.root() is not None:
            with contextlib.suppress(OSError, xmlrpc.client.Fault):  # it is just starting or ending
                return list(self._rpc().getAllProcessInfo())
        return []

    def stop(self) -> None:
        """Stop everything; what doesn't end by itself is ended by the kernel with the PID namespace."""
        root = self.root()
        if root is not None:
            with contextlib.suppress(OSError, xmlrpc.client.Fault):
                self._rpc().shutdown()
            try:
                root.wait(timeout=30)
            except psutil.TimeoutExpired:
                root.kill()
                root.wait(timeout=30)
        self._record.unlink(missing_ok=True)
        self._files.supervisor_socket.unlink(missing_ok=True)

    def last_words(self, name: str) -> str:
        """The last lines that a program logged."""
        log = self.log(name)
        if not log.exists() or not log.stat().st_size:
            return "it logged nothing"
        lines = log.read_text(errors="replace").splitlines()
        return "its last words: " + " | ".join(line.strip() for line in lines[-3:])

    def _launch(self, configuration: str) -> None:
        mounts: list[str] = []
        for name, place in plan.OWN_FOLDERS.items():
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            mounts += [str(self._files.data / name), str(place)]
        output = self._files.logs / "supervisord.out"
        with output.open("ab") as log:
            unshare = subprocess.Popen(
                ["unshare", "--mount", "--propagation=slave", "--pid", "--fork", "--mount-proc",
                 "sh", "-ec", MOUNT_AND_RUN, "sh", *mounts, "--",
                 sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", configuration],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                cwd="/", env=_environment(),
            )  # fmt: skip
        for _ in _until(20):
            children = psutil.Process(unshare.pid).children() if unshare.poll() is None else []
            if children:
                self._write_down(children[0].pid)
                break
            if unshare.poll() is not None:
                break
        for _ in _until(20):
            with contextlib.suppress(OSError, xmlrpc.client.Fault, xmlrpc.client.ProtocolError):
                self._rpc().getState()
                return
            if unshare.poll() is not None:
                break
        raise Failure(
            "the supervisor of the cluster's processes doesn't start",
            fix="see what it says",
            log=output,
        )

    def _write_down(self, pid: int) -> None:
        record = json.dumps({"pid": pid, "start": _start_of(pid)})
        if not self._record.exists() or self._record.read_text(errors="replace") != record:
            files.replace(self._record, record)

    def _rpc(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._files.supervisor_socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self._files.logs / f"{name}.log"

    def _configuration(self, programs: list[Program]) -> str:
        sections = [
            f"""[unix_http_server]
file={self._files.supervisor_socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
logfile={self._files.logs / "supervisord.log"}
logfile_maxbytes=1MB
logfile_backups=1
pidfile={self._files.state / "supervisord.pid"}
childlogdir={self._files.logs}
user=root
"""
        ]
        for program in programs:
            command = list(program.command)
            if program.in_cluster_network:
                command = network.run_inside(self._files, command)
            sections.append(
                f"""[program:{program.name}]
command={_quote(command)}
environment={",".join(f'{key}="{value}"' for key, value in _variables(program).items())}
autostart=false
autorestart=true
startretries=1000
startsecs=1
stopwaitsecs={program.stop_seconds}
redirect_stderr=true
stdout_logfile={self.log(program.name)}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""
            )
        return "\n".join(sections)


def _variables(program: Program) -> dict[str, str]:
    """Its own, and a checksum of its settings: what changes there is a change for the supervisor, too."""
    if not program.settings:
        return dict(program.environment)
    read = hashlib.sha256(b"\0".join(path.read_bytes() for path in program.settings))
    return {**program.environment, SETTINGS: read.hexdigest()[:16]}


def _start_of(pid: int) -> list[str]:
    """When a process began: which boot of the machine, and clock ticks since, whatever the clock is set to."""
    # The 22nd field of proc_pid_stat(5); the second one, in parentheses, may have spaces.
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), ticks]


def _innermost_pid(pid: int) -> int:
    return _pids(pid)[-1]


def _pids(pid: int) -> list[int]:
    """The numbers of a process in the PID namespaces that it is in, the machine's first."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next([int(each) for each in line.split()[1:]] for line in status.splitlines() if line.startswith("NSpid:"))


def _quote(command: list[str]) -> str:
    # Supervisor expands %(…)s and splits as a shell does.
    return shlex.join(command).replace("%", "%%")


def _environment() -> dict[str, str]:
    """The little that the processes need; nothing of the user's shell, which may hold secrets."""
    kept = {name: value for name, value in os.environ.items() if name.lower() in ("http_proxy", "https_proxy")}
    if kept:
        kept |= plan.without_proxy(os.environ)
    return {**kept, "PATH": SYSTEM_PATH, "LANG": "C.UTF-8"}


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(POLL_SECONDS)
