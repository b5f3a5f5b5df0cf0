"""``script/releases --prune``: the registry's nightly job, at once."""

from __future__ import annotations

import sys
import time

from embedded.commands import deployment
from embedded.errors import Failure
from embedded.health.api import POD, Api
from embedded.health.causes import explain
from embedded.health.deployed import Json, Kind

NAMESPACE, NAME = "container-registry", "registry-prune"
"""The CronJob, as the addon ``registry`` makes it."""

START_SECONDS = 60
"""For its pod to start: the registry's may have to start first."""
POLL_SECONDS = 0.5
KEPT_SECONDS = 600
"""How long the job can be looked at when it has ended."""
LINES = 1000

_CRON_JOB, _JOB = Kind("batch/v1", "CronJob"), Kind("batch/v1", "Job")


def run(*, stack: str | None) -> int:
    """Start a job like the nightly ones, wait for its end, and print what it says.

    Raises:
        Failure: There is no such job, or it fails.
    """
    deployment.running(stack)
    with deployment.explained():
        api = deployment.api_server(stack)
        cron_job = api.get(_CRON_JOB, NAMESPACE, NAME)
        if cron_job is None:
            raise Failure(
                f"the cluster has no CronJob {NAMESPACE}/{NAME}: addons.registry.keep is false, the stack was deployed "
                "before there was that option, or the registry is somebody else's",
                fix=f"for the cluster's own registry, set addons.registry.keep and run `{_up(stack)}`",
            )
        name = f"{NAME}-{time.time_ns() // 10**6}"
        api.change("POST", _JOB, NAMESPACE, body=job_of(cron_job, name))
        succeeded = _wait(api, name)
        lines = [line for pod in _pods(api, name) for line in _log(api, pod)]
    if not succeeded:
        raise Failure(
            lines[-1] if lines else f"the job {name} failed and has said nothing",
            fix=f"kubectl describe job -n {NAMESPACE} {name} has more",
        )
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def job_of(cron_job: Json, name: str) -> Json:
    """Return the job that a CronJob would make, as ``kubectl create job --from`` does it; it fails at once."""
    template = cron_job["spec"]["jobTemplate"]
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": NAME, "uid": cron_job["metadata"]["uid"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [owner],
        },
        "spec": {**template["spec"], "backoffLimit": 0, "ttlSecondsAfterFinished": KEPT_SECONDS},
    }


def _wait(api: Api, name: str) -> bool:
    """Wait for the end of a job; return whether it has succeeded.

    Raises:
        Failure: Somebody has deleted it, or its pod doesn't start.
    """
    end = time.monotonic() + START_SECONDS
    while True:
        job = api.get(_JOB, NAMESPACE, name)
        if job is None:
            raise Failure(f"the job {name} is gone", fix="run script/releases --prune again")
        conditions = (job.get("status") or {}).get("conditions") or []
        if ended := {each["type"] for each in conditions if each["status"] == "True"} & {"Complete", "Failed"}:
            return ended == {"Complete"}
        if time.monotonic() > end:
            _refuse_unstarted(api, job)
        time.sleep(POLL_SECONDS)


def _refuse_unstarted(api: Api, job: Json) -> None:
    """Refuse to wait for a job whose pods haven't started.

    Raises:
        Failure: With what they wait for.
    """
    name = job["metadata"]["name"]
    pods = _pods(api, name)
    if any((pod.get("status") or {}).get("phase") != "Pending" for pod in pods):
        return
    pod = api.get(POD, NAMESPACE, pods[0]["metadata"]["name"]) if pods else None
    causes = explain(api, pod or job, {})
    raise Failure(
        f"the job {name} hasn't started for {START_SECONDS} s: {causes[0] if causes else 'nothing says why'}",
        fix=f"see that the registry runs, and kubectl describe job -n {NAMESPACE} {name}",
    )


def _pods(api: Api, name: str) -> list[Json]:
    return api.objects(POD, NAMESPACE, labelSelector=f"batch.kubernetes.io/job-name={name}")


def _log(api: Api, pod: Json) -> list[str]:
    [container] = pod["spec"]["containers"]
    return api.log(NAMESPACE, pod["metadata"]["name"], container["name"], previous=False, lines=LINES)


def _up(stack: str | None) -> str:
    return f"pulumi up --stack {stack}" if stack else "script/up"
