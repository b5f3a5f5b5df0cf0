"""What is done to one object of the cluster: apply, read and delete it, and wait for the outcome."""

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from . import annotations, awaiting, drift, fields, ownership, refusals, volumes
from .diff import is_ignored
from .errors import ApiError, Json, KindMissingError, NotReadyError, PluginError, UnreachableError
from .kinds import Form, Kind, describe, is_workload
from .options import Options
from .prediction import overlay, predict
from .readiness import evaluate, has_rule
from .state import FIELD_MANAGER, INPUTS
from .values import has_unknown

if TYPE_CHECKING:
    from .client import Client, Endpoint

_NEW_KIND_SECONDS = 10.0
"""How long a kind may take to be served after its CustomResourceDefinition was made."""


class Log(Protocol):
    """Tells the user something about a resource."""

    def status(self, urn: str, text: str) -> None:
        """Show what is being done, until the next status."""

    async def clear(self, urn: str) -> None:
        """Take the status away."""

    def warn(self, urn: str, text: str) -> None:
        """Show a warning."""


@dataclass(frozen=True)
class Target:
    """The object that a resource stands for."""

    urn: str
    kind: Kind
    name: str
    namespace: str | None
    """``None`` without a namespace, or for the default one."""
    manager: str
    """Field manager for server-side apply."""
    ignored: tuple[str, ...] = ()
    """Pulumi's ``ignore_changes``."""


