"""Requests at a steady, bounded rate on loopback, and what became of them."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from types import TracebackType
from typing import Self

MAX_REQUESTS = 20_000
WORKERS = 8
"""Enough that one slow answer doesn't lower the rate."""


class Traffic:
    """Asks the ingress for ``/`` of a host until the block ends.

    Args:
        host: The host name to ask for.
        requests_per_second: The rate, kept by a clock and not by the answers.
        keep_alive: Use connections again, as browsers do; by default each request is on a new one.
        timeout: Seconds that an answer may take.
        trusted: By HTTPS, with a certificate of this authority, PEM; default: by plain HTTP.
    """

    def __init__(
        self,
        host: str,
        requests_per_second: int,
        *,
        keep_alive: bool = False,
        timeout: float = 10,
        trusted: str | None = None,
    ) -> None:
        self._host = host
        self._tls = ssl.create_default_context(cadata=trusted) if trusted else None
        self._keep_alive = keep_alive
        self._timeout = timeout
        self._period = 1 / requests_per_second
        self._stop = threading.Event()
        self._ended = threading.Condition()
        self._threads = [threading.Thread(target=self._ask_in_turn, args=(number,)) for number in range(WORKERS)]
        self.requests = 0
        """That have ended, well or badly."""
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, requests: int) -> None:
        """Wait until so many more requests have ended."""
        with self._ended:
            goal = self.requests + requests
            assert self._ended.wait_for(lambda: self.requests >= goal, timeout=60), "the requests don't end"

    def _ask_in_turn(self, number: int) -> None:
        plain = http.client.HTTPConnection("127.0.0.1", timeout=self._timeout)
        connection = _Secured(self._host, self._tls, self._timeout) if self._tls else plain
        for turn in range(number, MAX_REQUESTS, WORKERS):
            if self._stop.wait(max(0.0, self._begin + turn * self._period - time.monotonic())):
                break
            failure = self._ask(connection)
            with self._ended:
                if failure:
                    self.failures.append(f"request {turn}: {failure}")
                self.requests += 1
                self._ended.notify_all()
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> str | None:
        """What went wrong with one request; None if nothing did."""
        used = connection.sock is not None
        try:
            try:
                status = self._status(connection)
            except ConnectionError:
                # RFC 9112, 9.3.1: a server may close a connection just when it is used again; a GET is sent once more.
                if not used:
                    raise
                connection.close()
                status = self._status(connection)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return repr(error)
        if not self._keep_alive:
            connection.close()
        return None if status == http.client.OK else f"status {status}"

    def _status(self, connection: http.client.HTTPConnection) -> int:
        connection.request("GET", "/", headers={"Host": self._host})
        response = connection.getresponse()
        response.read()
        return response.status


class _Secured(http.client.HTTPConnection):
    """By TLS to loopback, asking for the host by SNI."""

    def __init__(self, host: str, context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(host, 443, timeout=timeout)
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
