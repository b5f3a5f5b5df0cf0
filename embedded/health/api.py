"""Questions to an API server: what there is, as it is now."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from textwrap import shorten
from threading import Lock
from typing import IO, TYPE_CHECKING
from urllib.parse import quote, urlencode

from embedded.health import forwarding
from embedded.health.deployed import Json, Kind
from settings import SettingsError
from settings.cluster_reader import ApiServer
from settings.stack_file import within

if TYPE_CHECKING:
    from websocket import WebSocket

NAMESPACE, POD = Kind("v1", "Namespace"), Kind("v1", "Pod")
_SERVICE = Kind("v1", "Service")

CHANNELS = "v4.channel.k8s.io"
"""How a command's input, output and end share a connection: each message begins with the number of its channel."""
_CHUNK = 1 << 16

WATCH_SECONDS = 240
"""How long changes are told of at a time."""


class ApiError(Exception):
    """No answer, or one that is of no use; the text is meant for the user."""


class RefusedError(ApiError):
    """The API server refuses to change something."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status
        """HTTP's: 409, there is one already or it has changed meanwhile; 404, there is none."""


def connect(project: str, kubeconfig: str | None = None, context: str | None = None) -> Api:
    """Return the API server of a cluster; whether it answers, the first question tells.

    Args:
        project: Name of the project, which the keys in errors begin with.
        kubeconfig: Path or text of a kubeconfig; ``None``: the files of ``$KUBECONFIG``, else ``~/.kube/config``.
        context: Context to use instead of the current one.

    Raises:
        ApiError: The kubeconfig isn't there, can't be used, or hasn't the context.
    """
    # What it would say of each attempt is said once, in the error.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    with _api_errors():
        return Api(within(project, lambda: ApiServer(kubeconfig, context, retries=2)))


@contextmanager
def _api_errors() -> Iterator[None]:
    """Tell the user what the settings' reader says, which is a line."""
    try:
        yield
    except SettingsError as error:
        raise ApiError(*error.problems) from None


