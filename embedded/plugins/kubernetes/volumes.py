"""What becomes of the volume of a claim that is deleted."""

import asyncio
from typing import TYPE_CHECKING

from .awaiting import Report, until_gone
from .errors import Json
from .kinds import Kind

if TYPE_CHECKING:
    from .client import Client

SECONDS = 60.0
"""For a provisioner to remove a volume."""

_CLAIM, _VOLUME = Kind("v1", "PersistentVolumeClaim"), Kind("v1", "PersistentVolume")


async def until_removed(client: "Client", kind: Kind, live: Json, report: Report, interrupt: asyncio.Event) -> None:
    """Wait until the volume of a deleted claim is removed, if that is to be; other kinds have none.

    The provisioner that removes it may be what is deleted next, and the volume would stay for good.

    Raises:
        NotReadyError: It's still there after `SECONDS`.
        PluginError: It may not be looked at.
        WaitInterruptedError: After ``interrupt``.
    """
    name = (live.get("spec") or {}).get("volumeName")
    if kind != _CLAIM or not name:
        return
    volume = await client.get(_VOLUME, None, name)
    if volume is None:
        return
    of_claim = (volume["spec"].get("claimRef") or {}).get("uid") == live["metadata"]["uid"]
    if of_claim and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
        await until_gone(client, _VOLUME, volume, SECONDS, lambda text: report(f"its volume {name}: {text}"), interrupt)
