"""Questions to an API server: what there is, as it is now."""

from __future__ import annotations

import json
import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration

from embedded.health.deployed import Json, Kind

CONNECTIONS = 16
"""How many questions are asked at a time."""

CONNECT_SECONDS, READ_SECONDS = 3, 30

NAMESPACE, POD = Kind("v1", "Namespace"), Kind("v1", "Pod")

_FIX = "set the stack's kubeconfig (pulumi config set kubeconfig PATH) or KUBECONFIG"


class ApiError(Exception):
    """No answer, or one that is of no use; the text is meant for the user."""


@contextmanager
def connect(kubeconfig: str | None = None, context: str | None = None) -> Iterator[Api]:
    """Give the API server of a cluster for a while.

    Args:
        kubeconfig: Path or text of a kubeconfig. Without it: ``KUBECONFIG``, ``~/.kube/config``, then the service
            account of the pod that this runs in.
        context: Context to use instead of the current one.

    Raises:
        ApiError: The kubeconfig isn't there, can't be used, or hasn't the context.
    """
    # What it would say of each attempt is said once, in the error.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # a kubeconfig that asks for it is meant
    is_text = kubeconfig is not None and ("\n" in kubeconfig or kubeconfig.lstrip().startswith("{"))
    paths = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    source = "the stack's kubeconfig" if is_text else f"kubeconfig {os.path.expanduser(paths)}"  # noqa: PTH111 several
    configuration = _configuration(kubeconfig if is_text else None, paths, context, source)
    with ApiClient(configuration) as client:
        yield Api(client, f"{f'context {context!r}' if context else 'the current context'} ({source})")


def _configuration(text: str | None, paths: str, context: str | None, source: str) -> Configuration:
    """What a kubeconfig says about one of its contexts."""
    configuration = Configuration()
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.retries = urllib3.Retry(
        total=2, other=0, redirect=0, backoff_factor=0.2, status_forcelist=(429, 503), raise_on_status=False
    )
    chosen = {"context": context, "client_configuration": configuration, "persist_config": False}
    is_there = any(Path(path).expanduser().exists() for path in paths.split(os.pathsep) if path)
    try:
        with _complaints() as complaints:
            if text is not None:
                config.load_kube_config_from_dict(yaml.safe_load(text), **chosen)
            elif is_there:
                config.load_kube_config(paths, **chosen)
            elif "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config(configuration)
            else:
                raise ApiError(f"{source} doesn't exist; {_FIX}")
    except config.ConfigException as error:
        # Where an entry isn't complete, the client names it by its whole text, which may hold credentials.
        said = _line(error).partition("/{")[0]
        raise ApiError(f"{source} can't be used: {said}; correct it, or write it again") from None
    except OSError as error:
        raise ApiError(f"{source} can't be read: {error.strerror}; {_FIX}") from None
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError):
        raise ApiError(f"{source} isn't a kubeconfig; write it again with your cluster's tool") from None
    if complaints:
        raise ApiError(f"{source}: the credentials can't be had: {'; '.join(complaints)}; sign in again")
    if urlsplit(configuration.host).hostname in ("localhost", "127.0.0.1", "::1") and (
        configuration.proxy in getproxies().values()
    ):
        configuration.proxy = None  # as kubectl: the environment's proxy isn't for this machine
    return configuration


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what the client only logs, and goes on without credentials: that a credential plugin failed."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(_line(record.getMessage()))

    root, collector = logging.getLogger(), Collector(logging.ERROR)
    root.addHandler(collector)
    try:
        yield lines
    finally:
        root.removeHandler(collector)


class Api:
    """The API server of a cluster, as one user. Safe for any number of threads.

    Args:
        client: The connections to it.
        whereabouts: How it was found, for errors.
    """

    def __init__(self, client: ApiClient, whereabouts: str) -> None:
        self._client = client
        self._server = client.configuration.host
        self._whereabouts = whereabouts
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
        response = self._send(f"{self._path(POD, namespace, pod)}/log", query)
        return response.read().decode(errors="replace").splitlines() if response.status == 200 else []

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
            raise self._not_kubernetes("HTTP 404 to a request for its core API")
        # Names with a slash are subresources.
        return {each["kind"]: each for each in (answer or {}).get("resources") or [] if "/" not in each["name"]}

    def _ask(self, path: str, **query: str) -> Json | None:
        """Return what is at a path; ``None`` if nothing is."""
        response = self._send(path, query)
        if response.status == 404:
            return None
        try:
            document = json.loads(response.read())
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self._not_kubernetes(f"HTTP {response.status} with {response.headers.get('Content-Type')}")
        if response.status != 200:
            raise ApiError(self._refusal(response.status, document.get("message") or f"HTTP {response.status}"))
        return document

    def _send(self, path: str, query: dict[str, str]) -> Any:
        parameters = {"query_params": [*query.items()], "auth_settings": ["BearerToken"]}
        request = self._client.param_serialize("GET", path, **parameters)
        try:
            response = self._client.call_api(*request, _request_timeout=(CONNECT_SECONDS, READ_SECONDS))
            response.read()
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise ApiError(self._silence(_cause(error))) from None
        return response

    def _refusal(self, status: int, message: str) -> str:
        if status == 401:
            return f"{self._server} doesn't accept the credentials of {self._whereabouts}; renew them"
        if status == 403 and "cannot" in message and 'User "' in message:
            return f"{message}; grant that permission, or use another user than that of {self._whereabouts}"
        return message

    def _not_kubernetes(self, answer: str) -> ApiError:
        return ApiError(
            f"{self._server} isn't a Kubernetes API server: it answered {answer}; check the server of "
            f"{self._whereabouts}"
        )

    def _silence(self, cause: BaseException) -> str:
        server = f"the Kubernetes API server {self._server}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            untrusted = cause.verify_message
            fix = f"check the certificate-authority of {self._whereabouts}"
            if "expired" in untrusted or "not yet valid" in untrusted:
                fix = "check this machine's clock, else renew the server's certificate"
            return f"{server} can't be trusted ({untrusted}); {fix}"
        why = "no answer in time" if isinstance(cause, TimeoutError) else getattr(cause, "strerror", None) or cause
        return (
            f"{server} doesn't answer ({_line(why)}); check that the cluster runs, and that {self._whereabouts} is the "
            "one you mean"
        )


def _cause(error: BaseException) -> BaseException:
    """The innermost of the errors that urllib3 and the client wrap in one another."""
    wrapped = [getattr(error, "reason", None), error.__cause__, *error.args[:1], error.__context__]
    inner = next((each for each in wrapped if isinstance(each, BaseException)), None)
    return _cause(inner) if inner else error


def _line(text: object) -> str:
    return " ".join(str(text).split())
