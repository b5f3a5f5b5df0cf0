"""The objects of a site that is edited, while it is: made, filled, and taken away."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import IO

from embedded.commands.dev import content, objects
from embedded.commands.dev.objects import (
    CONTAINER,
    DEPLOYMENT,
    EDITED,
    FILES,
    POD,
    POLICY,
    SERVICE,
    SLICE,
    Edited,
)
from embedded.errors import Failure
from embedded.health.api import Api, ApiError, RefusedError
from embedded.health.deployed import Json

START_SECONDS = 90
"""For a pod to run: its images may have to be pulled."""
ANSWER_SECONDS = 60
"""For a program to answer."""
_PAUSE_SECONDS = 0.05
_STALE_SECONDS = 5
_LAST_LINES = 20
_STARTING = ("", "ContainerCreating", "PodInitializing")
"""Why a container waits that is going to run."""

# A static BusyBox's wget looks names up, and may crash by it.
_ASK = (
    "for i in $(seq 30); do "
    r'printf "GET %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n" "$2" | timeout 5 nc 127.0.0.1 "$1" '
    '| head -n 1 | grep -q "^HTTP/1.[01] 2" && exit 0; usleep 50000; done; exit 1'
)
_UNPACK = f'head -c "$1" | tar -xf - -C {EDITED}'
_REMOVE = f'mkdir -p {EDITED}/{content.PLAIN} && cd {EDITED}/{content.PLAIN} && head -c "$1" | xargs -0 rm -rf --'


class ProgramError(Exception):
    """What has been built doesn't run; with what it has written last."""


