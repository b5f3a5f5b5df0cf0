"""The relay between the machine and the cluster: who connects while a pod is replaced waits, and isn't refused."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

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


def answering(address: str, port: int, word: bytes) -> socket.socket:
    """A server that says a word to whoever connects, until it is closed."""
    server = socket.create_server((address, port))

    def serve() -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(word)

    threading.Thread(target=serve, daemon=True).start()
    return server


def stop(server: socket.socket) -> None:
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_the_next_host_is_asked_where_one_does_not_answer_and_the_file_says_which_there_are(tmp_path: Path) -> None:
    program = shutil.which("relay")
    assert program
    port, target, hosts = free_port(), free_port(), tmp_path / "hosts"
    hosts.write_text("127.0.0.2\n127.0.0.3\n127.0.0.4\n")

    def said() -> bytes:
        with connect(port) as client:
            return client.recv(5)

    # Of 127.0.0.2, nothing comes at all: its queue is full. 127.0.0.3 refuses.
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.bind(("127.0.0.2", target))
        silent.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.2", target))
        fourth = answering("127.0.0.4", target, b"four")
        process = stack.enter_context(
            subprocess.Popen([program, f"-hosts={hosts}", f"127.0.0.1:{port}=:{target}"], stderr=subprocess.DEVNULL)
        )
        stack.callback(process.terminate)
        assert eventually(lambda: listens(port), TIMEOUT)
        assert [said() for _ in range(10)] == [b"four"] * 10

        # It is asked again after a while.
        third = answering("127.0.0.3", target, b"three")
        assert eventually(lambda: said() == b"three", TIMEOUT)
        stop(fourth)
        assert [said() for _ in range(10)] == [b"three"] * 10

        fifth = answering("127.0.0.5", target, b"five")
        hosts.write_text("127.0.0.5\n")
        process.send_signal(signal.SIGHUP)
        assert eventually(lambda: said() == b"five", TIMEOUT)

        hosts.write_text("")  # as while it is being written
        process.send_signal(signal.SIGHUP)
        assert said() == b"five"
        stop(third)
        stop(fifth)


def test_a_connection_is_not_held_for_ever() -> None:
    with relay(free_port(), "100ms") as port, connect(port) as client:
        assert client.recv(1) == b""
