"""Who edits a site: a Lease in its namespace, so that nobody else does so meanwhile, wherever they are."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import psutil

from embedded.commands.dev.objects import Edited
from embedded.errors import Failure
from embedded.health.api import Api, ApiError, RefusedError
from embedded.health.deployed import Json, Kind

LEASE = Kind("coordination.k8s.io/v1", "Lease")
DURATION_SECONDS = 60
"""After which one that isn't renewed belongs to nobody."""
RENEW_SECONDS = 15
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@contextmanager
def held(api: Api, edited: Edited) -> Iterator[None]:
    """Be the only one who edits a site, for the length of the block.

    Raises:
        Failure: Somebody does already.
        ApiError: It can't be known.
    """
    lease = _acquire(api, edited)
    over = Event()
    thread = Thread(target=_renew, args=(api, lease, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        with suppress(ApiError):  # gone with the site, or it expires
            api.change("DELETE", LEASE, edited.namespace, edited.name)


def holder(user: str, host: str, pid: int) -> str:
    """Return who holds a lease, in its own words."""
    return f"{user}@{host} (process {pid})"


def is_held(lease: Json, now: datetime, host: str) -> bool:
    """Whether somebody still edits: on this machine, a process that is there; elsewhere, one that renews its lease."""
    spec = lease["spec"]
    who, _, rest = str(spec.get("holderIdentity") or "").partition(" (process ")
    pid = rest.removesuffix(")")
    if not who:
        return False
    if who.rpartition("@")[2] == host and pid.isdigit():
        try:
            # One that began later has a number that is used again.
            return psutil.Process(int(pid)).create_time() <= _time(spec["acquireTime"]).timestamp() + 1
        except psutil.NoSuchProcess:
            return False
    return _time(spec["renewTime"]) + timedelta(seconds=spec["leaseDurationSeconds"]) > now


def _acquire(api: Api, edited: Edited) -> Json:
    now, host = datetime.now(UTC), socket.gethostname()
    spec = {
        "holderIdentity": holder(_user(), host, os.getpid()),
        "leaseDurationSeconds": DURATION_SECONDS,
        "acquireTime": now.strftime(_FORMAT),
        "renewTime": now.strftime(_FORMAT),
    }
    found = api.get(LEASE, edited.namespace, edited.name)
    if found is not None and is_held(found, now, host):
        raise _taken(edited, found)
    lease: Json = {"metadata": found["metadata"] if found else edited.metadata(), "spec": spec}
    try:
        if found:
            return api.change("PUT", LEASE, edited.namespace, edited.name, lease)
        return api.change("POST", LEASE, edited.namespace, body=lease)
    except RefusedError as error:
        # Somebody was faster.
        if error.status != 409 or (other := api.get(LEASE, edited.namespace, edited.name)) is None:
            raise
        raise _taken(edited, other) from None


def _taken(edited: Edited, lease: Json) -> Failure:
    spec = lease["spec"]
    since = _time(spec["acquireTime"]).astimezone().strftime("%H:%M")
    return Failure(
        f"{edited.site} is being edited by {spec['holderIdentity']}, since {since}", fix="end that script/dev first"
    )


def _renew(api: Api, lease: Json, over: Event) -> None:
    meta = lease["metadata"]
    while not over.wait(RENEW_SECONDS):
        renewed = {"spec": {"renewTime": datetime.now(UTC).strftime(_FORMAT)}}
        with suppress(ApiError):  # the next time
            api.change("PATCH", LEASE, meta["namespace"], meta["name"], renewed)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in a container
        return str(os.getuid())


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
