"""Waits for objects to become ready, or to be gone, by watching them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from . import causes
from .errors import ApiError, Json, NotReadyError, PluginError, UnreachableError
from .kinds import Kind, describe
from .readiness import Others, Verdict, evaluate, gave_up, progress_deadline, waiting, without
from .related import Related, related

if TYPE_CHECKING:
    from .client import Client

Report = Callable[[str], None]
"""Shows the user what is being waited for."""

_RECONNECT_SECONDS = 1.0

_FINALIZERS = {
    "customresourcecleanup.apiextensions.k8s.io": "its objects are being deleted",
    "kubernetes.io/pv-protection": "a claim is bound to it",
    "kubernetes.io/pvc-protection": "a pod uses it",
    "service.kubernetes.io/load-balancer-cleanup": "its load balancer is being removed",
}


class WaitInterruptedError(NotReadyError):
    """The user ended the wait."""


class _View:
    """What watches have seen of some objects, and a signal for each change."""

    def __init__(self, client: "Client", report: Report) -> None:
        self.changed = asyncio.Event()
        self.error: BaseException | None = None
        """Why the first of the watches, the one that counts, has ended."""
        self._client = client
        self._report = report
        self._seen: dict[Related, dict[str, Json]] = {}
        self._watched: list[Related] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "_View":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def watch(self, what: Related, field_selector: str = "") -> None:
        """Look at objects from now on."""
        self._watched.append(what)
        task = asyncio.create_task(self._watch(what, field_selector))
        task.add_done_callback(lambda ended: self._ended(what, ended))
        self._tasks.append(task)

    def signal_on(self, event: asyncio.Event) -> None:
        """Have ``changed`` set once another event is."""

        async def forward() -> None:
            await event.wait()
            self.changed.set()

        self._tasks.append(asyncio.create_task(forward()))

    def timer(self, seconds: float) -> asyncio.Event:
        """An event that is set after some time, as ``changed`` is then."""
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, event.set)
        self.signal_on(event)
        return event

    @property
    def complete(self) -> bool:
        """Whether everything watched has been listed once."""
        return all(what in self._seen for what in self._watched)

    def objects(self, what: Related) -> list[Json]:
        """The objects as they are now."""
        return list(self._seen.get(what, {}).values())

    def others(self) -> Others:
        """The objects of all watches but the first, by kind."""
        return {what.kind.name: self.objects(what) for what in self._watched[1:]}

    async def _watch(self, what: Related, field_selector: str) -> None:
        selectors = {"labelSelector": what.labels, "fieldSelector": field_selector}
        given = {key: text for key, text in selectors.items() if text}
        while True:
            try:
                async for event, body in self._client.watch(what.kind, what.namespace, **given):
                    self._note(what, event, body)
            except UnreachableError:
                self._report("the API server doesn't answer; waiting for it")
                await asyncio.sleep(_RECONNECT_SECONDS)

    def _ended(self, what: Related, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            if what is self._watched[0]:
                self.error = task.exception()
            # Others that may not be seen can't explain anything, but the wait itself goes on.
            self._seen.setdefault(what, {})
            self.changed.set()

    def _note(self, what: Related, event: str, body: Json) -> None:
        if event == "LISTED":
            self._seen[what] = {item["metadata"]["uid"]: item for item in body["items"]}
        elif event == "DELETED":
            self._seen[what].pop(body["metadata"]["uid"], None)
        else:
            self._seen[what][body["metadata"]["uid"]] = body
        self.changed.set()


async def until_ready(
    client: "Client", kind: Kind, live: Json, timeout: float, report: Report, interrupt: asyncio.Event
) -> Json:
    """Wait for an object to become ready, and return it as it is then.

    Args:
        client: The cluster.
        kind: Its kind.
        live: The object as it was applied.
        timeout: Seconds to wait at most.
        report: Gets a line whenever what is waited for changes.
        interrupt: Ends the wait.

    Raises:
        NotReadyError: With the causes, after ``timeout`` or once it's certain that it won't be.
        WaitInterruptedError: After ``interrupt``.
    """
    metadata = live["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace")
    what = describe(kind.name, namespace, name)
    itself = Related(kind, namespace)
    verdict = waiting("nothing is known yet")
    async with _View(client, report) as view:
        view.watch(itself, f"metadata.name={name}")
        for each in related(live):
            view.watch(each)
        view.signal_on(interrupt)
        # That an earlier attempt was given up stands there until a pod is available. What hindered it may be out of the
        # way by now: it counts only when this attempt has had as much time.
        stale, had_its_time = gave_up(live), view.timer(progress_deadline(live))
        try:
            async with asyncio.timeout(timeout):
                while True:
                    await view.changed.wait()
                    view.changed.clear()
                    if view.error is not None:
                        raise NotReadyError([f"{what} can't be watched: {view.error}"], live)
                    if interrupt.is_set():
                        raise WaitInterruptedError([f"the wait for {what} was interrupted: {verdict.message}"], live)
                    if not view.complete:
                        continue
                    now = view.objects(itself)
                    if not now:
                        # Jobs with a time to live may be gone once they have completed.
                        if (live.get("spec") or {}).get("ttlSecondsAfterFinished") is not None:
                            return live
                        raise NotReadyError([f"{what} was deleted by somebody while it was waited for"], live)
                    live = now[0]
                    verdict = evaluate(live if had_its_time.is_set() else without(live, stale), view.others())
                    if verdict.ready:
                        return live
                    if verdict.failed:
                        reasons = await causes.explain(client, live, view.others())
                        raise NotReadyError([f"{what} isn't ready: {verdict.message}", *reasons], live)
                    report(_progress(verdict, live, view.others()))
        except TimeoutError:
            first = f"{what} isn't ready after {timeout:g} s: {verdict.message}"
            raise NotReadyError([first, *await causes.explain(client, live, view.others())], live) from None


def _progress(verdict: Verdict, live: Json, others: Others) -> str:
    found = causes.visible(live, others)
    return f"{verdict.message} ({found[0]})" if found else verdict.message


async def until_gone(
    client: "Client", kind: Kind, live: Json, timeout: float, report: Report, interrupt: asyncio.Event
) -> None:
    """Wait until an object whose deletion was asked for is gone.

    Raises:
        NotReadyError: It's still there after ``timeout`` seconds; says what holds it.
        WaitInterruptedError: After ``interrupt``.
    """
    metadata = live["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace")
    what = describe(kind.name, namespace, name)
    itself = Related(kind, namespace)
    async with _View(client, report) as view:
        view.watch(itself, f"metadata.name={name}")
        view.signal_on(interrupt)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    await view.changed.wait()
                    view.changed.clear()
                    if view.error is not None:
                        if isinstance(view.error, ApiError) and view.error.code == 404:
                            return
                        raise NotReadyError([f"{what} can't be watched: {view.error}"], live)
                    if interrupt.is_set():
                        raise WaitInterruptedError(
                            [f"the deletion of {what} goes on, but isn't waited for any more"], live
                        )
                    if not view.complete:
                        continue
                    # Another object of the same name is somebody else's.
                    same = [each for each in view.objects(itself) if each["metadata"]["uid"] == metadata["uid"]]
                    if not same:
                        return
                    live = same[0]
                    report(f"waiting for it to be gone{holding(live)}")
        except TimeoutError:
            raise NotReadyError([f"{what} isn't gone after {timeout:g} s{holding(live)}"], live) from None


def holding(live: Json) -> str:
    """What keeps an object that is being deleted, as the end of a sentence; empty if nothing is known to."""
    conditions = (live.get("status") or {}).get("conditions") or []
    if live["kind"] == "Namespace":
        # Set by the namespace controller: what is left, whose finalizers hold it, which API doesn't answer.
        told = [str(each.get("message")) for each in conditions if each.get("status") == "True"]
        if told:
            return ": " + " ".join(told)
    finalizers = live["metadata"].get("finalizers") or []
    foreign = [each for each in finalizers if each != "foregroundDeletion"]
    if foreign:
        meant = [f"{name} ({_FINALIZERS[name]})" if name in _FINALIZERS else name for name in foreign]
        return f": held by finalizer {', '.join(meant)}"
    return ": its dependents are being deleted first" if finalizers else ""


async def look(client: "Client", live: Json) -> Others:
    """The objects that are related to ``live``, as they are now; without those that may not be seen."""
    found: dict[str, list[Json]] = {}
    for what in related(live):
        selector = {"labelSelector": what.labels} if what.labels else {}
        with suppress(PluginError):
            found[what.kind.name] = (await client.list_objects(what.kind, what.namespace, **selector)).get(
                "items"
            ) or []
    return found