class Api:
    """What the API server of a cluster has, as one user sees it. Safe for several threads, as the server is."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._discovering = Lock()
        self._discovered: dict[str, dict[str, Json]] = {}
        """The resources of each API version, by kind."""

    def check(self) -> None:
        """Find out whether it answers at all.

        Raises:
            ApiError: It doesn't, or isn't a Kubernetes API server, or doesn't know who asks.
        """
        self._path(NAMESPACE, None)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Json | None:
        """Return an object; ``None`` if there is none.

        Raises:
            ApiError: The cluster has no such kind, or the object may not be seen.
        """
        return self._ask(self._path(kind, namespace, name))

    def objects(self, kind: Kind, namespace: str | None, **selectors: str) -> list[Json]:
        """Return the objects of a kind; ``labelSelector`` and ``fieldSelector`` narrow it.

        Raises:
            ApiError: The cluster has no such kind, or they may not be seen.
        """
        return (self._ask(self._path(kind, namespace), **selectors) or {}).get("items") or []

    def log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> list[str]:
        """Return the last lines that a container wrote, or that its previous instance did; none where there is no log.

        Raises:
            ApiError: There is no answer.
        """
        query = {"container": container, "previous": str(previous).lower(), "tailLines": str(lines)}
        with _api_errors():
            status, body = self._server.send(f"{self._path(POD, namespace, pod)}/log", "*/*", **query)
        return body.decode(errors="replace").splitlines() if status == 200 else []

    def log_lines(self, namespace: str, pod: str, container: str, **options: str) -> Iterator[bytes]:
        """Yield the lines of a container's log, with their ends; none where there is no log.

        Args:
            namespace: That of the pod.
            pod: Its name.
            container: The container's name.
            options: Those of the API, as ``follow="true"``: then lines come until the container ends.

        Raises:
            ApiError: It may not be read; or there is no answer, or no more of it.
        """
        path = f"{self._path(POD, namespace, pod)}/log"
        # A container that hasn't started yet is a bad request.
        yield from self._stream(path, None, (400, 404), container=container, **options)

    def changes(self, kind: Kind, namespace: str, **selectors: str) -> Iterator[Json]:
        """Yield the objects of a kind, and each again when it changes, for some minutes.

        Raises:
            ApiError: They may not be seen; or there is no answer, or no more of it.
        """
        seconds = {"watch": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        for line in self._stream(self._path(kind, namespace), WATCH_SECONDS + 30, (), **seconds, **selectors):
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                yield event["object"]

    def change(
        self, method: str, kind: Kind, namespace: str, name: str = "", body: Json | None = None, **query: str
    ) -> Json:
        """Make, replace, patch or delete an object; return what the API server says that it is now.

        Args:
            method: ``POST``, ``PUT``, ``PATCH`` (a strategic merge patch) or ``DELETE``.
            kind: Of the object.
            namespace: Where it is.
            name: Its name; for ``POST``, that is in ``body``.
            body: What it is to be.
            query: Options of the API, as ``gracePeriodSeconds``.

        Raises:
            RefusedError: The API server refuses it, and says why.
            ApiError: There is no answer.
        """
        if method in ("POST", "PUT"):
            # Of its own kinds the API server knows that by the path.
            body = {"apiVersion": kind.api_version, "kind": kind.name, **(body or {})}
        with _api_errors():
            status, answer = self._server.change(method, self._path(kind, namespace, name), body, **query)
        try:
            document = json.loads(answer)
        except ValueError:
            document = {}
        if status >= 300 or not isinstance(document, dict):
            said = document.get("message") if isinstance(document, dict) else None
            called = name or (body or {}).get("metadata", {}).get("name", "")
            why = " ".join(str(said or f"HTTP {status}").split())
            raise RefusedError(
                f"the API server refuses the {kind.name} {namespace}/{called}: {why}; put that right first", status
            )
        return document

    def execute(
        self, namespace: str, pod: str, container: str, command: Sequence[str], source: IO[bytes] | None = None
    ) -> tuple[int, str]:
        """Run a command in a container, and return its exit code and what it has written, on either way.

        Args:
            namespace: Of the pod.
            pod: Its name.
            container: The container's name.
            command: The program in it, and its arguments.
            source: What the command reads. It has to know where that ends.

        Raises:
            ApiError: It can't be run, or there is no answer.
        """
        from websocket import WebSocketException

        given = {"container": container, "stdin": str(source is not None).lower(), "stdout": "true", "stderr": "true"}
        query = [*given.items(), *(("command", word) for word in command)]
        with _api_errors():
            socket = self._server.websocket(f"{self._path(POD, namespace, pod)}/exec", CHANNELS, query)
        try:
            while source is not None and (chunk := source.read(_CHUNK)):
                socket.send_binary(b"\0" + chunk)
            return _result(socket)
        except (OSError, WebSocketException) as error:
            raise ApiError(f"the connection to the pod {namespace}/{pod} broke: {error}; see that it runs") from None
        finally:
            with suppress(OSError, WebSocketException):
                socket.close(timeout=0)

    def ask_service(self, namespace: str, service: str, port: int, path: str, **query: str) -> Json:
        """Return the document that a Service inside the cluster has at a path.

        A pod of it is asked as by ``kubectl port-forward``, which is its own node asking. The API server's proxy would
        be what the NetworkPolicy of the pod may not let in, unless they are on the same node.

        Raises:
            ApiError: It may not be asked, or doesn't answer with a document.
        """
        found = self.get(_SERVICE, namespace, service)
        if found is None:
            raise ApiError(f"there is no Service {namespace}/{service}; see whether it was removed")
        selected = ",".join(f"{key}={value}" for key, value in (found["spec"].get("selector") or {}).items())
        pod = forwarding.target(found, port, self.objects(POD, namespace, labelSelector=selected))
        if pod is None:
            raise ApiError(f"the Service {namespace}/{service} has no pod that is ready; wait until one is")
        name, target = pod
        with _api_errors():
            forwarded = f"{self._path(POD, namespace, name)}/portforward"
            socket = self._server.websocket(forwarded, CHANNELS, [("ports", str(target))])
        try:
            status, body = forwarding.get(socket, target, f"{path}?{urlencode(query, quote_via=quote)}")
        except OSError as error:
            raise ApiError(f"the connection to the pod {namespace}/{name} broke: {error}; see that it runs") from None
        try:
            document = json.loads(body)
        except ValueError:
            document = body.decode(errors="replace")
        if status == 200 and isinstance(document, dict):
            return document
        why = document.get("message") if isinstance(document, dict) else document
        said = f"HTTP {status} ({shorten(str(why), 200)})"
        raise ApiError(f"the Service {namespace}/{service} answered {said}; see whether its pods run")

    def _stream(self, path: str, seconds: int | None, none: tuple[int, ...], **query: str) -> Iterator[bytes]:
        """Yield the lines of an answer, none where its status is one of ``none``."""
        with _api_errors():
            status, lines = self._server.stream(path, seconds, **query)
            if status == 200:
                yield from lines
            elif status not in none:
                _allowed(self._server.refused(path, status, b"".join(lines)))

    def _path(self, kind: Kind, namespace: str | None, name: str = "") -> str:
        """Path of an object, or of all objects of a kind."""
        root = f"/apis/{kind.api_version}" if "/" in kind.api_version else f"/api/{kind.api_version}"
        with self._discovering:
            if kind.api_version not in self._discovered:
                self._discovered[kind.api_version] = self._discover(root)
        resource = self._discovered[kind.api_version].get(kind.name)
        if resource is None:
            raise ApiError(
                f"the cluster has no kind {kind.name} in {kind.api_version}: install what defines it (a "
                "CustomResourceDefinition)"
            )
        if name and not namespace:
            namespace = "default"  # whose objects have an id without it
        scope = f"/namespaces/{namespace}" if resource["namespaced"] and namespace else ""
        return f"{root}{scope}/{resource['name']}" + (f"/{quote(name)}" if name else "")

    def _discover(self, root: str) -> dict[str, Json]:
        answer = self._ask(root)
        if answer is None and root == "/api/v1":
            raise ApiError(f"{self._server.where} isn't a Kubernetes API server: it has no {root}; set another context")
        # Names with a slash are subresources.
        return {each["kind"]: each for each in (answer or {}).get("resources") or [] if "/" not in each["name"]}

    def _ask(self, path: str, **query: str) -> Json | None:
        """Return what is at a path; ``None`` if nothing is."""
        with _api_errors():
            answer = self._server.ask(path, **query)
        return _allowed(answer)


def _result(socket: WebSocket) -> tuple[int, str]:
    """Return the exit code of a command and what it writes, as they come by the channels 1, 2 and 3."""
    written = b""
    while data := socket.recv():
        data = data.encode() if isinstance(data, str) else data
        if data[:1] in (b"\1", b"\2"):
            written += data[1:]
        elif data[:1] == b"\3":
            status = json.loads(data[1:])
            causes = (status.get("details") or {}).get("causes") or []
            code = next((each["message"] for each in causes if each.get("reason") == "ExitCode"), "1")
            said = written.decode(errors="replace").strip()
            if status.get("status") == "Success":
                return 0, said
            return int(code), said or str(status.get("message", ""))
    raise OSError("it ended before the command did")


def _allowed(answer: Json | str | None) -> Json | None:
    """Return what has been answered, if that isn't that it may not be seen."""
    if isinstance(answer, str):
        raise ApiError(f"{answer}; grant that permission, or use another user")
    return answer
