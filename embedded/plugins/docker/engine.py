"""Builds and pushes with the Docker Engine."""

import http.client
import os
import re
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.utils
import requests
import urllib3
from docker.tls import TLSConfig

from ..shared.errors import PluginError
from . import made_here, package_indexes
from .buildkit import Progress, needed_for
from .context import BuildContext
from .credentials import Login
from .dockerfile import FROM_CONTEXT, LINES_ADDED, has_syntax, read, with_flags, without_syntax
from .failures import build_error, buildkit_error, may_pass, push_error
from .image import Image
from .session import session

CONNECT_TIMEOUT = 10
"""Seconds for the Engine to say that it is there."""

SILENCE_TIMEOUT = 1800
"""Seconds that a build or push may go on without a word."""

BUILDKIT_API = "1.39"
"""The Engine's first API with BuildKit: that of 18.09."""

REGISTRY_SECONDS = 30
"""For a registry that refuses connections to begin to answer."""

REGISTRY_PAUSE_SECONDS = 0.5
"""Between two attempts to reach it."""

LAST_LINES = 10
"""Of a failed build's output, shown with its error."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""How the Engine marks what a command writes to standard error."""

_PARSE_ERROR = re.compile(r"(dockerfile parse error line )(\d+)")

BOOKKEEPING = ("--->", "Removing intermediate container")
"""How lines begin in which the Engine talks of itself, not of the build."""

DEFAULT_SOCKET = "unix:///var/run/docker.sock"

Report = Callable[[str], None]
"""Shows what is being done, in one line."""


@dataclass(frozen=True)
class EngineOptions:
    """Where the Docker Engine is: the provider's options, else Docker's own environment variables."""

    host: str = ""
    certificates: str = ""
    """Folder with ca.pem, cert.pem and key.pem."""


@dataclass(frozen=True)
class Built:
    """A built image."""

    id: str
    platform: str
    """Such as ``linux/amd64``."""


class Engine:
    """A connection to the Docker Engine.

    Raises:
        PluginError: It isn't there.
    """

    def __init__(self, options: EngineOptions) -> None:
        address = options.host or os.environ.get("DOCKER_HOST", "")
        settings: dict[str, Any] = dict(docker.utils.kwargs_from_env())
        if options.certificates:
            folder = Path(options.certificates)
            settings["tls"] = TLSConfig(
                client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")),
                ca_cert=str(folder / "ca.pem"),
                verify=True,
            )
        settings["base_url"] = address or DEFAULT_SOCKET
        scheme, _, path = settings["base_url"].partition("://")
        self._socket = path if scheme == "unix" else ""  # then it may be on another machine
        try:
            self._client = docker.APIClient(**settings, version="auto", timeout=CONNECT_TIMEOUT)
        except (docker.errors.DockerException, requests.RequestException) as error:
            where = f"{address}" if address else f"{DEFAULT_SOCKET} (DOCKER_HOST is not set)"
            raise PluginError(
                f"the Docker Engine does not answer at {where}: {_connection_cause(error)}; start it, "
                "set DOCKER_HOST to where it is, or name a ready image instead of a folder"
            ) from error
        self._client.timeout = SILENCE_TIMEOUT

    def build(self, image: Image, report: Report) -> Built:
        """Build ``image`` from its context and give it its name.

        Raises:
            PluginError: A step failed; with the step and the last lines of output.
        """
        context = BuildContext(image.context, image.dockerfile)
        text = context.text()
        runs = made_here.runs(text, image.args) if self._socket and image.builder != "BuilderV1" else []
        needs = ""
        if image.builder != "BuilderV1":
            needs = needed_for(text) if runs else context.needs_buildkit()
        self._refuse_what_is_not_made_yet(image, text)
        with tempfile.TemporaryFile() as archive, _explained("build"), self._builder(image, needs, runs):
            dockerfile = context.write_beside(archive, _with_network(text, runs)) if runs else context.write(archive)
            archive.seek(0)
            events = self._client.build(
                fileobj=archive,
                custom_context=True,
                dockerfile=dockerfile,
                tag=f"{image.name.repository}:{image.name.tag}",
                buildargs={**package_indexes.proxies(os.environ), **image.args} if runs else image.args,
                target=image.target or None,
                platform=image.platform or None,
                network_mode=image.network or ("host" if runs else None),
                extra_hosts=image.add_hosts or None,
                cache_from=image.cache_from or None,
                rm=True,
                forcerm=True,
                decode=True,
            )
            by_buildkit = bool(needs or runs) or image.builder == "BuilderBuildKit"
            built = _follow_build(events, image, report, needs, by_buildkit=by_buildkit, changed=bool(runs))
            found = self._client.inspect_image(built)  # type: ignore[no-untyped-call]
        parts = (found.get("Os"), found.get("Architecture"), found.get("Variant"))
        return Built(found["Id"], "/".join(filter(None, parts)))

    def has(self, image: str) -> bool:
        """Whether it has an image, by name."""
        try:
            self._client.inspect_image(image)  # type: ignore[no-untyped-call]
        except docker.errors.NotFound:
            return False
        except (docker.errors.APIError, requests.RequestException):
            return False  # and says why where it is to be used
        return True

    def _refuse_what_is_not_made_yet(self, image: Image, text: str) -> None:
        known = made_here.names()
        for name in read(text, image.args).images if known else ():
            if made_here.familiar(name) in known and not self.has(name) and not made_here.docker_hub_answers():
                raise PluginError(
                    f"{image.dockerfile} names {name}, which isn't made yet; run script/up, which makes what the "
                    "Dockerfiles of sites name"
                )

    @contextmanager
    def _builder(self, image: Image, needs: str, runs: list[int]) -> Iterator[None]:
        """Have the Engine's BuildKit build, where the Dockerfile needs it or the program says so."""
        if not needs and not runs and image.builder != "BuilderBuildKit":
            yield
            return
        if docker.utils.version_lt(self._client.api_version, BUILDKIT_API):
            raise PluginError(
                f"{image.dockerfile} needs BuildKit, for “{needs or image.builder or 'RUN'}”, which this Docker Engine "
                f"(API {self._client.api_version}) has not; install Docker Engine 23.0 or later"
            )
        with ExitStack() as stack:
            self._client.params = {"version": "2"}
            stack.callback(lambda: setattr(self._client, "params", {}))
            if runs:
                self._client.params["session"] = stack.enter_context(session(self._socket, package_indexes.secrets()))
            yield

    def push(self, image: Image, login: Login | None, report: Report) -> str:
        """Push ``image`` under its tag and return the digest that the registry gave it.

        A registry on a NodePort answers a moment after its Service is ready: when kube-proxy has made its rules, which
        no status shows. So one that isn't there is asked again, for `REGISTRY_SECONDS` at most; and so is one that has
        been cleaned up meanwhile.

        Raises:
            PluginError: The registry refuses it or can't be reached; with what to do about it.
        """
        end = time.monotonic() + REGISTRY_SECONDS
        while True:
            try:
                return self._push(image, login, report)
            except PluginError as error:
                if not may_pass(str(error)) or time.monotonic() > end:
                    raise
            report(f"Pushing {image.text}: waiting for {image.registry_server}")
            time.sleep(REGISTRY_PAUSE_SECONDS)

    def _push(self, image: Image, login: Login | None, report: Report) -> str:
        credentials = {"username": login.username, "password": login.password} if login else None
        digest = ""
        with _explained("push"):
            events = self._client.push(
                image.name.repository, tag=image.name.tag, auth_config=credentials, stream=True, decode=True
            )
            for event in events:
                if "error" in event:
                    raise PluginError(push_error(image, str(event["error"])))
                digest = event.get("aux", {}).get("Digest", digest)
                if "id" in event and not event.get("progressDetail"):
                    report(f"Pushing {image.text}: {event['id']} {event.get('status', '')}")
        if not digest:
            raise PluginError(f"the Docker Engine pushed {image.text} without naming its digest; update the Engine")
        return digest


