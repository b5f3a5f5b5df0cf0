"""Resources that stand for several objects: ``…List`` kinds, and ``List`` itself."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from . import naming
from .errors import ApiError, Json, KindMissingError, NotReadyError
from .kinds import Form, Kind
from .operations import Operations, Target


@dataclass(frozen=True)
class _Item:
    target: Target
    body: Json

    @property
    def identity(self) -> tuple[str, str, str | None, str]:
        return self.target.kind.group, self.target.kind.name, self.target.namespace, self.target.name


class ListOperations:
    """The operations of `Operations`, on every item of a list."""

    def __init__(self, single: Operations) -> None:
        self._single = single

    async def preview_create(self, target: Target, inputs: Json) -> Json:
        """What `create` would give."""
        items = [
            await self._single.preview_create(item.target, item.body) for item in await self._items(target, inputs)
        ]
        return {**inputs, "items": items}

    async def create(self, target: Target, inputs: Json, timeout: float) -> Json:
        """Make every object, and wait until all are ready."""
        items = await self._items(target, inputs)
        return await _all(inputs, [self._single.create(item.target, item.body, timeout) for item in items])

    async def preview_update(self, target: Target, inputs: Json, recorded: Json) -> Json:
        """What `update` would give."""
        before = {item.identity: item for item in await self._items(target, recorded)}
        items = []
        for item in await self._items(target, inputs):
            if old := before.get(item.identity):
                items.append(await self._single.preview_update(item.target, item.body, old.body))
            else:
                items.append(await self._single.preview_create(item.target, item.body))
        return {**inputs, "items": items}

    async def update(self, target: Target, inputs: Json, recorded: Json, timeout: float) -> Json:
        """Apply every item, make the new ones, and delete those that are no longer listed."""
        before = {item.identity: item for item in await self._items(target, recorded)}
        work = []
        for item in await self._items(target, inputs):
            if old := before.pop(item.identity, None):
                work.append(self._single.update(item.target, item.body, old.body, timeout))
            else:
                work.append(self._single.create(item.target, item.body, timeout))
        live = await _all(inputs, work)
        await asyncio.gather(*(self._single.delete(old.target, old.body, timeout) for old in before.values()))
        return live

    async def try_update(self, target: Target, inputs: Json, recorded: Json) -> ApiError | None:  # noqa: ARG002
        """A list itself is never replaced because of what an item can't change."""
        return None

    async def read(self, target: Target, recorded: Json) -> Json | None:
        """The items that there are; ``None`` if all are gone."""
        items = await self._items(target, recorded)
        live = await asyncio.gather(*(self._single.read(item.target, item.body) for item in items))
        found = [body for body in live if body is not None]
        return {**recorded, "items": found} if found else None

    async def not_ready(self, target: Target, live: Json) -> list[str]:
        """Why items aren't ready now; empty if all are."""
        items = await self._items(target, live)
        reasons = await asyncio.gather(*(self._single.not_ready(item.target, item.body) for item in items))
        return [reason for each in reasons for reason in each]

    async def live_inputs(self, target: Target, inputs: Json, recorded: Json, live: Json) -> Json:
        """The inputs as the cluster has them now, item by item."""
        before = {item.identity: item.body for item in await self._items(target, recorded)}
        now = {item.identity: item.body for item in await self._items(target, live)}
        items = [
            await self._single.live_inputs(item.target, item.body, before.get(item.identity, {}), now[item.identity])
            for item in await self._items(target, inputs)
            if item.identity in now
        ]
        return {**inputs, "items": items}

    async def delete(self, target: Target, recorded: Json, timeout: float) -> None:
        """Delete every item."""
        items = await self._items(target, recorded)
        await asyncio.gather(*(self._single.delete(item.target, item.body, timeout) for item in items))

    async def _items(self, target: Target, body: Json) -> list[_Item]:
        found = []
        for item in body.get("items") or []:
            api_version, name = item.get("apiVersion"), item.get("kind")
            kind = Kind(
                api_version or target.kind.api_version, name or target.kind.name.removesuffix("List"), Form.OBJECT
            )
            metadata = item["metadata"]
            each = replace(target, kind=kind, name=metadata["name"], namespace=metadata.get("namespace"))
            with suppress(KindMissingError):  # In a preview, what defines the kind may not be there yet.
                each = await self._single.located(each)
            manager = naming.field_manager(f"{target.urn}#{kind.name}/{each.namespace}/{each.name}")
            whole = {**item, "apiVersion": kind.api_version, "kind": kind.name}
            found.append(_Item(replace(each, manager=manager), whole))
        return found


async def _all(inputs: Json, work: list[Coroutine[Any, Any, Json]]) -> Json:
    """The list of what each returns; those that aren't ready are part of it, and of one error for all."""
    done = await asyncio.gather(*work, return_exceptions=True)
    live, reasons = [], []
    for each in done:
        if isinstance(each, NotReadyError):
            reasons += each.reasons
            live.append(each.live)
        elif isinstance(each, BaseException):
            raise each
        else:
            live.append(each)
    whole = {**inputs, "items": live}
    if reasons:
        raise NotReadyError(reasons, whole)
    return whole
