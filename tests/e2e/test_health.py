"""``script/up --status`` tells how all that is deployed is, and why."""

from __future__ import annotations

import subprocess

from tests.checkout import Checkout
from tests.waiting import eventually


def status(checkout: Checkout) -> subprocess.CompletedProcess[str]:
    return checkout.run("script/up", "--status")


def test_what_is_healthy_is_said_to_be(site: Checkout) -> None:
    assert eventually(lambda: status(site).returncode == 0), status(site).stdout
    rows = [line.split() for line in status(site).stdout.splitlines()]
    for component in ("ca", "dns", "storage", "registry", "ingress"):
        assert [component, "healthy"] in rows
    assert ["inspiration", "healthy", "http://inspiration.localhost/"] in rows
    assert ["dashboard", "healthy", "https://dashboard.localhost/"] in rows


def test_a_pod_without_a_place_is_told(site: Checkout) -> None:
    nodes = site.nodes()
    pod = site.kubectl("get", "pods", "-n", "inspiration", "-o", "jsonpath={.items[0].metadata.name}")
    site.kubectl("cordon", *nodes)
    try:
        site.kubectl("delete", "pod", pod, "-n", "inspiration")
        assert eventually(lambda: "no node can take it" in status(site).stdout)
        done = status(site)
    finally:
        site.kubectl("uncordon", *nodes)
    assert done.returncode == 3
    told = [line for line in done.stdout.splitlines() if "unschedulable" in line or line.startswith("inspiration: ")]
    assert told[0] == "inspiration: Deployment inspiration/inspiration isn't ready: 1 of 2 pods are available"
    assert told[1].startswith(
        "  no node can take it: 0/{0} nodes are available: {0} node(s) were unschedulable".format(len(nodes))
    )
    assert eventually(lambda: status(site).returncode == 0), status(site).stdout


def test_what_somebody_deleted_comes_back_as_it_says(site: Checkout) -> None:
    site.kubectl("delete", "poddisruptionbudget", "inspiration", "-n", "inspiration")
    done = status(site)
    assert done.returncode == 3
    told = "PodDisruptionBudget inspiration/inspiration is gone; `pulumi up --refresh` makes it again"
    assert f"inspiration: {told}" in done.stdout.splitlines()
    again = site.pulumi("up", "--refresh", "--yes", "--skip-preview")
    assert again.returncode == 0, again.stdout + again.stderr
    assert eventually(lambda: status(site).returncode == 0), status(site).stdout


def test_a_stack_of_one_s_own_is_told_of_alone(site: Checkout) -> None:
    """As on another cluster: by the environment and the stack's configuration only."""
    done = site.run("script/up", "--status", "--stack", "dev", environment=site.environment())
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["component", "health", "page"]
    assert ["inspiration", "healthy", "http://inspiration.localhost/"] in rows
    assert done.returncode == 0, done.stdout

    elsewhere = {**site.environment(), "KUBECONFIG": "/nowhere/kubeconfig"}
    done = site.run("script/up", "--status", "--stack", "dev", environment=elsewhere)
    assert done.returncode == 3
    unknown = "what the stack has deployed: unknown, inspiration:kubeconfig: /nowhere/kubeconfig doesn't exist"
    assert done.stdout.startswith(unknown)

    done = site.run("script/up", "--status", "--stack", "nobody", environment=site.environment())
    assert done.returncode == 1
    assert "error: the stack's state can't be read: error: no stack named 'nobody' found" in done.stderr
    done = site.run("script/up", "--stack", "dev")
    assert done.returncode == 2
    assert "--stack goes with --status: `pulumi up` deploys a stack of yours" in done.stderr
