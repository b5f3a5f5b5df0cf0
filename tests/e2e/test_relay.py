"""The relay between the machine and the cluster: who connects while a pod is replaced waits, and isn't refused."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("cluster")  # for its programs

TIMEOUT = 60
"""Seconds within which each of these has to happen, on whatever machine."""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def listens(port: int) -> bool:
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return False
    return True


@contextlib.contextmanager
def relay(target: int, wait: str) -> Iterator[int]:
    """Relay a free port to the port ``target``, and yield it."""
    program = shutil.which("relay")
    assert program
    port = free_port()
    route = f"127.0.0.1:{port}=127.0.0.1:{target}"
    with subprocess.Popen([program, "-wait", wait, route], stderr=subprocess.DEVNULL) as process:
        try:
            assert eventually(lambda: listens(port), TIMEOUT)
            yield port
        finally:
            process.terminate()


def test_a_connection_is_held_until_its_target_answers() -> None:
    target = free_port()
    with relay(target, "60s") as port, connect(port) as client:
        client.sendall(b"question")
        client.settimeout(1)
        with pytest.raises(TimeoutError):  # neither refused nor closed
            client.recv(1)
        client.settimeout(TIMEOUT)
        with socket.create_server(("127.0.0.1", target)) as server:
            server.settimeout(TIMEOUT)
            # The connections that asked whether the relay listens are held too, and have nothing to say.
            while True:
                connection, _ = server.accept()
                with connection:
                    if connection.recv(8) == b"question":
                        connection.sendall(b"answer")
                        break
        assert client.recv(6) == b"answer"


def test_a_connection_is_not_held_for_ever() -> None:
    with relay(free_port(), "100ms") as port, connect(port) as client:
        assert client.recv(1) == b""