class Operations:
    """The operations on single objects, and on fields of objects (``…Patch`` resources)."""

    def __init__(self, client: "Client", options: Options, log: Log, interrupt: asyncio.Event) -> None:
        self._client = client
        self._options = options
        self._log = log
        self._interrupt = interrupt

    async def preview_create(self, target: Target, inputs: Json) -> Json:
        """What `create` would give, as far as it can be known."""
        if has_unknown(inputs):
            return predict(inputs, None)
        try:
            target = await self.located(target)
            live = await self._client.get(target.kind, target.namespace, target.name)
            if target.kind.form is Form.PATCH:
                return await self._apply(target, inputs, dry_run=True) if live else predict(inputs, None)
            if live is not None and not self._may_adopt(target, live):
                self._refuse_existing(target, live)
            if live is not None:
                # It will be deleted first, so that a dry run on what is there now would say nothing.
                return predict(inputs, None)
            return predict(inputs, await self._apply(target, inputs, dry_run=True))
        except KindMissingError:
            return predict(inputs, None)
        except ApiError as error:
            if refusals.waits_for_others(error):
                return predict(inputs, None)
            raise

    async def create(self, target: Target, inputs: Json, timeout: float) -> Json:
        """Make an object and wait until it's ready.

        Raises:
            NotReadyError: It was made, but isn't ready.
            PluginError: It wasn't made.
        """
        target = await self.located(target, patience=_NEW_KIND_SECONDS)
        what = describe(target.kind.name, target.namespace, target.name)
        live = await self._client.get(target.kind, target.namespace, target.name)
        if live is None and target.kind.form is Form.PATCH:
            raise PluginError(
                f"{what} doesn't exist, so it can't be patched; make this resource depend on what makes it"
            )
        if live is not None and target.kind.form is Form.OBJECT:
            if live["metadata"].get("deletionTimestamp"):
                try:
                    await self._until_gone(target, live, annotations.timeout(inputs, timeout))
                except NotReadyError as error:
                    raise PluginError(f"{error}; it must be gone before it can be made anew") from None
            elif not self._options.upsert and not fields.is_manager(live, target.manager):
                self._refuse_existing(target, live)
        return await self._until_ready(target, inputs, await self._apply(target, inputs), timeout)

    async def preview_update(self, target: Target, inputs: Json, recorded: Json) -> Json:
        """What `update` would give, as far as it can be known."""
        if has_unknown(inputs):
            return overlay(recorded, inputs)
        try:
            target = await self.located(target)
            if await self._to_take_over(target, inputs, recorded):
                # That isn't done in a preview, and without it a dry run would mix our fields with the others'.
                return overlay(recorded, inputs)
            return await self._apply(target, inputs, recorded, dry_run=True)
        except KindMissingError:
            return overlay(recorded, inputs)
        except ApiError as error:
            if refusals.waits_for_others(error):
                return overlay(recorded, inputs)
            raise
        except UnreachableError as error:
            if not self._options.skip_update_unreachable:
                raise
            self._log.warn(target.urn, f"not updated: {error}")
            return recorded

    async def update(self, target: Target, inputs: Json, recorded: Json, timeout: float) -> Json:
        """Apply new inputs and wait until the object is ready.

        Args:
            target: The object.
            inputs: The new inputs.
            recorded: The object as Pulumi saw it last, with ``__inputs``.
            timeout: Of the resource's ``customTimeouts``, 0 for none.

        Raises:
            NotReadyError: It was updated, but isn't ready.
            PluginError: It wasn't updated.
        """
        try:
            target = await self.located(target)
            await self._take_over(target, inputs, recorded)
            live = await self._apply(target, inputs, recorded)
        except UnreachableError as error:
            if not self._options.skip_update_unreachable:
                raise
            self._log.warn(target.urn, f"not updated: {error}")
            return recorded
        return await self._until_ready(target, inputs, live, timeout)

    async def try_update(self, target: Target, inputs: Json, recorded: Json) -> ApiError | None:
        """The API server's refusal of an update, found out with a dry run; ``None`` for any other outcome."""
        try:
            target = await self.located(target)
            if not await self._to_take_over(target, inputs, recorded):
                await self._apply(target, inputs, recorded, dry_run=True)
        except ApiError as error:
            return error
        except PluginError:
            return None
        return None

    async def read(self, target: Target, recorded: Json) -> Json | None:  # noqa: ARG002 (as of a list)
        """The live object; ``None`` if it's gone."""
        try:
            target = await self.located(target)
            return await self._client.get(target.kind, target.namespace, target.name)
        except KindMissingError:
            return None
        except UnreachableError as error:
            if not self._options.delete_unreachable:
                raise UnreachableError(f"{error}; {refusals.GONE_FOR_GOOD}") from None
            self._log.warn(target.urn, f"forgotten: {error}")
            return None

    async def live_inputs(self, target: Target, inputs: Json, recorded: Json, live: Json) -> Json:  # noqa: ARG002
        """The inputs as the cluster has them now, see `drift.live_inputs`."""
        return drift.live_inputs(inputs, recorded, live)

    async def not_ready(self, target: Target, live: Json) -> list[str]:
        """Why an object isn't ready now; empty if it is."""
        if annotations.is_on(live, annotations.SKIP_AWAIT) or not has_rule(target.kind):
            return []
        others = await awaiting.look(self._client, live)
        verdict = evaluate(live, others)
        what = describe(target.kind.name, target.namespace, target.name)
        return [] if verdict.ready else [f"{what} isn't ready: {verdict.message}"]

    async def delete(self, target: Target, recorded: Json, timeout: float) -> None:
        """Delete an object, or give up the fields of a patch, and wait until that's done; gone already is done.

        Raises:
            NotReadyError: The object isn't gone in time.
        """
        try:
            target = await self.located(target)
            live = await self._client.get(target.kind, target.namespace, target.name)
        except KindMissingError:
            return
        except UnreachableError as error:
            if not self._options.delete_unreachable:
                raise UnreachableError(f"{error}; {refusals.GONE_FOR_GOOD}") from None
            self._log.warn(target.urn, f"forgotten: {error}")
            return
        if live is None:
            return
        if target.kind.form is Form.PATCH:
            await self._release(target)
            return
        # As with the official plugin a workload's pods go first. For other kinds the garbage collector needn't be
        # waited for: they go at once, without up to 30 s until the collector knows a kind that is new.
        default = "Foreground" if is_workload(target.kind) else "Background"
        propagation = annotations.propagation(live, default)
        if not await self._client.delete(target.kind, target.namespace, target.name, propagation):
            return
        if not annotations.is_on(live, annotations.SKIP_AWAIT):
            await self._until_gone(target, live, annotations.timeout({**recorded, "kind": live["kind"]}, timeout))
            await self._until_volume_is_removed(target, live)

    async def located(self, target: Target, patience: float = 0) -> Target:
        """A target with the namespace that it really has."""
        endpoint = await self._endpoint(target, patience)
        if not endpoint.namespaced:
            return replace(target, namespace=None)
        default = self._options.namespace or self._client.connection.namespace
        return replace(target, namespace=target.namespace or default)

    async def _endpoint(self, target: Target, patience: float) -> "Endpoint":
        delay = 0.25
        while True:
            try:
                endpoint = await self._client.endpoint(target.kind)
                await self._log.clear(target.urn)
                return endpoint
            except KindMissingError:
                if patience <= 0 or self._interrupt.is_set():
                    raise
            self._log.status(target.urn, f"waiting for the API to serve {target.kind.name} ({target.kind.api_version})")
            # Discovery can't be watched.
            await asyncio.sleep(delay)
            patience, delay = patience - delay, min(2 * delay, 2.0)

    def _may_adopt(self, target: Target, live: Json) -> bool:
        # A preview can't tell an object that will be replaced (under whatever manager made it) from one made elsewhere.
        managers = [str(entry.get("manager")) for entry in live["metadata"].get("managedFields") or []]
        ours = any(manager.startswith("pulumi-kubernetes") or manager == target.manager for manager in managers)
        return ours or self._options.upsert

    def _refuse_existing(self, target: Target, live: Json) -> None:
        metadata = live["metadata"]
        identity = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
        raise PluginError(
            f"{describe(target.kind.name, metadata.get('namespace'), metadata['name'])} exists already: import it "
            f"(import_={identity!r}), give the resource an alias if it was renamed, or set the provider's "
            "upsertExistingObjects"
        )

    async def _apply(
        self, target: Target, inputs: Json, recorded: Json | None = None, *, dry_run: bool = False
    ) -> Json:
        body = {**inputs, "metadata": {**inputs["metadata"], "name": target.name}}
        body["kind"], body["apiVersion"] = target.kind.name, target.kind.api_version
        force = self._options.patch_force or annotations.is_on(inputs, annotations.PATCH_FORCE)
        arguments = (target.kind, target.namespace, body, target.manager)
        try:
            answer = await self._client.apply(*arguments, force=force, dry_run=dry_run)
        except ApiError as error:
            conflicts = [cause for cause in error.causes if cause.get("reason") == "FieldManagerConflict"]
            what = describe(target.kind.name, target.namespace, target.name)
            if not conflicts:
                raise error.worded(refusals.sentence(what, error)) from None
            if recorded is None:
                raise PluginError(refusals.conflict(what, conflicts)) from None
            left = inputs
            for conflict in conflicts:
                path = fields.locate(left, str(conflict.get("field")))
                if path and is_ignored(path, target.ignored):
                    left = fields.without(left, path)
            if left != inputs:
                # What the program ignores and somebody else manages is left to them.
                return await self._apply(target, left, recorded, dry_run=dry_run)
            if not await self._seen(target, recorded, conflicts):
                raise PluginError(refusals.conflict(what, conflicts)) from None
            answer = await self._client.apply(*arguments, force=True, dry_run=dry_run)
        if not dry_run and not self._options.suppress_warnings:
            for text in answer.warnings:
                self._log.warn(target.urn, text)
        return answer.body

    async def _seen(self, target: Target, recorded: Json, conflicts: list[Json]) -> bool:
        """Whether all conflicts are drift that a refresh has shown to the user, who then wants it repaired."""
        inputs = recorded.get(INPUTS) or {}
        if not all(fields.locate(inputs, str(conflict.get("field"))) for conflict in conflicts):
            return False
        live = await self._client.get(target.kind, target.namespace, target.name)
        return live is not None and drift.live_inputs(inputs, recorded, live) == inputs

    async def _to_take_over(self, target: Target, inputs: Json, recorded: Json) -> tuple[Json, list[Json]] | None:
        """The live object and its new ``managedFields``, if others own fields that are drift to be removed."""
        if FIELD_MANAGER not in recorded:
            return None
        live = await self._client.get(target.kind, target.namespace, target.name)
        if live is None:
            return None
        entries = ownership.taken_over(live, target.manager, recorded.get(INPUTS) or {}, inputs)
        return None if entries is None else (live, entries)

    async def _take_over(self, target: Target, inputs: Json, recorded: Json) -> None:
        while found := await self._to_take_over(target, inputs, recorded):
            try:
                await self._client.set_managed_fields(target.kind, *found)
            except ApiError as error:
                if error.code != 409:  # The object has changed since it was read.
                    raise

    async def _release(self, target: Target) -> None:
        """Apply nothing, which gives up every field that the manager owns."""
        body = {"apiVersion": target.kind.api_version, "kind": target.kind.name, "metadata": {"name": target.name}}
        await self._client.apply(target.kind, target.namespace, body, target.manager)

    async def _until_ready(self, target: Target, inputs: Json, live: Json, timeout: float) -> Json:
        if annotations.is_on(live, annotations.SKIP_AWAIT) or not has_rule(target.kind):
            return live
        limit = annotations.timeout({**inputs, "kind": target.kind.name}, timeout)
        try:
            return await awaiting.until_ready(
                self._client, target.kind, live, limit, lambda text: self._log.status(target.urn, text), self._interrupt
            )
        finally:
            await self._log.clear(target.urn)

    async def _until_volume_is_removed(self, target: Target, live: Json) -> None:
        report = partial(self._log.status, target.urn)
        try:
            await volumes.until_removed(self._client, target.kind, live, report, self._interrupt)
        except (NotReadyError, PluginError) as error:  # what was to be deleted is gone
            self._log.warn(target.urn, f"the claim is gone, its volume is perhaps not: {error}")
        finally:
            await self._log.clear(target.urn)

    async def _until_gone(self, target: Target, live: Json, timeout: float) -> None:
        try:
            await awaiting.until_gone(
                self._client,
                target.kind,
                live,
                timeout,
                partial(self._log.status, target.urn),
                self._interrupt,
            )
        finally:
            await self._log.clear(target.urn)