def _with_network(text: str, runs: list[int]) -> str:
    """A Dockerfile of which the ``RUN`` instructions at these lines find the machine's package indexes."""
    changed = with_flags(text, runs, package_indexes.MOUNTS)
    # What a line # syntax= asks for comes from there. The Engine's own frontend knows all that most need.
    return changed if not has_syntax(text) or made_here.docker_hub_answers() else without_syntax(changed)


def _as_written(text: str) -> str:
    """``text`` without what `_with_network` and the build context add to instructions."""
    text = text.replace(f"{package_indexes.MOUNTS} ", "").replace(f"{FROM_CONTEXT} ", "")
    return _PARSE_ERROR.sub(lambda found: f"{found[1]}{int(found[2]) - LINES_ADDED}", text)


def _follow_build(
    events: Iterable[dict[str, Any]], image: Image, report: Report, needs: str, *, by_buildkit: bool, changed: bool
) -> str:
    """Report each step, and return the identifier of the image that is built in the end."""
    step = "the first step"
    lines: deque[str] = deque(maxlen=LAST_LINES)
    identifier = image.text
    buildkit = Progress()
    as_written = _as_written if changed else str
    for event in events:
        if event.get("id") == "moby.buildkit.trace":
            for begun in buildkit.take(event["aux"]):
                report(f"Building {image.text}: {as_written(begun)}")
            continue
        for line in COLOUR.sub("", str(event.get("stream", ""))).splitlines():
            if not line.strip() or line.lstrip().startswith(BOOKKEEPING):
                continue
            if line.startswith("Step "):
                step = line.strip()
                lines.clear()
                report(f"Building {image.text}: {step}")
            else:
                lines.append(line.rstrip())
        if "error" in event:
            message = as_written(str(event["error"]))
            if by_buildkit:
                lines.extend(buildkit.lines)
                text = buildkit_error(image, as_written(buildkit.failed), needs, message)
            else:
                text = build_error(image, step, message)
            raise PluginError(text + "".join(f"\n  {line}" for line in lines))
        identifier = event.get("aux", {}).get("ID", identifier)
    return identifier


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Say in one line what the Engine, or the connection to it, has against a build or a push."""
    try:
        yield
    except docker.errors.APIError as error:
        raise PluginError(f"the Docker Engine refuses to {what}: {error.explanation or error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise PluginError(
            f"the connection to the Docker Engine broke during the {what}: {_connection_cause(error)}; "
            "look at the Engine's log, and run pulumi up again"
        ) from error


def _connection_cause(error: BaseException) -> str:
    """The operating system's word for it: requests and docker-py wrap it several times."""
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, http.client.IncompleteRead | urllib3.exceptions.IncompleteRead):
            return "it ended in the middle of an answer"
        if isinstance(each, OSError) and each.strerror and not isinstance(each, requests.RequestException):
            return each.strerror
        each = each.__cause__ or each.__context__
    found = re.search(r"(?:Permission denied|No such file or directory|Connection refused)", str(error))
    return found.group() if found else str(error).rpartition(": ")[2]
