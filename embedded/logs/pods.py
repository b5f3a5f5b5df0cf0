"""The lines of pods that are there, from their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Queue
from threading import Event, Thread
from typing import Self

from embedded.health.api import POD, Api, ApiError
from embedded.health.deployed import Json
from embedded.logs.lines import CONTAINER, SECOND, Line, Mark, parsed
from settings.cluster_reader import CONNECTIONS

OURS = "app.kubernetes.io/part-of=inspiration"
"""Selects the pods of the stack: somebody else's may be in the namespace of a site for a while."""

RETRY_SECONDS = 1
PATIENCE = 30
"""How often the API server may fail to answer in a row, before that is an error."""

GATHER_SECONDS = 0.2
"""How long a line that has come waits for those of other pods, to be printed in order."""

_AHEAD = 10_000
"""How many lines may wait to be printed."""


@dataclass(frozen=True)
class Container:
    """The container of a pod from its start to its end; in the same pod, another one may come after it."""

    id: str
    is_previous: bool = False
    """Whether another one has come after it."""
    has_ended: bool = False


@dataclass
class Log:
    """What has been read of the log of a pod."""

    namespace: str
    pod: str
    uid: str
    mark: Mark
    lines: list[Line] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    """The containers that have been read to their end."""

    @classmethod
    def of(cls, pod: Json, start: int) -> Self:
        """Return the log of a pod from ``start`` on."""
        metadata = pod["metadata"]
        return cls(metadata["namespace"], metadata["name"], metadata["uid"], Mark(start))


def containers(pod: Json) -> list[Container]:
    """Return the containers of a site's pod that have a log: the one before, and the one that is there."""
    found = []
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status["name"] == CONTAINER:
            state = status.get("state") or {}
            before = (status.get("lastState") or {}).get("terminated") or {}
            if before.get("containerID"):
                found.append(Container(before["containerID"], is_previous=True, has_ended=True))
            if status.get("containerID") and ("running" in state or "terminated" in state):
                found.append(Container(status["containerID"], has_ended="terminated" in state))
    return found


def read(api: Api, namespace: str, start: int) -> tuple[list[Log], list[ApiError]]:
    """Return the logs of a site's pods from ``start`` on, and why some can't be read.

    Raises:
        ApiError: It may not be seen which pods there are; or there is no answer.
    """

    def read_one(pod: Json) -> tuple[Log, ApiError | None]:
        log = Log.of(pod, start)
        try:
            log.lines += _unread(api, log, pod)
        except ApiError as error:
            return log, error
        return log, None

    pods = api.objects(POD, namespace, labelSelector=OURS)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        done = list(pool.map(read_one, pods))
    return [log for log, _ in done], [error for _, error in done if error]


def _unread(api: Api, log: Log, pod: Json, *, follow: bool = False) -> Iterator[Line]:
    """Yield what comes after what has been read; if it is to be followed, until the container ends.

    One container after the other: if one has ended meanwhile, what is read in its place is that of the next one.
    """
    for container in containers(pod):
        if container.id in log.done:
            continue
        options = {"previous": "true"} if container.is_previous else {}
        if follow and not container.has_ended:
            options["follow"] = "true"
        since = datetime.fromtimestamp(log.mark.time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raw = api.log_lines(log.namespace, log.pod, CONTAINER, timestamps="true", sinceTime=since, **options)
        yield from log.mark.unread(filter(None, (parsed(log.pod, line) for line in raw)))
        if container.has_ended:
            log.done.add(container.id)


class Following:
    """Follows the pods of a site: those that are there, and those that come.

    Args:
        api: The API server.
        namespace: Of the site.
        start: From when on lines are wanted.
        logs: What has been read already.
    """

    def __init__(self, api: Api, namespace: str, start: int, logs: Iterable[Log]) -> None:
        self._api, self._namespace, self._start = api, namespace, start
        self._logs = {log.uid: log for log in logs}
        self._followed: set[str] = set()
        self._come: Queue[Line | ApiError] = Queue(_AHEAD)
        self._left = Event()

    def lines(self) -> Iterator[list[Line]]:
        """Yield the lines that have come since the last time, in order, for as long as somebody wants them.

        Raises:
            ApiError: It may not be seen which pods there are; or the API server has stopped answering.
        """
        Thread(target=self._watch, daemon=True).start()
        try:
            while True:
                come = [self._come.get()]
                self._left.wait(GATHER_SECONDS)
                while not self._come.empty():
                    come.append(self._come.get())
                yield sorted(each for each in come if isinstance(each, Line))
                for each in come:
                    if isinstance(each, ApiError):
                        raise each
        finally:
            self._left.set()

    def _watch(self) -> None:
        """Follow each pod as soon as there is something of it."""
        failures = PATIENCE  # until it has answered once, there is no point in asking again
        while not self._left.is_set():
            try:
                for pod in self._api.changes(POD, self._namespace, labelSelector=OURS):
                    failures = 0
                    uid = pod["metadata"]["uid"]
                    if containers(pod) and uid not in self._followed:
                        self._followed.add(uid)
                        log = self._logs.pop(uid, None) or Log.of(pod, self._start)
                        Thread(target=self._follow, args=(log,), daemon=True).start()
            except ApiError as error:
                failures += 1
                if failures > PATIENCE:
                    self._come.put(error)
                    return
            self._left.wait(RETRY_SECONDS)

    def _follow(self, log: Log) -> None:
        """Read the log of a pod for as long as that is there, whatever ends the connection or its container."""
        while not self._left.is_set():
            # A node that doesn't answer may do so later.
            with suppress(ApiError):
                pod = self._api.get(POD, log.namespace, log.pod)
                if pod is None or pod["metadata"]["uid"] != log.uid:
                    return
                for line in _unread(self._api, log, pod, follow=True):
                    self._come.put(line)
                if pod["status"]["phase"] in ("Succeeded", "Failed"):
                    return
            self._left.wait(RETRY_SECONDS)
