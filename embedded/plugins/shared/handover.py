"""Has a resource plugin run in a process that has loaded the libraries already, where there is one.

The language host keeps one (`language/forks.py`), for all that the same engine starts. Most of a plugin's start is
loading the libraries that all of them have.
"""

import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path

TAKEN = b"+"
"""The plugin runs. Its exit code may follow, in one byte; plugins usually just end."""


def address(engine: int) -> str:
    """Name of the socket for plugins of the engine with this process ID: an abstract one, which leaves no file behind.

    Process IDs aren't unique where several containers share a network, and with it such sockets.
    """
    return f"\0inspiration-plugins-{Path('/proc/self/ns/pid').stat().st_ino}-{engine}"


def user(peer: socket.socket) -> int:
    """The user ID of the process at the other end: everybody on this machine sees abstract sockets."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def hand_over(module: str) -> None:
    """Have ``module`` run elsewhere with this process's streams, and exit as it does; return where nobody takes it."""
    if sys.platform != "linux":  # abstract sockets, and who is at their other end, are Linux' own
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        request = {
            "interpreter": [sys.executable, sys.version],
            "module": module,
            "path": sys.path[0],
            "arguments": sys.argv,
            "folder": str(Path.cwd()),
            "environment": dict(os.environ),
            "group": os.getpgrp(),
        }
        try:
            peer.connect(address(os.getppid()))
            if user(peer) != os.getuid():
                return
            socket.send_fds(peer, [json.dumps(request).encode()], [0, 1, 2])
            if peer.recv(1) != TAKEN:
                return
        except OSError:  # nobody there, or more than a packet holds
            return
        # From here on this process only stands for the plugin: the engine waits for it, and may end it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        code = peer.recv(1)
        os._exit(code[0] if code else 0)
