"""Asks the API server, once a run, what the cluster has already."""

from __future__ import annotations

import json
import logging
import os
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from components.manifests import instance
from settings import SettingsError
from settings.cluster_facts import PATHS, ClusterFacts, facts_of, refusal
from settings.kubeconfig import is_text
from settings.problems import shown

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

CONNECT_SECONDS, READ_SECONDS = 3, 30


def read_facts(kubeconfig: str | None, context: str | None, environ: Mapping[str, str] = os.environ) -> ClusterFacts:
    """Return what the cluster has already that the configuration depends on.

    Args:
        kubeconfig: Path or text; ``None``: the files of ``$KUBECONFIG``, else ``~/.kube/config``.
        context: Context in it; ``None``: its current one.
        environ: Where ``KUBECONFIG`` is looked up.

    Raises:
        SettingsError: The API server doesn't answer, or doesn't know who asks.
    """
    # Takes a quarter of a second to import, which is better spent once the configuration is known to be valid.
    from kubernetes.client import ApiClient

    with ApiClient(_configuration(kubeconfig, context, environ)) as client:
        where = _Where(client.configuration.host, context)
        # The first one alone: it makes the connection, and tells whether there is one to be had.
        first, *others = PATHS
        answers = {first: _ask(client, PATHS[first], where)}
        with ThreadPoolExecutor(len(others)) as pool:
            answers |= zip(others, pool.map(lambda name: _ask(client, PATHS[name], where), others), strict=True)
    return facts_of(
        {name: answer for name, answer in answers.items() if not isinstance(answer, str)},
        instance(),
        {name: answer for name, answer in answers.items() if isinstance(answer, str)},
    )


class _Where:
    """The API server and how it was found, for errors."""

    def __init__(self, server: str, context: str | None) -> None:
        self.server = server
        self.context = "the current context" if context is None else f"context {shown(context)}"

    def problem(self, text: str) -> SettingsError:
        return SettingsError([f"inspiration:context: {self.server}, of {self.context}, {text}"])


def _configuration(kubeconfig: str | None, context: str | None, environ: Mapping[str, str]) -> Any:
    """Return the connection's configuration with the credentials that the kubeconfig's user has."""
    import urllib3
    from kubernetes import config
    from kubernetes.client import Configuration

    configuration = Configuration()
    # An API server that is restarting is back within some seconds; what has a wrong certificate doesn't change.
    configuration.retries = urllib3.Retry(
        total=5, other=0, redirect=0, backoff_factor=0.2, status_forcelist=(429, 503), raise_on_status=False
    )
    chosen = {"context": context, "client_configuration": configuration, "persist_config": False}
    with _complaints() as complaints:
        try:
            if kubeconfig is not None and is_text(kubeconfig):
                config.load_kube_config_from_dict(yaml.safe_load(kubeconfig), **chosen)
            else:
                path = kubeconfig or environ.get("KUBECONFIG") or "~/.kube/config"
                config.load_kube_config(os.path.expanduser(path), **chosen)  # noqa: PTH111 as kubectl: no error if none
        except config.ConfigException as error:
            raise SettingsError([f"inspiration:kubeconfig: {_line(error)}; correct it, or write it again"]) from None
        except (AttributeError, KeyError, OSError, TypeError, ValueError):
            # What else the client stumbles over, in words that say nothing to who wrote the file.
            text = "its clusters, users and contexts aren't those of a kubeconfig; write it again"
            raise SettingsError([f"inspiration:kubeconfig: {text}"]) from None
    if complaints:
        problem = f"the credentials of {_Where('', context).context} can't be had: {'; '.join(complaints)}"
        raise SettingsError([f"inspiration:context: {problem}; sign in again"])
    return configuration


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what the client logs and passes over: a credential plugin that fails."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                lines.append(_line(record.getMessage()))

    root, collector = logging.getLogger(), Collector()
    root.addHandler(collector)
    try:
        yield lines
    finally:
        root.removeHandler(collector)


def _ask(client: ApiClient, path: str, where: _Where) -> dict[str, Any] | str | None:
    """Return the document at ``path``, ``None`` where there is none, and what is said where it may not be read.

    Raises:
        SettingsError: There is no answer, or another one.
    """
    import urllib3
    from kubernetes.client import ApiException

    request = client.param_serialize(method="GET", resource_path=path, auth_settings=["BearerToken"])
    try:
        response = client.call_api(*request, _request_timeout=(CONNECT_SECONDS, READ_SECONDS))
        body = response.read()
    except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
        cause = _cause(error)
        if isinstance(cause, ssl.SSLError):
            why = getattr(cause, "verify_message", None) or cause.strerror or cause
            fix = "correct the kubeconfig, or set another context"
            raise where.problem(f"can't be asked over TLS: {_line(why)}; {fix}") from None
        why = getattr(cause, "strerror", None) or cause
        raise where.problem(f"doesn't answer: {_line(why)}; start the cluster, or set another context") from None
    if response.status == 401:
        raise where.problem("doesn't accept the credentials (401 Unauthorized); sign in again, or set another context")
    if response.status == 403:
        return refusal(body)
    if response.status == 404:
        return None
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if response.status != 200 or not isinstance(document, dict):
        answered = f"answered HTTP {response.status} to GET {path}"
        raise where.problem(f"{answered}; check that it is a Kubernetes API server, and that it is ready")
    return document


def _cause(error: BaseException) -> BaseException:
    """Return the innermost of the errors that urllib3 and the client wrap in one another."""
    wrapped = [getattr(error, "reason", None), error.__cause__, *error.args[:1], error.__context__]
    inner = next((each for each in wrapped if isinstance(each, BaseException)), None)
    return _cause(inner) if inner else error


def _line(text: object) -> str:
    return " ".join(str(text).split())
