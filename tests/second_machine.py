"""A second machine within this one, so that two embedded clusters can be tested at a time.

It has namespaces of its own for its network, its mounts and its control groups; programs, files and processes are those
of this machine, which gets nothing of it but a network namespace and a control group. It reaches the outside as any
program of this machine does, by ``slirp4netns``.

``python -m tests.second_machine COMMAND …`` runs a command there while it is `provided`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from embedded.cluster import control_groups, kernel_settings, network
from embedded.cluster.network import run
from embedded.errors import Failure
from tests.waiting import eventually

NAME = "test-machine"
"""Of its network namespace and of its control groups."""
NETWORK = Path(f"/run/{NAME}-network")
INSIDE = ("nsenter", f"--net={NETWORK}")
"""What a command begins with that is to be in its network."""
INTERFACE, RESOLVER = "eth0", "10.0.2.3"
"""The names that slirp4netns answers are those that this machine knows."""
PROGRAMS = frozenset({"ip", "mount", "nsenter", "slirp4netns"})
"""What it takes."""
FIX = "see that it is installed, and has /dev/net/tun"
NEW = ("/run", "/tmp")
"""Folders that are empty there."""
COPIES = ("/etc", "/opt", "/var/lib", "/var/log")
"""Folders in which what is written there isn't written here, nor what is taken away.

A cluster mounts folders of its own over some of these. Who removes the folder below such a mount takes away the mount
too, in whatever namespace it is.
"""


@contextlib.contextmanager
def provided() -> Iterator[list[str]]:
    """Have it for the length of a block; yield what a command begins with that is to run there.

    Another run that has it is waited for.

    Raises:
        Failure: It can't be had here.
    """
    lock = os.open("/var/tmp", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove()  # what a run that was killed has left
        with contextlib.ExitStack() as connected:
            try:
                network.provide_namespace(NETWORK)
                run(*INSIDE, "ip", "link", "set", "lo", "up")
                for folder in _control_groups():
                    _make(folder)
                connected.enter_context(_connected())
            except OSError as error:
                raise Failure(f"no second machine: {error}", fix=FIX) from None
            yield [sys.executable, "-m", "tests.second_machine"]
    finally:
        _remove()
        os.close(lock)


@contextlib.contextmanager
def _connected() -> Iterator[None]:
    """Have its network lead to the outside for the length of a block."""
    command = ["slirp4netns", "--configure", "--disable-host-loopback", "--netns-type=path", str(NETWORK), INTERFACE]
    # In a session of its own: Ctrl-C is for the tests, which end first.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as running:
        try:
            assert eventually(lambda: running.poll() is not None or "default" in _routes(), 60)
            if running.returncode is not None:
                raise Failure(f"slirp4netns: {running.communicate()[0].strip()}", fix=FIX)
            yield
        finally:
            running.terminate()


def _routes() -> str:
    return subprocess.run([*INSIDE, "ip", "route"], check=True, capture_output=True, text=True).stdout


def _make(folder: Path) -> None:
    """Make a control group that may hand down all that the machine has."""
    folder.mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):  # without which nothing may be in it: version 1
        if (folder.parent / name).exists():
            (folder / name).write_text((folder.parent / name).read_text())
    control_groups.hand_down(folder.parent)


def _remove() -> None:
    """Take away what there is of it, with processes that a run has left which was killed."""

    def processes() -> list[int]:
        files = [file for group in _control_groups() for file in group.rglob("cgroup.procs")]
        return [int(line) for file in files for line in file.read_text().split()]

    for process in processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    assert eventually(lambda: not processes())
    network.remove_namespace(NETWORK)
    control_groups.down(NAME)


def _control_groups() -> list[Path]:
    """Its control group in each hierarchy."""
    return [hierarchy / NAME for hierarchy in control_groups.hierarchies()]


def _enter(command: list[str]) -> None:
    """Become a command there, by way of ``unshare`` and `_arrange`."""
    for folder in _control_groups():
        (folder / "cgroup.procs").write_text(str(os.getpid()))
    arranged = [sys.executable, "-c", "from tests import second_machine as it; it._arrange()", *command]
    os.execvp(INSIDE[0], [*INSIDE, "unshare", "--cgroup", "--mount", *arranged])


def _arrange() -> None:
    """Mount what isn't to be shared with the machine, and become the command."""
    for folder in NEW:
        run("mount", "-t", "tmpfs", "-o", "mode=1777", NAME, folder)
    for folder in COPIES:
        upper, work = (Path("/run") / NAME / kind / folder[1:] for kind in ("upper", "work"))
        for each in (upper, work):
            each.mkdir(parents=True)
        run("mount", "-t", "overlay", "-o", f"lowerdir={folder},upperdir={upper},workdir={work}", NAME, folder)
    resolver = Path("/etc/resolv.conf")
    resolver.unlink()  # often a link to where there is nothing now
    resolver.write_text(f"nameserver {RESOLVER}\n")
    held = Path("/run") / NAME / "held"
    held.mkdir()
    for group in _control_groups():
        # Instead of the machine's, not over it: runc takes the first of a hierarchy's mounts.
        run("mount", "--bind", str(group), str(held))
        run("umount", str(group.parent))
        run("mount", "--move", str(held), str(group.parent))
        if (group.parent / "cgroup.controllers").exists():  # where there are processes, nothing is handed down
            within = group.parent / "tests"
            within.mkdir(exist_ok=True)
            (within / "cgroup.procs").write_text(str(os.getpid()))
    for setting in kernel_settings.CHANGED:  # by a kubelet, for all machines that share the kernel
        shared, own = kernel_settings.SYSCTL / setting, Path("/run") / NAME / setting
        if shared.exists():
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(shared.read_text())
            run("mount", "--bind", str(own), str(shared))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    _enter(sys.argv[1:])
