"""One edits a site at a time; who was killed doesn't count."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psutil
import pytest

from embedded.commands.dev import lease
from embedded.commands.dev.lease import held, holder, is_held
from embedded.errors import Failure
from embedded.health.api import Api, RefusedError
from tests.unit.embedded.test_dev_objects import edited

HERE = socket.gethostname()
NOW = datetime.now(UTC)


class Cluster:
    """An API server with a lease, or none."""

    def __init__(self, found: dict[str, Any] | None = None) -> None:
        self.lease = found
        self.changes: list[str] = []
        self.faster: dict[str, Any] | None = None

    def get(self, *_: object) -> dict[str, Any] | None:
        return self.lease

    def change(
        self, method: str, _: object, namespace: str, name: str = "", body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        self.changes.append(method)
        if self.faster:
            self.lease, self.faster = self.faster, None
            raise RefusedError("conflict", 409)
        self.lease = body if method != "DELETE" else None
        return body or {}


def taken(who: str, began: datetime = NOW, renewed: datetime = NOW) -> dict[str, Any]:
    return {
        "metadata": {"name": "blog-dev", "namespace": "blog", "resourceVersion": "7"},
        "spec": {
            "holderIdentity": who,
            "leaseDurationSeconds": 60,
            "acquireTime": began.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }


def dead() -> int:
    return next(pid for pid in range(4_000_000, 1, -1) if not psutil.pid_exists(pid))


@pytest.fixture
def living() -> Iterator[dict[str, Any]]:
    began = datetime.fromtimestamp(psutil.Process().create_time(), UTC) + timedelta(seconds=1)
    yield taken(holder("alice", HERE, os.getpid()), began)


def test_it_is_held_for_the_length_of_a_block() -> None:
    cluster = Cluster()
    with held(cast(Api, cluster), edited()):
        assert cluster.lease is not None
        assert re.fullmatch(rf".+@{HERE} \(process {os.getpid()}\)", cluster.lease["spec"]["holderIdentity"])
        assert cluster.lease["metadata"]["ownerReferences"]
    assert cluster.changes == ["POST", "DELETE"]


def test_a_second_one_is_told_who_edits(living: dict[str, Any]) -> None:
    cluster = Cluster(living)
    with pytest.raises(Failure) as refused, held(cast(Api, cluster), edited()):
        pass
    assert re.fullmatch(
        rf"blog is being edited by alice@{HERE} \(process {os.getpid()}\), since \d\d:\d\d", refused.value.cause
    )
    assert refused.value.fix == "end that script/dev first"
    assert cluster.changes == []


def test_of_two_at_once_one_is_told(living: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.faster = living
    with pytest.raises(Failure, match="blog is being edited by alice"), held(cast(Api, cluster), edited()):
        pass


def test_who_was_killed_makes_way() -> None:
    cluster = Cluster(taken(holder("alice", HERE, dead())))
    with held(cast(Api, cluster), edited()):
        assert cluster.lease is not None
        # As it was read: if somebody takes it meanwhile, this is refused.
        assert cluster.lease["metadata"]["resourceVersion"] == "7"
    assert cluster.changes == ["PUT", "DELETE"]


@pytest.mark.parametrize(
    ("found", "still"),
    [
        (taken("bob@elsewhere (process 1)", renewed=NOW - timedelta(seconds=50)), True),
        (taken("bob@elsewhere (process 1)", renewed=NOW - timedelta(seconds=70)), False),
        (taken(""), False),
        (taken(holder("alice", HERE, dead()), renewed=NOW), False),
        # The number is another process's now.
        (taken(holder("alice", HERE, os.getpid()), NOW - timedelta(days=400)), False),
    ],
)
def test_elsewhere_it_is_renewed_and_here_the_process_is_there(found: dict[str, Any], still: bool) -> None:
    assert is_held(found, NOW, HERE) is still


def test_it_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.waiting import eventually

    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    cluster = Cluster()
    with held(cast(Api, cluster), edited()):
        assert eventually(lambda: "PATCH" in cluster.changes, 10)
