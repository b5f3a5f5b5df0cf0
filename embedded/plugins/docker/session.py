"""A session with BuildKit, which asks by it for the secrets of a build while that runs.

What the Docker command does with ``--secret``: a connection to the Engine by which that calls us, with gRPC. So the
secrets are in no file, on no command line, and in neither the image nor the cache.

Sources: session/grpc.go, session/manager.go, session/secrets/secrets.proto of github.com/moby/buildkit.
"""

from __future__ import annotations

import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import grpc
from google.protobuf.wrappers_pb2 import BytesValue, StringValue

from ..shared.errors import PluginError

_SECRETS = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
"""A HealthCheckResponse: its status is SERVING."""

_LONGEST_ANSWER = 1 << 16
_CHUNK = 1 << 16


class _Service(grpc.GenericRpcHandler):
    """Answers what BuildKit asks. A secret that isn't there is none that the build must have."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._secrets = secrets

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        if details.method == _HEALTH:
            return grpc.unary_unary_rpc_method_handler(lambda *_: _SERVING)
        if details.method == _SECRETS:
            return grpc.unary_unary_rpc_method_handler(self._secret)
        return None

    def _secret(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        # Both messages have one field of interest, the first, as these of protobuf's own have.
        name = StringValue.FromString(request).value
        if name not in self._secrets:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no secret {name}")
        return BytesValue(value=self._secrets[name]).SerializeToString()


@contextmanager
def session(engine: str, secrets: Mapping[str, bytes]) -> Iterator[str]:
    """The identifier of a session with the Docker Engine at a Unix socket, as long as the block runs.

    Args:
        engine: The path of its socket.
        secrets: What a build may ask for, by identifier.

    Raises:
        PluginError: The Engine doesn't want a session.
        OSError: It can't be reached.
    """
    identifier = uuid.uuid4().hex
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())  # nobody else may look into it
        server = grpc.server(ThreadPoolExecutor(4), handlers=[_Service(secrets)])
        address = f"{folder}/socket"
        server.add_insecure_port(f"unix:{address}")
        server.start()
        stack.callback(lambda: server.stop(None).wait())
        theirs = stack.enter_context(_upgraded(engine, identifier))
        ours = stack.enter_context(socket.socket(socket.AF_UNIX))
        ours.connect(address)
        threads = [threading.Thread(target=_copy, args=pair) for pair in ((theirs, ours), (ours, theirs))]
        for thread in threads:
            thread.start()
        try:
            yield identifier
        finally:
            for end in (theirs, ours):
                _shut(end)
            for thread in threads:
                thread.join()


def _upgraded(engine: str, identifier: str) -> socket.socket:
    """A connection to the Engine on which that calls us from now on."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(engine)
        head = ["POST /session HTTP/1.1", "Host: docker", "Connection: Upgrade", "Upgrade: h2c"]
        head += [f"X-Docker-Expose-Session-Uuid: {identifier}", "X-Docker-Expose-Session-Name: inspiration"]
        head += [f"X-Docker-Expose-Session-Grpc-Method: {method}" for method in (_SECRETS, _HEALTH)]
        connection.sendall("".join(f"{line}\r\n" for line in [*head, ""]).encode())
        answer = b""
        # Byte by byte: what comes after the head is a call.
        while not answer.endswith(b"\r\n\r\n") and len(answer) < _LONGEST_ANSWER and (byte := connection.recv(1)):
            answer += byte
        status = answer.partition(b"\r\n")[0].decode(errors="replace")
        if " 101 " not in f"{status} ":
            raise PluginError(f"the Docker Engine has no session for the build: {status or 'no answer'}; see its log")
    except BaseException:
        connection.close()
        raise
    return connection


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # one end is gone, so the other may go
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    _shut(target)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):  # it is
        end.shutdown(socket.SHUT_RDWR)
