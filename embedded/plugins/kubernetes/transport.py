"""Requests to one API server: sent as its user, repeated where that helps, and with errors that say what to do."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from .credentials import Credentials
from .errors import ApiError, Json, PluginError, UnreachableError
from .kubeconfig import Connection

_BUSY_SECONDS = 6.0
"""How long a request is repeated while the server is overloaded, or starting: nobody has seen it answer yet."""

_RESTART_SECONDS = 60.0
"""How long a request is repeated once a server that has answered before doesn't any more: it may be restarting."""

_LONGEST_PAUSE = 5.0
"""Seconds between two attempts, at most."""

_STARTING = "not yet ready to handle request"
"""What an API server answers, as "forbidden", before its admission plugins know the namespaces."""

_WITHOUT_ETCD = ("etcdserver: ", "code = Unavailable")
"""What an API server answers, as an internal error, while etcd restarts."""


@dataclass(frozen=True)
class Answer:
    """What the API server answered."""

    body: Json
    warnings: list[str]
    """Texts of the ``Warning`` headers, such as of a deprecated API."""


class Transport:
    """The connections to one API server, for any number of tasks of one event loop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._credentials = Credentials(connection)
        self._opening = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._proxy = connection.cluster.get("proxy-url") or _proxy_of(connection.server)
        self._has_answered = False
        self._absent: UnreachableError | None = None
        """Why a server that has never answered doesn't: it isn't asked again by each of a hundred resources."""
        self._hurried = False

    def hurry(self) -> None:
        """Repeat no request any more: the user wants this to end."""
        self._hurried = True

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """Send a request that may be repeated (all of ours may), and wait for its answer.

        Raises:
            ApiError: The server refused it.
            UnreachableError: The server doesn't answer.
        """
        if self._absent is not None and not self._has_answered:
            raise UnreachableError(str(self._absent))
        data = None if body is None else json.dumps(body).encode()
        began, pause = asyncio.get_running_loop().time(), 0.2
        while True:
            patience = _RESTART_SECONDS if self._has_answered else _BUSY_SECONDS
            last = self._hurried or asyncio.get_running_loop().time() - began + pause > patience
            asked = ""
            try:
                async with self.open(method, path, params, data, content_type) as response:
                    if last or not await _is_passing(response):
                        return await self._answer(response)
                    asked = response.headers.get("Retry-After", "")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                # A server that has answered before is most likely restarting, and so may one be whose machine is there.
                may_come = self._has_answered or isinstance(_of_system(error), ConnectionRefusedError)
                if last or not may_come or isinstance(error, aiohttp.ClientSSLError):
                    self._absent = self._unreachable(error)
                    raise self._absent from None
            await asyncio.sleep(min(float(asked), _LONGEST_PAUSE) if asked.isdigit() else pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        content_type: str = "application/json",
        timeout: float | None = 60,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response as it comes, for what is read bit by bit; ``timeout`` in seconds for all of it."""
        session = await self._connected()
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if data else {})
        async with session.request(
            method,
            self._connection.server + path,
            headers=headers | await self._credentials.headers(),
            params=params,
            data=data,
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=10),
            proxy=self._proxy,
            server_hostname=self._connection.cluster.get("tls-server-name"),
        ) as response:
            yield response

    async def _connected(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                # No limit: each wait keeps a connection of its own open.
                connector = aiohttp.TCPConnector(ssl=await self._credentials.tls(), limit=0)
                self._session = aiohttp.ClientSession(connector=connector)
            return self._session

    async def refuse(self, response: aiohttp.ClientResponse) -> None:
        """Raise what is wrong, if a response says that something is.

        Raises:
            ApiError: The server refused the request.
            UnreachableError: The server can't answer now.
        """
        if response.status in (429, 500, 502, 503, 504):
            raise self._unreachable(OSError(f"HTTP {response.status}"))
        if not response.ok:
            await self._answer(response)

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        text = await response.text(errors="replace")
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if response.status == 404 and not isinstance(body, dict):
            raise ApiError(404, {})  # What the API server says of an API group that it doesn't have.
        if not isinstance(body, dict):
            raise self.not_kubernetes(f"HTTP {response.status} with {response.content_type}")
        self._has_answered = True
        if not response.ok:
            raise ApiError(response.status, body, self._explain(response.status, body.get("message") or ""))
        warnings = [header.split('"')[1] for header in response.headers.getall("Warning", []) if '"' in header]
        return Answer(body, warnings)

    def _explain(self, status: int, message: str) -> str | None:
        if status == 401:
            return f"{self._connection.server} doesn't accept the credentials of {self._whereabouts}; renew them"
        if status == 403 and "cannot" in message and 'User "' in message:
            return f"{message}; grant that permission, or use another user than that of {self._whereabouts}"
        return None

    def not_kubernetes(self, answer: str) -> PluginError:
        """The error for something else than an API server at the address."""
        return PluginError(
            f"{self._connection.server} isn't a Kubernetes API server: it answered {answer}; check the server of "
            f"{self._whereabouts}"
        )

    def _unreachable(self, error: Exception) -> UnreachableError:
        server = f"the Kubernetes API server {self._connection.server}"
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            untrusted = str(getattr(error.certificate_error, "verify_message", None) or error.certificate_error)
            fix = f"check the certificate-authority of {self._whereabouts}"
            if "expired" in untrusted or "not yet valid" in untrusted:
                fix = "check this machine's clock, else renew the server's certificate"
            return UnreachableError(f"{server} can't be trusted ({untrusted}); {fix}")
        number = getattr(_of_system(error), "errno", None)
        why: object = os.strerror(number) if number else error
        if isinstance(error, TimeoutError):
            why = "no answer in time"
        return UnreachableError(
            f"{server} doesn't answer ({why}); check that the cluster runs, and that {self._whereabouts} is the one "
            "you mean"
        )

    @property
    def _whereabouts(self) -> str:
        return f"context {self._connection.context!r} ({self._connection.source})"


def _of_system(error: Exception) -> object:
    """The operating system's error in one of the client's, where there is one."""
    return getattr(error, "os_error", error)


async def _is_passing(response: aiohttp.ClientResponse) -> bool:
    """Whether a refusal has to do with the state that the server is in at the moment, and not with the request."""
    if response.status in (429, 503) or (not response.ok and "Retry-After" in response.headers):
        return True
    if response.status == 403:
        return _STARTING in await response.text(errors="replace")
    if response.status == 500:
        text = await response.text(errors="replace")
        return any(sign in text for sign in _WITHOUT_ETCD)
    return False


def _proxy_of(server: str) -> str | None:
    """The proxy that the environment names for a server; none for this machine's own, as with kubectl."""
    # Not aiohttp's `trust_env`, which would also send what ~/.netrc has for the host.
    url = urlsplit(server)
    host = url.hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1" or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)
