"""``python -I … PID``: loads what all resource plugins need, and forks for each of them that the engine PID starts.

Started by the language host; ends with it, at the end of standard input. Plugins that it has forked
go on: like all plugins, they end with the engine.
"""

import contextlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
from typing import Any, NoReturn

from ..shared import handover

MAX_REQUEST = 1 << 20
"""Bytes; an environment is in it."""


def load() -> None:
    """Import what a plugin's start otherwise goes into."""
    import ssl  # noqa: F401

    import grpc.aio  # noqa: F401
    import pulumi.provider.experimental.provider
    import pulumi.provider.experimental.server  # noqa: F401
    import yaml  # noqa: F401

    with contextlib.suppress(ImportError):  # the environment of another program than ours
        import docker.tls  # noqa: F401


def serve(engine: int) -> None:
    """Fork for each plugin of the engine with this process ID that asks for it, until standard input ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(handover.address(engine))
        listener.listen()  # before the imports: who connects meanwhile waits for them, which is shorter than its own
        load()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            peer, _ = listener.accept()
            with peer, contextlib.suppress(OSError):  # who is gone again needs nothing
                if handover.user(peer) == os.getuid():
                    _take(peer, listener)


def _take(peer: socket.socket, listener: socket.socket) -> None:
    text, streams, _, _ = socket.recv_fds(peer, MAX_REQUEST, 3)
    try:
        request = json.loads(text or "{}")
        if request.get("interpreter") == [sys.executable, sys.version] and os.fork() == 0:
            listener.close()
            _become(request, peer, streams)
    finally:
        for stream in streams:
            os.close(stream)


def _become(request: dict[str, Any], peer: socket.socket, streams: list[int]) -> NoReturn:
    """Be the plugin that has asked for it."""
    code = 1
    try:
        for each in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        with contextlib.suppress(OSError):  # its group is gone when it is
            os.setpgid(0, request["group"])
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = request["arguments"]
        sys.path.insert(0, request["path"])
        peer.send(handover.TAKEN)
        threading.Thread(target=_exit_with, args=(peer,), daemon=True).start()
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        peer.send(bytes([code]))
        os._exit(code)


def _exit_with(peer: socket.socket) -> None:
    """End this process when the one that stands for it has been ended."""
    peer.recv(1)
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the engine, which ends the host, which ends this
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    serve(int(sys.argv[-1]))
