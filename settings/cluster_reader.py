"""Asks the API server, once a run, what the cluster has already."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit

from components.manifests import instance
from components.options import shown
from settings import SettingsError
from settings.cluster_facts import PATHS, ClusterFacts, facts_of, refusal
from settings.connection import PROXIES, Cluster, User, connection_of
from settings.credentials import CredentialsError, granted, headers_of, tls_of
from settings.kubeconfig import UnusableError
from settings.problems import qualified
from settings.proxies import proxy_of

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.client.rest import RESTResponse
    from urllib3 import HTTPHeaderDict
    from websocket import WebSocket

CONNECT_SECONDS, READ_SECONDS = 3, 30

CONNECTIONS = 16
"""How many questions may be asked at a time."""


def read_facts(server: ApiServer) -> ClusterFacts:
    """Return what the cluster has already that the configuration depends on.

    Raises:
        SettingsError: The API server doesn't answer, or doesn't know who asks.
    """
    # The first one alone: it makes the connection, and tells whether there is one to be had.
    first, *others = PATHS
    answers = {first: server.ask(first)}
    with ThreadPoolExecutor(len(others)) as pool:
        answers |= zip(others, pool.map(server.ask, others), strict=True)
    return facts_of(
        {path: answer for path, answer in answers.items() if not isinstance(answer, str)},
        instance(),
        {path: answer for path, answer in answers.items() if isinstance(answer, str)},
    )


class ApiServer:
    """The API server of a cluster, and how it is asked. Safe for up to `CONNECTIONS` threads.

    Args:
        kubeconfig: Path or text; ``None``: the files of ``$KUBECONFIG``, else ``~/.kube/config``.
        context: Context in it; ``None``: its current one.
        environ: Where ``KUBECONFIG`` and the proxies are looked up.
        retries: How often it is asked again; by default, as long as one needs that is restarting.

    Raises:
        SettingsError: The kubeconfig or the context can't be used.
    """

    client: ApiClient
    where: str
    """What to call it in an error, before the verb."""

    def __init__(
        self,
        kubeconfig: str | None,
        context: str | None,
        environ: Mapping[str, str] = os.environ,
        *,
        retries: int = 5,
    ) -> None:
        try:
            connection = connection_of(kubeconfig, context, environ)
        except UnusableError as problem:
            raise SettingsError([f"{qualified('kubeconfig')}: {problem}"]) from None
        # Takes a quarter of a second to import, which is better spent once the configuration is known to be valid.
        from kubernetes.client import ApiClient

        cluster, user = connection.cluster, connection.user
        called = "the current context" if context is None else f"context {shown(context)}"
        self.where = f"{cluster.server}, of {called},"
        # Threads that ask know nothing of Pulumi's context.
        self._key = qualified("context")
        if user.exec:
            try:
                user = user.model_copy(update=granted(user.exec, cluster))
            except CredentialsError as error:
                text = f"the credentials of {called} can't be had: {_line(error)}"
                raise SettingsError([f"{self._key}: {text}"]) from None
        self._headers = [(name, value.encode().decode("latin-1")) for name, value in headers_of(user)]
        configuration = _configuration(cluster, user, retries)
        try:
            tls = tls_of(cluster, user)
        except (ValueError, ssl.SSLError) as error:
            raise self._untrusted(error) from None
        # The client would ask proxies, and leave them out, by rules of its own.
        configuration.no_proxy = ""
        configuration.proxy = cluster.proxy_url or proxy_of(cluster.server, environ)
        if configuration.proxy:
            self._set_proxy(configuration, tls)
        self.client = ApiClient(configuration)
        self.client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = tls

    def list_metadata(self, path: str) -> dict[str, Any] | str | None:
        """Do as `ask` for a list, and leave out all but the metadata of its objects."""
        return self.ask(path, accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")

    def ask(self, path: str, accept: str = "application/json", **query: str) -> dict[str, Any] | str | None:
        """Return the document at ``path``, ``None`` where there is none, and what is said where it may not be read.

        Raises:
            SettingsError: There is no answer, or another one.
        """
        status, body = self.send(path, accept, **query)
        document = _document(body)
        return self.refused(path, status, body) if status != 200 or document is None else document

    def refused(self, path: str, status: int, body: bytes) -> str | None:
        """Return what `ask` does where the answer to a GET isn't a document.

        Raises:
            SettingsError: It is neither that there is none, nor that it may not be read.
        """
        if status == 401:
            text = "doesn't accept the credentials (401 Unauthorized); sign in again, or set another context"
            raise self._problem(text)
        if status == 403:
            return refusal(body)
        if status == 404:
            return None
        message = (_document(body) or {}).get("message")
        answered = f"answered HTTP {status} to GET {path}" + (f" ({_line(message)})" if message else "")
        raise self._problem(f"{answered}; check that it is a Kubernetes API server, and that it is ready")

    def send(self, path: str, accept: str, **query: str) -> tuple[int, bytes]:
        """Return the status and the body of the answer to a GET, whatever it is.

        Raises:
            SettingsError: There is no answer.
        """
        with self._explained():
            response = self._get(path, accept, READ_SECONDS, query)
            return response.status, response.read()

    def change(self, method: str, path: str, body: Mapping[str, Any] | None, **query: str) -> tuple[int, bytes]:
        """Return the status and the body of the answer to a request that changes something, whatever it is.

        Args:
            method: ``POST``, ``PUT``, ``PATCH`` (a strategic merge patch) or ``DELETE``.
            path: What is changed.
            body: The document that says how.
            query: The query's parameters.

        Raises:
            SettingsError: There is no answer.
        """
        kind = "application/strategic-merge-patch+json" if method == "PATCH" else "application/json"
        with self._explained():
            response = self._request(method, path, "application/json", READ_SECONDS, query, body, kind)
            return response.status, response.read()

    def websocket(self, path: str, protocol: str, query: Sequence[tuple[str, str]]) -> WebSocket:
        """Open a WebSocket, by which the API server hands through what a container says.

        Raises:
            SettingsError: There is no answer, or another one.
        """
        import websocket

        headers = self._signed("GET", path, "*/*", {})[1]
        configuration = self.client.configuration
        sslopt = {"context": self.client.rest_client.pool_manager.connection_pool_kw["ssl_context"]}
        if configuration.tls_server_name:
            sslopt["server_hostname"] = configuration.tls_server_name
        opened = websocket.WebSocket(sslopt=sslopt)
        with self._explained():
            try:
                opened.connect(  # type: ignore[no-untyped-call]
                    f"{configuration.host.replace('http', 'ws', 1)}{path}?{urlencode(query)}",
                    header=[f"{name}: {value}" for name, value in headers.items() if name.lower() != "accept"],
                    subprotocols=[protocol],
                    suppress_origin=True,
                    timeout=READ_SECONDS,
                    **_through(configuration),
                )
            except websocket.WebSocketBadStatusException as error:
                said = (_document(error.resp_body or b"") or {}).get("message") or f"HTTP {error.status_code}"
                raise self._problem(f"refuses to reach into a pod: {_line(said)}; wait until it runs") from None
            except websocket.WebSocketException as error:
                raise self._problem(f"breaks the connection to a pod: {_line(error)}; see that it runs") from None
        return opened

    def stream(self, path: str, read_seconds: float | None, **query: str) -> tuple[int, Iterator[bytes]]:
        """Return the status of the answer to a GET, whatever it is, and its lines as they come.

        Args:
            path: What is asked for.
            read_seconds: How long there may be nothing; ``None``: for ever.
            query: The query's parameters.

        Raises:
            SettingsError: There is no answer; or, while the lines are read, the connection ends before they do.
        """
        with self._explained():
            response = self._get(path, "*/*", read_seconds, query)
        return response.status, self._lines(response.response)

    def _lines(self, response: Iterable[bytes]) -> Iterator[bytes]:
        with self._explained():
            yield from response

    def _get(self, path: str, accept: str, read_seconds: float | None, query: Mapping[str, str]) -> RESTResponse:
        return self._request("GET", path, accept, read_seconds, query)

    def _request(
        self,
        method: str,
        path: str,
        accept: str,
        read_seconds: float | None,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        kind: str | None = None,
    ) -> RESTResponse:
        url, headers = self._signed(method, path, accept, query)
        if kind:
            headers["Content-Type"] = kind
        return self.client.call_api(method, url, headers, body, _request_timeout=(CONNECT_SECONDS, read_seconds))

    def _signed(self, method: str, path: str, accept: str, query: Mapping[str, str]) -> tuple[str, HTTPHeaderDict]:
        """Return the URL of a request, and its headers with those that say who asks."""
        import urllib3

        asked = {"method": method, "resource_path": path, "auth_settings": ["BearerToken"]}
        _, url, client_headers, *_ = self.client.param_serialize(**asked, query_params=[*query.items()])
        headers = urllib3.HTTPHeaderDict(client_headers)
        headers["Accept"] = accept
        headers.extend(self._headers)
        return url, headers

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Tell the user why there is no answer."""
        import urllib3
        from kubernetes.client import ApiException

        try:
            yield
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            cause = _cause(error)
            if isinstance(cause, ssl.SSLError):
                raise self._untrusted(cause) from None
            why = getattr(cause, "strerror", None) or cause
            raise self._problem(f"doesn't answer: {_line(why)}; start the cluster, or set another context") from None

    def _problem(self, text: str) -> SettingsError:
        return SettingsError([f"{self._key}: {self.where} {text}"])

    def _untrusted(self, error: Exception) -> SettingsError:
        why = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or error
        why = _line(why).rstrip(".")
        return self._problem(f"can't be asked over TLS: {why}; correct the kubeconfig, or set another context")

    def _set_proxy(self, configuration: Configuration, tls: ssl.SSLContext) -> None:
        """Have the configuration's proxy be asked as Go does it."""
        import urllib3

        try:
            url = urlsplit(configuration.proxy)
            address = url.hostname if url.port is None else f"{url.hostname}:{url.port}"
            if not url.hostname:
                raise ValueError
        except ValueError:
            raise self._problem("can't be asked through its proxy, whose URL is none; correct it") from None
        if url.scheme not in PROXIES:
            allowed = ", ".join(PROXIES)
            raise self._problem(f"can't be asked through its proxy, which is none of {allowed}; correct its URL")
        self.where += f" through the proxy {address},"
        if url.scheme == "socks5":
            if not find_spec("socks"):
                raise self._problem("can't be asked without PySocks; pip install PySocks, or use another proxy")
            # Names are the proxy's to look up, as in Go.
            configuration.proxy = url._replace(scheme="socks5h").geturl()
            return
        # Trusted as the API server is.
        configuration.proxy_ssl_context = tls
        if url.username is not None:
            pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
            configuration.proxy_headers = urllib3.make_headers(proxy_basic_auth=pair.encode().decode("latin-1"))


