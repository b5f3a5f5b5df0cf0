"""Serves a `LanguageHost` to the engine that started this process."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import grpc
from pulumi.runtime.proto import language_pb2_grpc

from .child import Spare
from .host import LanguageHost

MAX_MESSAGE = 400 << 20
"""Bytes; the engine's own limit."""


def serve(engine: str, spare: Spare, plugins: subprocess.Popen[bytes] | None) -> NoReturn:
    """Print the port in the first line of output, and serve until the engine ends or interrupts this process.

    Args:
        engine: The engine's address, ``host:port``.
        spare: The process for the first program.
        plugins: The process for resource plugins, if there is one.
    """
    host = LanguageHost(engine, spare, *([plugins] if plugins else []))
    server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", MAX_MESSAGE)])
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: sys.exit())
    try:
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        print(port, flush=True)  # noqa: T201 (the protocol's first line)
        # Standard input is a pipe that the engine holds open: its end is the engine's end, however it came.
        while os.read(sys.stdin.fileno(), 4096):
            pass
    finally:
        host.stop()
        os._exit(0)  # nothing is left to save, and the engine waits while an interpreter shuts down
