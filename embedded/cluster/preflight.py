"""What would stop the cluster, found before anything is made."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection

import psutil

from embedded.cluster import network
from embedded.cluster.plan import Files, Ports
from embedded.errors import Failure

LONGEST_SOCKET_PATH = 107
"""Bytes of a UNIX socket's path, by ``sockaddr_un`` in the kernel's interface."""

DEEPEST_SOCKET = "data/docker/exec/libnetwork/0123456789ab.sock"
DEEPEST_OF_NODES = "nodes/2/data/kubelet/pod-resources/kubelet.sock"
"""That of a further node."""


def check(files: Files, ports: Ports, own: Collection[int]) -> None:
    """Check paths, whose cluster is on this machine, and ports.

    Args:
        files: Where the cluster will be.
        ports: What it will listen on.
        own: Process ids that may hold the ports: the cluster's, if it is running.

    Raises:
        Failure: With the other cluster, or with every port that is held, the program that holds it, and the config key
            that changes it.
    """
    refuse_deep(files, DEEPEST_SOCKET)
    # First, since what holds the ports would be that cluster's relay.
    network.refuse_another(files)
    taken = [
        f"port {port} is held by {holder}: stop it, or choose another port: {_how(files, key, _other(port))}"
        for port, key in ports.keys().items()
        if (holder := _holder(port, own))
    ]
    if taken:
        raise Failure("; ".join(taken), fix="nothing was changed")


def refuse_deep(files: Files, socket: str) -> None:
    """Check that a socket can be so far down in the state folder.

    Raises:
        Failure: It can't.
    """
    if len(os.fsencode(files.state / socket)) > LONGEST_SOCKET_PATH:
        raise Failure(
            f"the path {files.state} is too long for the sockets in it",
            fix="keep the state elsewhere: export INSPIRATION_STATE=/var/lib/inspiration",
        )


def refuse_without_root() -> None:
    """Check that this is root.

    Raises:
        Failure: It isn't.
    """
    if os.geteuid() != 0:
        raise Failure(
            "the embedded cluster needs root: it makes a network namespace, mounts and cgroups",
            fix="run `sudo script/up`, or put the stack on a cluster of yours: see “On your own cluster” in README.md",
        )


def _how(files: Files, key: str, port: int) -> str:
    """How to have another port: there may be no ``pulumi`` before the first ``script/up``."""
    if files.environment.exists():
        return f"`pulumi config set --path {key} {port}`"
    section, _, name = key.rpartition(".")
    return f"in Pulumi.dev.yaml, {section}: {{{name}: {port}}}"


def _holder(port: int, own: Collection[int]) -> str | None:
    """Who listens on a TCP port of this machine, as ``nginx (pid 123)``; None if nobody does."""
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.laddr.port != port:
            continue
        if connection.laddr.ip not in ("0.0.0.0", "127.0.0.1", "::", "::1", "::ffff:127.0.0.1"):  # noqa: S104
            continue
        if connection.pid in own:
            return None
        if connection.pid is None:
            return "a program outside this container"
        return f"{_name(connection.pid)} (pid {connection.pid})"
    # A NodePort of another cluster has no listener: its rules catch the packets before.
    with socket.socket() as probe:
        probe.settimeout(0.5)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return "something that answers without a listener (the NodePort of another cluster on this machine?)"
    return None


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return "a program that has just ended"


def _other(port: int) -> int:
    """A port to propose: one that a user would recognise."""
    return {80: 8080, 443: 8443}.get(port, port + 1)
