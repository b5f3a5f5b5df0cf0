"""An API server that restarts while it is used: what is repeated, for how long, and what isn't."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

import pytest
from aiohttp import web

from embedded.plugins.kubernetes import transport
from embedded.plugins.kubernetes.errors import ApiError, UnreachableError
from embedded.plugins.kubernetes.kubeconfig import Connection
from embedded.plugins.kubernetes.transport import Transport

Answer = tuple[int, Mapping[str, object]]

FORBIDDEN = {"kind": "Status", "code": 403, "message": 'namespaces "x" is forbidden: not yet ready to handle request'}
NOT_ALLOWED = {"kind": "Status", "code": 403, "message": 'namespaces "x" is forbidden: no'}
NO_ETCD = {"kind": "Status", "code": 500, "message": "rpc error: code = Unavailable desc = connection refused"}
BROKEN = {"kind": "Status", "code": 500, "message": "an error on the server"}
DONE = {"kind": "Namespace"}


class Server:
    """Answers each request with the next of some answers, and can be away in between."""

    def __init__(self, *answers: Answer) -> None:
        self._left = list(answers)
        self.port = 0

    async def start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.port or self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, _: web.Request) -> web.Response:
        status, body = self._left.pop(0)
        return web.json_response(body, status=status)


def run(server: Server, work: Callable[[Transport], Awaitable[None]]) -> None:
    async def main() -> None:
        await server.start()
        sender = Transport(Connection(f"http://127.0.0.1:{server.port}", "default", "one", "a test", {}, {}))
        try:
            await work(sender)
        finally:
            await sender.close()
            await server.stop()

    asyncio.run(main())


@pytest.mark.parametrize("passing", [(403, FORBIDDEN), (500, NO_ETCD), (503, BROKEN), (429, BROKEN)], ids=str)
def test_what_passes_is_waited_for(passing: Answer) -> None:
    async def work(sender: Transport) -> None:
        assert (await sender.request("GET", "/")).body == DONE

    run(Server(passing, passing, (200, DONE)), work)


@pytest.mark.parametrize(("code", "body"), [(403, NOT_ALLOWED), (500, BROKEN), (404, BROKEN)])
def test_a_refusal_is_told_at_once(code: int, body: Mapping[str, object]) -> None:
    async def work(sender: Transport) -> None:
        with pytest.raises(ApiError) as refusal:
            await sender.request("GET", "/")
        assert refusal.value.code == code

    # A second request would find no answer.
    run(Server((code, body)), work)


def test_a_server_that_is_away_for_a_moment_is_waited_for() -> None:
    server = Server((200, DONE), (200, DONE))

    async def work(sender: Transport) -> None:
        await sender.request("GET", "/")
        await server.stop()
        waiting = asyncio.create_task(sender.request("GET", "/"))
        # As long as it isn't there, and hasn't been for long, there is neither an answer nor an error.
        done, _ = await asyncio.wait([waiting], timeout=1)
        assert not done
        await server.start()
        assert (await waiting).body == DONE

    run(server, work)


def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_RESTART_SECONDS", 1)
    server = Server((200, DONE))

    async def work(sender: Transport) -> None:
        await sender.request("GET", "/")
        await server.stop()
        with pytest.raises(UnreachableError, match=r"doesn't answer \(Connection refused\); check that the cluster"):
            await sender.request("GET", "/")

    run(server, work)


def test_a_server_that_never_answered_is_soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_BUSY_SECONDS", 1)
    server = Server()

    async def work(sender: Transport) -> None:
        await server.stop()
        with pytest.raises(UnreachableError, match="Connection refused"):
            await asyncio.wait_for(sender.request("GET", "/"), transport._RESTART_SECONDS)

    run(server, work)


def test_a_server_that_is_just_starting_is_waited_for() -> None:
    server = Server((200, DONE))

    async def work(sender: Transport) -> None:
        await server.stop()
        waiting = asyncio.create_task(sender.request("GET", "/"))
        done, _ = await asyncio.wait([waiting], timeout=1)
        assert not done
        await server.start()
        assert (await waiting).body == DONE

    run(server, work)


def test_a_server_that_never_answered_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_BUSY_SECONDS", 1)
    server = Server((200, DONE))

    async def work(sender: Transport) -> None:
        await server.stop()
        with pytest.raises(UnreachableError) as first:
            await sender.request("GET", "/one")
        await server.start()
        # A hundred resources would wait for a hundred timeouts.
        with pytest.raises(UnreachableError, match=re.escape(str(first.value))):
            await sender.request("GET", "/two")

    run(server, work)


def test_whoever_wants_to_stop_does_not_wait_either() -> None:
    server = Server((200, DONE))

    async def work(sender: Transport) -> None:
        await sender.request("GET", "/")
        await server.stop()
        sender.hurry()
        with pytest.raises(UnreachableError, match="Connection refused"):
            await asyncio.wait_for(sender.request("GET", "/"), transport._RESTART_SECONDS)

    run(server, work)
