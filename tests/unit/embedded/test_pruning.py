"""``script/releases --prune``: the job that it makes, and what it says of that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from components.addons.registry import NAMESPACE
from components.addons.registry.pruning import NAME, cron_job
from embedded.commands import deployment, pruning
from embedded.errors import Failure
from embedded.health.api import Api, ApiError

CRON_JOB = cron_job(NAMESPACE, 5, "script", "account", "claim") | {"metadata": {"name": NAME, "uid": "1a2b"}}
LINES = ["blog: 3 releases deleted, 5 kept", "12.0 MiB given back, 40.0 MiB in use"]


class Cluster:
    """An API server whose job goes through these states, with a pod in this one."""

    def __init__(self, *states: dict[str, Any] | None, pod: dict[str, Any] | None = None) -> None:
        self.states, self.pod = list(states), pod
        self.made: list[dict[str, Any]] = []
        self.cron_job: dict[str, Any] | None = CRON_JOB
        self.lines = LINES
        self.events: list[dict[str, Any]] = []

    def get(self, kind: Any, namespace: str, name: str) -> dict[str, Any] | None:
        assert namespace == NAMESPACE
        if kind.name == "CronJob":
            assert name == NAME
            return self.cron_job
        if kind.name == "Pod":
            return self._pod()
        assert name == self.made[0]["metadata"]["name"]
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return None if state is None else {**self.made[0], "status": state}

    def change(self, method: str, kind: Any, namespace: str, *, body: dict[str, Any]) -> None:
        assert (method, kind.name, namespace) == ("POST", "Job", NAMESPACE)
        self.made.append(body)

    def objects(self, kind: Any, namespace: str, **selectors: str) -> list[dict[str, Any]]:
        if kind.name == "Event":
            return self.events
        if kind.name == "Node":
            return []
        assert selectors["labelSelector"].endswith(f"={self.made[0]['metadata']['name']}")
        return [] if self.pod is None else [self._pod()]

    def _pod(self) -> dict[str, Any]:
        spec = {"nodeName": "node", "containers": [{"name": "prune"}]}
        metadata = {"name": "pod", "namespace": NAMESPACE}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": self.pod}

    def log(self, namespace: str, pod: str, container: str, **_: object) -> list[str]:
        assert (namespace, pod, container) == (NAMESPACE, "pod", "prune")
        return self.lines


def ended(how: str) -> dict[str, Any]:
    return {"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": how, "status": "True"}]}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    passed = [0.0]
    monkeypatch.setattr("time.sleep", lambda seconds: passed.append(passed.pop() + seconds))
    monkeypatch.setattr("time.monotonic", lambda: passed[0])
    monkeypatch.setattr(deployment, "running", lambda _: {})
    yield


def run(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, stack: str | None = None) -> int:
    monkeypatch.setattr(deployment, "api_server", lambda _: cast(Api, cluster))
    return pruning.run(stack=stack)


def test_it_is_the_addon_s_cron_job() -> None:
    assert (pruning.NAMESPACE, pruning.NAME) == (NAMESPACE, NAME)


def test_its_job_is_waited_for_and_what_it_says_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster({}, {"active": 1}, ended("Complete"), pod={"phase": "Succeeded"})
    assert run(cluster, monkeypatch) == 0
    assert capsys.readouterr().out.splitlines() == LINES
    [job] = cluster.made
    assert job["spec"]["template"] == CRON_JOB["spec"]["jobTemplate"]["spec"]["template"]
    # Whoever waits is told at once.
    assert job["spec"]["backoffLimit"] == 0
    [owner] = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("CronJob", "1a2b")


def test_one_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(ended("Failed"), pod={"phase": "Failed"})
    cluster.lines = ["something has been pushed for 300 s; nothing was deleted, try again later"]
    with pytest.raises(Failure) as told:
        run(cluster, monkeypatch)
    assert told.value.cause == cluster.lines[0]
    assert told.value.fix.startswith(f"kubectl describe job -n {NAMESPACE} {NAME}-")
    assert capsys.readouterr().out == ""


QUOTA = {"reason": "FailedCreate", "message": "exceeded quota"}
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
NO_IMAGE = {"name": "prune", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}
CREATING = {"name": "prune", "state": {"waiting": {"reason": "ContainerCreating"}}}
NOT_MOUNTED = {"reason": "FailedMount", "message": "configmap not found"}


@pytest.mark.parametrize(
    ("pod", "events", "why"),
    [
        (None, [], "nothing says why"),
        (None, [QUOTA], "FailedCreate: exceeded quota"),
        ({"phase": "Pending", "conditions": [UNSCHEDULED]}, [], "no node can take it: 0/1 nodes are available"),
        ({"phase": "Pending", "containerStatuses": [NO_IMAGE]}, [], "container prune: ErrImagePull: no such host"),
        ({"phase": "Pending", "containerStatuses": [CREATING]}, [NOT_MOUNTED], "FailedMount: configmap not found"),
    ],
)
def test_one_that_does_not_start_is_not_waited_for(
    pod: dict[str, Any] | None, events: list[dict[str, Any]], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster({}, pod=pod)
    cluster.events = events
    with pytest.raises(Failure) as told:
        run(cluster, monkeypatch)
    assert told.value.cause.endswith(f" hasn't started for 60 s: {why}")
    assert told.value.fix.startswith(f"see that the registry runs, and kubectl describe job -n {NAMESPACE} {NAME}-")


def test_one_that_takes_long_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [{"active": 1}] * 500
    assert run(Cluster(*states, ended("Complete"), pod={"phase": "Running"}), monkeypatch) == 0


def test_one_that_somebody_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure) as told:
        run(Cluster(None), monkeypatch)
    assert told.value.cause.endswith(" is gone")


@pytest.mark.parametrize(("stack", "up"), [(None, "script/up"), ("mine", "pulumi up --stack mine")])
def test_a_cluster_without_it_is_told_how_to_get_it(
    stack: str | None, up: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster({})
    cluster.cron_job = None
    with pytest.raises(Failure) as told:
        run(cluster, monkeypatch, stack)
    assert told.value.cause == (
        "the cluster has no CronJob container-registry/registry-prune: addons.registry.keep is false, the stack was "
        "deployed before there was that option, or the registry is somebody else's"
    )
    assert told.value.fix == f"for the cluster's own registry, set addons.registry.keep and run `{up}`"
    assert cluster.made == []


def test_who_may_not_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster({})

    def refuse(*_: object, **__: object) -> None:
        raise ApiError("the API server refuses the Job container-registry/x: eve cannot create resource jobs")

    monkeypatch.setattr(cluster, "change", refuse)
    with pytest.raises(Failure) as told:
        run(cluster, monkeypatch)
    assert "eve cannot create resource jobs" in told.value.cause
