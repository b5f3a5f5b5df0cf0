"""The example ``guestbook``, by its README: what is written stays, a job counts, and load brings pods."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from tests.checkout import Checkout
from tests.guestbook import HOST, SITE, deploy, shown, sign
from tests.traffic import Traffic
from tests.waiting import eventually

URL = f"http://{HOST}/"
ENTRIES = 50
"""What the page shows at most, which takes it some milliseconds."""


@pytest.fixture(scope="module")
def guestbook(site: Checkout) -> Iterator[Checkout]:
    """The stack with the example."""
    try:
        deploy(site)
        yield site
    finally:
        site.restore()


def test_an_entry_survives_an_update_a_drain_and_the_loss_of_all_pods(guestbook: Checkout, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(URL)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your message").fill("This is **bold**, and <b>this</b> isn't.")
    page.get_by_role("button", name="Sign").click()
    assert page.url == URL
    assert page.locator("article strong").inner_text() == "bold"
    assert "<b>this</b>" in page.locator("article").inner_text()
    before = pods(guestbook)

    # Another key: all pods are renewed, and whoever had a cookie gets a new one.
    key = "sites[1].secretEnv.SECRET_KEY"
    done = guestbook.pulumi("config", "set", "--path", "--secret", key, "another-key")
    assert done.returncode == 0, done.stderr
    with Traffic(HOST, requests_per_second=10) as traffic:
        guestbook.up()
        traffic.wait_for(10)
    assert traffic.failures == []
    assert not before & pods(guestbook)

    # All nodes: one pod goes, and the other one stays until there is a node for the first.
    nodes = guestbook.nodes()
    with Traffic(HOST, requests_per_second=10) as traffic:
        try:
            selected = (f"--pod-selector=app.kubernetes.io/name={SITE}", "--delete-emptydir-data", "--timeout=15s")
            drained = guestbook.run("kubectl", "drain", *nodes, *selected, environment=guestbook.environment())
            assert "would violate the pod's disruption budget" in drained.stderr
            assert len(pods(guestbook)) == 1
        finally:
            guestbook.kubectl("uncordon", *nodes)
        guestbook.kubectl("rollout", "status", f"deployment/{SITE}", "--namespace", SITE, "--timeout=120s")
    assert traffic.failures == []

    guestbook.kubectl("delete", "pods", "--all", "--namespace", SITE)
    guestbook.kubectl("rollout", "status", f"deployment/{SITE}", "--namespace", SITE, "--timeout=120s")
    page.goto(URL)
    assert page.locator("article strong").inner_text() == "bold"
    page.close()


def test_what_an_eavesdropper_forges_is_refused(guestbook: Checkout) -> None:
    done = httpx.post("http://127.0.0.1/", headers={"Host": HOST}, data={"name": "x", "message": "y"}, timeout=10)
    assert done.status_code == httpx.codes.FORBIDDEN


def test_the_job_counts_the_entries(guestbook: Checkout) -> None:
    in_namespace = ("--namespace", SITE)
    guestbook.kubectl("create", "job", "now", f"--from=cronjob/{SITE}-digest", *in_namespace)
    try:
        guestbook.kubectl("wait", "--for=condition=complete", "job/now", "--timeout=120s", *in_namespace)
        said = guestbook.kubectl("logs", "job/now", *in_namespace)
    finally:
        guestbook.kubectl("delete", "job", "now", *in_namespace)
    count = re.fullmatch(r"(\d+) entries\n", said)
    assert count, said
    assert re.search(rf"Entries at \d\d:\d\d UTC: {count[1]}<", shown())


def test_load_brings_more_pods(guestbook: Checkout) -> None:
    sign("\n\n".join(f"{number}. *one* of [many](https://example.com)" for number in range(20)), ENTRIES)
    assert eventually(lambda: bool(autoscaler(guestbook)["status"].get("currentMetrics")), 180)
    assert autoscaler(guestbook)["spec"]["minReplicas"] == 2
    with Traffic(HOST, requests_per_second=20, timeout=30):
        assert eventually(lambda: autoscaler(guestbook)["status"]["desiredReplicas"] > 2, 180), autoscaler(guestbook)
        assert eventually(lambda: len(pods(guestbook)) > 2), autoscaler(guestbook)
    # Not Pulumi's to take back.
    unchanged = guestbook.pulumi("preview", "--expect-no-changes")
    assert unchanged.returncode == 0, unchanged.stdout


def pods(cluster: Checkout) -> set[str]:
    """Those of the site that are ready to serve, by name."""
    listed = cluster.kubectl("get", "pods", "-n", SITE, "-l", f"app.kubernetes.io/name={SITE}", "-o", "json")
    return {
        pod["metadata"]["name"]
        for pod in json.loads(listed)["items"]
        if "deletionTimestamp" not in pod["metadata"]
        and any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
    }


def autoscaler(cluster: Checkout) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", "hpa", SITE, "-n", SITE, "-o", "json"))
    return {"status": {}, **found}
