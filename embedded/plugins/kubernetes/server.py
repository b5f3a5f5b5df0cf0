"""The gRPC side: serves a provider to the engine, and reports errors the way the engine wants them.

Pulumi's own ``server.main`` puts a stack trace behind every error, and can't say that a resource was made but isn't
ready, or that it doesn't exist; an interceptor around its servicer puts that right.
"""

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import proto
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2_grpc, status_pb2

from .errors import InitFailedError, PluginError
from .provider import KubernetesProvider


class EngineLog:
    """Sends the engine what the user is to see. Doesn't wait for it, and keeps the order."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._queue: asyncio.Queue[proto.LogRequest] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None
        self._shown: dict[str, str] = {}

    def status(self, urn: str, text: str) -> None:
        """Show what is being done for a resource; the engine replaces the previous status."""
        if self._shown.get(urn, "") != text:
            self._shown[urn] = text
            self._put(proto.LogRequest(severity=proto.INFO, message=text, urn=urn, ephemeral=True))

    def warn(self, urn: str, text: str) -> None:
        """Show a warning about a resource."""
        self._put(proto.LogRequest(severity=proto.WARNING, message=text, urn=urn))

    async def clear(self, urn: str) -> None:
        """Take a resource's status away, before the engine shows the outcome beside it."""
        if self._shown.get(urn):
            self.status(urn, "")
            await self._queue.join()

    def _put(self, request: proto.LogRequest) -> None:
        self._queue.put_nowait(request)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())

    async def _send(self) -> None:
        async with grpc.aio.insecure_channel(self._address, options=_GRPC_CHANNEL_OPTIONS) as channel:
            engine: Any = engine_pb2_grpc.EngineStub(channel)
            while True:
                request = await self._queue.get()
                # An engine that has gone can't be told anything.
                with suppress(grpc.aio.AioRpcError):
                    await engine.Log(request)
                self._queue.task_done()


class _ErrorReporter(grpc.aio.ServerInterceptor):
    """Turns exceptions into the engine's errors."""

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler
        return grpc.unary_unary_rpc_method_handler(
            _reporting(handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )


def _reporting(method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            response = await method(request, context)
        except NotImplementedError:
            raise
        except Exception as error:
            # The SDK's servicer raises an exception of its own, with the stack trace in its text, in place of ours.
            expected = isinstance(error, PluginError | InitFailedError)
            cause = error if expected else error.__context__ or error
            if isinstance(cause, InitFailedError):
                context.set_trailing_metadata((("grpc-status-details-bin", _init_failed(cause)),))
            await context.abort(grpc.StatusCode.UNKNOWN, _one_line(cause))
        if isinstance(response, proto.ReadResponse) and not response.id:
            # To the engine an object is gone if there are no properties, not if they are empty as the SDK has them.
            return proto.ReadResponse()
        if isinstance(response, proto.DiffResponse):
            # The SDK claims details for a provider's own difference too, where it can't pass any on.
            response.hasDetailedDiff = bool(response.detailedDiff)
        return response

    return call


def _one_line(error: BaseException) -> str:
    if isinstance(error, PluginError | InitFailedError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"the embedded kubernetes plugin has a fault: {type(error).__name__}: {error} ({where}); please report it"


def _init_failed(error: InitFailedError) -> bytes:
    details = proto.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=PropertyValue.marshal_map(error.properties),
        reasons=error.reasons,
        inputs=None if error.inputs is None else PropertyValue.marshal_map(error.inputs),
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(details)
    return status.SerializeToString()


def serve(version: str, engine: str, provider: KubernetesProvider) -> None:
    """Serve ``provider`` until the engine ends this process, or ends itself.

    Args:
        version: Version of the plugin.
        engine: Address of the engine's gRPC server.
        provider: What answers.
    """
    asyncio.run(_serve(version, engine, provider))


def _stop_at_end_of_input(stopped: asyncio.Event) -> None:
    """An engine that was killed doesn't tell; but it has held the other end of standard input open."""
    if not os.read(sys.stdin.fileno(), 4096):
        stopped.set()


async def _serve(version: str, engine: str, provider: KubernetesProvider) -> None:
    server = grpc.aio.server(interceptors=[_ErrorReporter()], options=_GRPC_CHANNEL_OPTIONS)
    servicer = ProviderServicer(sys.argv[1:], version, provider, engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    # The engine ends plugins with SIGINT once it's done with them; Ctrl-C reaches them as the Cancel call instead,
    # since they are process groups of their own.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    with suppress(PermissionError):  # Not a pipe: somebody else than the engine has started this.
        loop.add_reader(sys.stdin.fileno(), _stop_at_end_of_input, stopped)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await stopped.wait()
    await server.stop(None)
    await provider.close()
