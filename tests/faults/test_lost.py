"""A stack whose state is gone, on a cluster that runs."""

from __future__ import annotations

import json
import shutil

from tests.checkout import Checkout
from tests.faults.conftest import assert_complete
from tests.traffic import Traffic

KINDS = "namespace,persistentvolume,persistentvolumeclaim,deployment,daemonset,service,ingress,secret"


def objects(checkout: Checkout) -> dict[str, str]:
    """The identity of each object that the stack has made."""
    listed = json.loads(
        checkout.kubectl("get", KINDS, "-A", "-l", "app.kubernetes.io/part-of=inspiration", "-o", "json")
    )
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"] for each in listed["items"]}


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
    after = site.outputs()
    assert after["images"] == outputs["images"]
    # ... but what only the state knew is made anew, as the README says.
    assert after["ca_certificate"] != outputs["ca_certificate"]
    assert site.run("git", "status", "--porcelain").stdout == ""
    assert_complete(site)
