"""Serves a provider to the engine that started this process, with errors of one line, and sends it messages."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
from pulumi.provider.experimental.provider import Provider
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc

from . import loopback
from .errors import PluginError

MAX_MESSAGE = 400 << 20
"""Bytes; the engine's own limit."""


class Messages:
    """What the user is to see while Pulumi runs.

    Args:
        engine: The engine's address, ``host:port``.
    """

    def __init__(self, engine: str) -> None:
        # May be made before `serve` sets the variable for all others.
        channel = grpc.insecure_channel(engine, options=[("grpc.enable_http_proxy", 0)])
        self._engine = engine_pb2_grpc.EngineStub(channel)

    def status(self, urn: str, text: str) -> None:
        """Show ``text`` beside the resource until something else is shown there."""
        self._engine.Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=text, urn=urn, ephemeral=True))

    def warn(self, urn: str, text: str) -> None:
        """Show ``text`` as a warning about the resource."""
        self._engine.Log(engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=text, urn=urn))


def serve(provider: Provider, version: str, engine: str) -> NoReturn:
    """Print the port in the first line of output, and serve until the engine ends or interrupts this process."""
    # Standard input is a pipe that the engine holds open: its end is the engine's end, however it came.
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    os.environ.update(loopback.without_proxy(os.environ))
    for each in (signal.SIGINT, signal.SIGTERM):
        # At once: threads may be at work on what nobody wants any more, as a build or a large key.
        signal.signal(each, lambda *_: os._exit(0))
    asyncio.run(_serve(provider, version, engine))
    sys.exit()


async def _serve(provider: Provider, version: str, engine: str) -> None:
    options = [("grpc.max_receive_message_length", MAX_MESSAGE)]
    server = grpc.aio.server(interceptors=[_PlainErrors()], options=options)
    servicer = ProviderServicer([], version, provider, engine_address=engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)  # noqa: T201 (the protocol's first line)
    await server.wait_for_termination()


class _PlainErrors(grpc.aio.ServerInterceptor):
    """Sends the text of a `PluginError` as it is; the SDK would add the traceback of this plugin."""

    async def intercept_service(
        self, continuation: Callable[..., Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                return await handler.unary_unary(request, context)
            except Exception as error:
                if isinstance(error.__context__, PluginError):
                    await context.abort(grpc.StatusCode.UNKNOWN, str(error.__context__))
                raise

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def _exit_at_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)
