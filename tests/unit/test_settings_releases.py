"""What is known of an earlier release: its record in the cluster, and whether its image is still there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import urllib3

from settings.cluster_facts import ClusterFacts
from settings.releases import COMMIT, CONTENT, is_gone, record
from tests.servers import serving
from tests.unit.test_settings import load

OLD, NEW = (f"sha256:{digit * 64}" for digit in "01")


def replica_set(digest: str, **noted: str) -> dict[str, Any]:
    container = {"image": f"localhost:32000/shop@{digest}"}
    return {"metadata": {"annotations": noted}, "spec": {"template": {"spec": {"containers": [container]}}}}


def recorded(*replica_sets: dict[str, Any]) -> object:
    """Return what is recorded of the release `OLD` where there are these ReplicaSets."""
    [site] = load({"sites": [{"name": "shop", "release": OLD}]}).sites
    return record(site, "shop", "now", ClusterFacts("stack"), lambda _: {"items": list(replica_sets)})


def test_an_earlier_release_has_what_was_recorded_of_it() -> None:
    old = replica_set(OLD, **{CONTENT: "c0ffee", COMMIT: "abc", "deployment.kubernetes.io/revision": "1"})
    assert recorded(replica_set(NEW, **{CONTENT: "decaf"}), old) == {CONTENT: "c0ffee", COMMIT: "abc"}


def test_one_that_the_cluster_does_not_know_has_no_record() -> None:
    assert recorded(replica_set(NEW, **{CONTENT: "decaf"})) == {}


def test_a_record_that_kubernetes_copied_from_another_release_is_none() -> None:
    assert recorded(replica_set(NEW, **{CONTENT: "decaf"}), replica_set(OLD, **{CONTENT: "decaf"})) == {}


@contextmanager
def registry(status: int) -> Iterator[str]:
    """Serve a registry that answers everything with a status, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            if status == 301:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as port:
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize(("status", "gone"), [(200, False), (404, True), (401, False), (301, False)])
def test_an_image_is_gone_if_the_registry_says_so(status: int, gone: bool) -> None:
    with registry(status) as address:
        assert is_gone(address, "shop", OLD) is gone


def test_an_image_of_docker_hub_is_asked_for_where_its_registry_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def request(_: urllib3.PoolManager, method: str, url: str, **_options: object) -> urllib3.HTTPResponse:
        asked.append((method, url))
        return urllib3.HTTPResponse(status=200)

    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    assert not is_gone("docker.io/me", "shop", OLD)
    assert asked == [("HEAD", f"https://registry-1.docker.io/v2/me/shop/manifests/{OLD}")]
