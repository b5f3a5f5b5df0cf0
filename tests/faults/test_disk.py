"""A node whose disk is nearly full: what is new waits and says why, what runs goes on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import yaml

from embedded.cluster import plan
from tests.checkout import Checkout
from tests.disruption import kill
from tests.faults.conftest import assert_complete, configure_sites, write_page
from tests.faults.updates import failing_site, fails, losing_nothing, served, site_of
from tests.waiting import eventually

MARGIN = 3 << 30
"""How much else may be written to, or removed from, the disk during the test without being taken for what it does."""


def test_a_full_disk_is_named(undone: Checkout) -> None:
    write_page(undone, "waits", "the old version")
    served(undone, site_of("waits"))
    write_page(undone, "waits", "the new version")
    configure_sites(undone, failing_site("waits"))

    with limit_just_below_what_is_free(undone):
        with disk_under_pressure(undone), losing_nothing("waits"):
            said = fails(undone)
        assert "Deployment waits/waits isn't ready: " in said
        assert "no node can take it: 0/1 nodes are available: 1 node(s) had untolerated taint" in said
        assert "has the taint node.kubernetes.io/disk-pressure (its disk is nearly full: make room)" in said

        undone.up()
    assert_complete(undone)


@contextlib.contextmanager
def limit_just_below_what_is_free(checkout: Checkout) -> Iterator[None]:
    """Have the kubelet complain when the disk has a little less room than now, and evict nobody for that.

    The kubelet asks running pods anew when it starts, and ends what it wouldn't take: so it starts before the disk is
    full, as it would elsewhere.
    """
    path = checkout.state / "config" / "kubelet.yaml"
    before = path.read_text()
    limit = {"nodefs.available": str(free(checkout) - MARGIN)}
    configuration = {
        **yaml.safe_load(before),
        "evictionSoft": limit,
        "evictionSoftGracePeriod": dict.fromkeys(limit, "1h"),
        "evictionPressureTransitionPeriod": "1s",
    }
    try:
        restart_kubelet(checkout, yaml.safe_dump(configuration))
        assert eventually(lambda: "waits-" in pods_of_the_kubelet(checkout))
        yield
    finally:
        restart_kubelet(checkout, before)


@contextlib.contextmanager
def disk_under_pressure(checkout: Checkout) -> Iterator[None]:
    """Take so much of the disk that the limit is passed."""
    ballast = checkout.path.parent / "ballast"
    try:
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 2 * MARGIN)
        assert eventually(lambda: "disk-pressure" in taints(checkout)), "the kubelet doesn't see that the disk is full"
        yield
    finally:
        ballast.unlink(missing_ok=True)
        assert eventually(lambda: "disk-pressure" not in taints(checkout))


def free(checkout: Checkout) -> int:
    """Bytes that the disk of the cluster has left."""
    disk = os.statvfs(checkout.path)
    return disk.f_bavail * disk.f_frsize


def restart_kubelet(checkout: Checkout, configuration: str) -> None:
    (checkout.state / "config" / "kubelet.yaml").write_text(configuration)
    kill(checkout, "kubelet")


def pods_of_the_kubelet(checkout: Checkout) -> str:
    """The names of the pods that it has taken since it started; none while it starts."""
    path = f"/api/v1/nodes/{plan.NODE}/proxy/pods"
    return checkout.run("kubectl", "get", "--raw", path, environment=checkout.environment()).stdout


def taints(checkout: Checkout) -> str:
    return checkout.kubectl("get", "nodes", "-o", "jsonpath={.items[*].spec.taints[*].key}")