class Serving:
    """A site's pod, Service and Ingress beside those that the stack has.

    Args:
        api: The API server.
        edited: The site.
    """

    def __init__(self, api: Api, edited: Edited) -> None:
        self._api, self.edited = api, edited
        self.version = ""
        """Of what is served; another one has tabs reload."""
        self._error = ""

    def open(self, image: str) -> None:
        """Make all of it, after what somebody may have left who was killed. The pod waits for what it is to serve.

        Raises:
            Failure: The pod can't be made to run.
            ApiError: The API server refuses something.
        """
        self.close()
        for kind, body in (
            (POLICY, objects.policy(self.edited)),
            (SERVICE, objects.service(self.edited)),
            (self.edited.way, objects.way(self.edited)),
        ):
            if body is not None:
                self._api.change("POST", kind, self.edited.namespace, body=body)
        self.start(image)

    def start(self, image: str) -> None:
        """Make the pod, which waits for what it is to serve.

        Raises:
            Failure: It can't be made to run.
            ApiError: The API server refuses it.
        """
        self._api.change("POST", POD, self.edited.namespace, body=objects.pod(self.edited, image))
        pod = self._await(lambda pod: "running" in _state(pod, FILES), START_SECONDS)
        if not self.edited.pages:
            found = objects.slice_of(self.edited, pod["status"]["podIP"])
            self._api.change("POST", SLICE, self.edited.namespace, body=found)

    def close(self) -> None:
        """Take all of it away, and wait until it is gone.

        Raises:
            ApiError: The API server refuses it, or doesn't answer.
        """
        for kind in (self.edited.way, SERVICE, SLICE, POD, POLICY):
            try:
                self._api.change("DELETE", kind, self.edited.namespace, self.edited.name)
            except RefusedError as error:
                if error.status != 404:
                    raise
            if kind is POD:
                end = time.monotonic() + START_SECONDS
                while self.pod() and time.monotonic() < end:
                    time.sleep(_PAUSE_SECONDS)

    def pod(self) -> Json | None:
        """Return the pod as it is; ``None`` if there is none.

        Raises:
            ApiError: It may not be seen, or there is no answer.
        """
        return self._api.get(POD, self.edited.namespace, self.edited.name)

    def is_there(self) -> bool:
        """Whether the pod can be filled: it may have been evicted, or have reached its deadline.

        Raises:
            ApiError: It may not be seen, or there is no answer.
        """
        pod = self.pod()
        return pod is not None and "deletionTimestamp" not in pod["metadata"] and "running" in _state(pod, FILES)

    def is_deployed(self) -> bool:
        """Whether the site is still the one that it was.

        Raises:
            ApiError: It may not be seen, or there is no answer.
        """
        live = self._api.get(DEPLOYMENT, self.edited.namespace, self.edited.site)
        return live is not None and live["metadata"]["uid"] == self.edited.deployment["metadata"]["uid"]

    def put(self, archive: IO[bytes], gone: list[str]) -> None:
        """Put files into the pod, after what makes way for them.

        Raises:
            ApiError: It can't be done.
        """
        if gone:
            self._write(_REMOVE, BytesIO(b"".join(name.encode(errors="surrogateescape") + b"\0" for name in gone)))
        self._write(_UNPACK, archive)

    def configure(self) -> None:
        """Have the server of pages read its configuration again.

        Raises:
            ApiError: It can't be done, or nginx refuses it.
        """
        nginx = ("/usr/sbin/nginx", "-e", "stderr", "-c", "/etc/nginx/nginx.conf")
        code, said = self._run(CONTAINER, (*nginx, "-s", "reload"))
        if code:
            raise ApiError(f"nginx refuses its configuration: {said}; put that right")

    def say(self, error: str = "", *, anew: bool = False) -> None:
        """Have the tabs show an error, or none; and reload, if what is served is new.

        Raises:
            ApiError: It can't be done.
        """
        if anew:
            self.version = str(time.time_ns())
        elif error == self._error:
            return
        self._error = error
        self._write(_UNPACK, content.state(self.version, error))

    def replace(self, image: str) -> None:
        """Have the pod run another image, and wait until that answers.

        Raises:
            ProgramError: It doesn't.
            ApiError: The API server refuses it, or doesn't answer.
        """
        before = _container_id(self.pod())
        patch = {"spec": {"containers": [{"name": CONTAINER, "image": image}]}}
        self._api.change("PATCH", POD, self.edited.namespace, self.edited.name, patch)
        self.await_program(before)

    def await_program(self, before: str = "") -> None:
        """Wait until the site's container answers.

        Args:
            before: The id of the container that it isn't any more.

        Raises:
            ProgramError: It has ended, or doesn't answer.
            ApiError: It can't be known.
        """
        began = time.monotonic()
        while time.monotonic() < began + ANSWER_SECONDS:
            pod = self.pod()
            state = _state(pod, CONTAINER)
            new = _container_id(pod) not in ("", before)
            stuck = (state.get("waiting") or {}).get("reason", "") not in _STARTING
            # At first, what is told is what the container before was stuck at.
            if (new and (stuck or "terminated" in state)) or (stuck and time.monotonic() > began + _STALE_SECONDS):
                raise ProgramError(self._why(pod))
            if new and "running" in state and self._answers(self.edited.health_path):
                return
            time.sleep(_PAUSE_SECONDS)
        raise ProgramError(
            f"the program doesn't answer {self.edited.health_path} at port {self.edited.port} with 200\n{self._log()}"
        )

    def await_server(self) -> None:
        """Wait until the server of pages answers.

        Raises:
            Failure: It doesn't run.
            ApiError: It can't be known.
        """
        self._await(lambda pod: "running" in _state(pod, CONTAINER), START_SECONDS)
        end = time.monotonic() + ANSWER_SECONDS
        while not self._answers("/.dev/state.json"):
            if time.monotonic() > end:
                raise Failure(
                    f"the pod {self.edited.namespace}/{self.edited.name} doesn't serve the pages: {self._log()}",
                    fix="run `pulumi up` first if the folder had a Dockerfile when the site was deployed",
                )

    def _answers(self, path: str) -> bool:
        """Whether the site's container answers with success, now or in a moment."""
        return self._run(FILES, ("sh", "-c", _ASK, "sh", str(self.edited.port), path))[0] == 0

    def _why(self, pod: Json | None) -> str:
        waiting = _state(pod, CONTAINER).get("waiting") or {}
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason and reason != "CrashLoopBackOff":
            return f"the program doesn't start: {reason}: {message}"
        return f"the program has ended\n{self._log()}"

    def _log(self) -> str:
        for previous in (False, True):
            with suppress(ApiError):
                lines = self._api.log(
                    self.edited.namespace, self.edited.name, CONTAINER, previous=previous, lines=_LAST_LINES
                )
                if lines:
                    return "\n".join(lines)
        return ""

    def _await(self, condition: Callable[[Json], bool], seconds: float) -> Json:
        end = time.monotonic() + seconds
        pod = None
        while time.monotonic() < end:
            pod = self.pod()
            if pod is None or pod["status"].get("phase") == "Failed":
                break
            if condition(pod):
                return pod
            time.sleep(_PAUSE_SECONDS)
        raise Failure(
            f"the pod {self.edited.namespace}/{self.edited.name} doesn't run: {_cause(pod)}", fix="put that right first"
        )

    def _write(self, script: str, source: IO[bytes]) -> None:
        source.seek(0, 2)
        size = source.tell()
        source.seek(0)
        code, said = self._run(FILES, ("sh", "-c", script, "sh", str(size)), source)
        if code:
            raise ApiError(f"files can't be put into the pod {self.edited.name}: {said}; see whether its node is full")

    def _run(self, container: str, command: tuple[str, ...], source: IO[bytes] | None = None) -> tuple[int, str]:
        return self._api.execute(self.edited.namespace, self.edited.name, container, command, source)


def _statuses(pod: Json | None) -> dict[str, Json]:
    status = (pod or {}).get("status") or {}
    listed = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return {each["name"]: each for each in listed}


def _state(pod: Json | None, container: str) -> Json:
    state: Json = _statuses(pod).get(container, {}).get("state") or {}
    return state


def _container_id(pod: Json | None) -> str:
    return str(_statuses(pod).get(CONTAINER, {}).get("containerID") or "")


def _cause(pod: Json | None) -> str:
    """Return why a pod doesn't run, as far as it says so."""
    if pod is None:
        return "it has been removed"
    for status in _statuses(pod).values():
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("message"):
            return f"{waiting.get('reason')}: {waiting['message']}"
    found = [each["message"] for each in pod["status"].get("conditions") or [] if each.get("message")]
    return str(pod["status"].get("message") or next(iter(found), "it doesn't say why"))
