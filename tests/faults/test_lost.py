"""One half of the stack when the other is gone: the cluster without the state, the state without the cluster."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator

import httpx

from embedded.cluster.plan import NODE_ADDRESS
from tests.checkout import Checkout
from tests.faults.conftest import assert_complete, resources
from tests.traffic import Traffic
from tests.waiting import eventually

KINDS = "namespace,persistentvolume,persistentvolumeclaim,deployment,daemonset,service,ingress,secret"


def objects(checkout: Checkout) -> dict[str, str]:
    """The identity of each object that the stack has made."""
    listed = json.loads(
        checkout.kubectl("get", KINDS, "-A", "-l", "app.kubernetes.io/part-of=inspiration", "-o", "json")
    )
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"] for each in listed["items"]}


def served() -> bool:
    try:
        answer = httpx.get("http://127.0.0.1/", headers={"Host": "inspiration.localhost"}, timeout=5)
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK


def test_a_state_that_is_lost_is_made_again_from_what_runs(site: Checkout) -> None:
    before, outputs = objects(site), site.outputs()
    shutil.rmtree(site.state / "pulumi")

    with Traffic("inspiration.localhost", requests_per_second=10) as traffic:
        done = site.run("script/up")
        traffic.wait_for(20)

    assert done.returncode == 0, done.stdout + done.stderr
    assert traffic.failures == []
    # Everything is still the same object, with the data that it had ...
    assert objects(site) == before
    # ... but what only the state knew is made anew, as the README says.
    assert site.outputs()["ca_certificate"] != outputs["ca_certificate"]
    assert site.run("git", "status", "--porcelain").stdout == ""
    assert_complete(site)


@contextlib.contextmanager
def nobody_at(address: str) -> Iterator[None]:
    """Have connections to an address refused on this machine, rather than try what the network has there."""
    subprocess.run(["ip", "route", "add", "unreachable", address], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "route", "delete", "unreachable", address], check=True)


def test_a_cluster_that_is_gone_can_be_destroyed(site: Checkout) -> None:
    before, deployed = objects(site), {each["urn"] for each in resources(site)}
    assert site.run("script/down", "--keep").returncode == 0

    with nobody_at(NODE_ADDRESS):
        refused = site.pulumi("destroy", "--yes", "--skip-preview")
        environment = {**site.environment(), "PULUMI_K8S_DELETE_UNREACHABLE": "true"}
        done = site.run(
            "pulumi", "destroy", "--yes", "--skip-preview", "--stack", "dev", "--non-interactive",
            environment=environment,
        )  # fmt: skip
    said = " ".join((refused.stdout + refused.stderr).split())
    assert refused.returncode != 0
    assert "configured Kubernetes cluster is unreachable" in said
    assert (
        "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation" in said
    )
    assert 'with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"' in said
    assert "Traceback" not in said
    assert done.returncode == 0, done.stdout + done.stderr
    assert resources(site) == []

    # It wasn't gone for good: the stack takes it back.
    done = site.run("script/up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {each["urn"] for each in resources(site)} == deployed
    assert objects(site) == before
    assert eventually(served)
    assert_complete(site)