def _configuration(cluster: Cluster, user: User, retries: int) -> Configuration:
    import urllib3
    from kubernetes.client import Configuration

    configuration = Configuration()
    configuration.connection_pool_maxsize = CONNECTIONS
    # An API server that is restarting is back within some seconds; what has a wrong certificate doesn't change.
    configuration.retries = urllib3.Retry(
        total=retries, other=0, redirect=0, backoff_factor=0.2, status_forcelist=(429, 503), raise_on_status=False
    )
    configuration.host, configuration.tls_server_name = cluster.server, cluster.tls_server_name
    configuration.verify_ssl = not cluster.insecure_skip_tls_verify
    if cluster.insecure_skip_tls_verify:
        # It is what was asked for.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    if user.auth_provider:
        _sign_in(configuration, user)
    return configuration


def _sign_in(configuration: Configuration, user: User) -> None:
    """Add the token of an OpenID Connect provider to the configuration."""
    from kubernetes import config

    kubeconfig = {
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "clusters": [{"name": "one", "cluster": {"server": configuration.host}}],
        "users": [{"name": "one", "user": {"auth-provider": user.auth_provider}}],
    }
    try:
        config.load_kube_config_from_dict(kubeconfig, "one", configuration, persist_config=False)
    except config.ConfigException as error:
        raise SettingsError([f"{qualified('kubeconfig')}: {_line(error)}; correct it, or write it again"]) from None
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        # What else the client stumbles over, in words that say nothing to who wrote the file.
        text = "its clusters, users and contexts aren't those of a kubeconfig; write it again"
        raise SettingsError([f"{qualified('kubeconfig')}: {text}"]) from None


def _through(configuration: Configuration) -> dict[str, Any]:
    """Return how a WebSocket is opened through the configuration's proxy, if it has one."""
    if not configuration.proxy:
        return {"http_no_proxy": ["*"]}  # not by rules of its own
    url = urlsplit(configuration.proxy)
    credentials = (unquote(url.username), unquote(url.password or "")) if url.username is not None else None
    return {
        "http_proxy_host": url.hostname,
        "http_proxy_port": url.port,
        "proxy_type": "http" if url.scheme == "https" else url.scheme,
        "http_proxy_auth": credentials,
    }


def _cause(error: BaseException) -> BaseException:
    """Return the innermost of the errors that urllib3 and the client wrap in one another."""
    wrapped = [getattr(error, "reason", None), error.__cause__, *error.args[:1], error.__context__]
    inner = next((each for each in wrapped if isinstance(each, BaseException)), None)
    return _cause(inner) if inner else error


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _line(text: object) -> str:
    return " ".join(str(text).split())
