"""``pulumi-language-python [flags] ENGINE``: prints its port, and serves until the engine ends."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

# The engine ends its plugins with an interrupt; until there is something to clean up it may just end the process.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import grpc  # noqa: E402
from pulumi.runtime.proto import language_pb2_grpc  # noqa: E402

from .child import Spare  # noqa: E402
from .host import LanguageHost  # noqa: E402

MAX_MESSAGE = 400 << 20
"""Bytes; the engine's own limit."""


def main() -> None:
    """Serve the engine whose address is the last argument."""
    engine = sys.argv[-1]
    spare = Spare(engine)
    host = LanguageHost(engine, spare)
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
        server.stop(None)


main()
