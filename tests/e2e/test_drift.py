"""``script/drift``: what was changed in the cluster by hand is told, and put right only if that is asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.checkout import Checkout

SITE = "inspiration"
"""Its name, and that of its namespace and of the objects there."""
PORT = "spec.ports[0].port"


def set_port(checkout: Checkout, port: int) -> None:
    patch = f'[{{"op": "replace", "path": "/spec/ports/0/port", "value": {port}}}]'
    checkout.kubectl("patch", "service", "-n", SITE, SITE, "--type", "json", "-p", patch)


def port_of(checkout: Checkout) -> str:
    return checkout.kubectl("get", "service", "-n", SITE, SITE, "-o", "jsonpath={.spec.ports[0].port}")


@pytest.fixture
def hook() -> Iterator[tuple[str, list[Any]]]:
    """A URL that takes notifications, and what it has got."""
    taken: list[Any] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", taken
        server.shutdown()


def test_without_any_it_says_so(site: Checkout) -> None:
    done = site.run("script/drift", "--repair")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "The cluster has what the stack dev has declared.\n"


def test_a_service_edited_by_hand_is_reported_and_repaired_only_if_asked(
    site: Checkout, hook: tuple[str, list[Any]]
) -> None:
    url, taken = hook
    state = site.pulumi("stack", "export").stdout
    set_port(site, 81)
    try:
        done = site.run("script/drift", "--notify", url)
        assert (done.returncode, done.stderr) == (2, "")
        assert done.stdout.splitlines()[1].split() == ["Service", f"{SITE}/{SITE}", PORT, "80", "81"]
        [report] = taken
        assert (report["stack"], report["undeployed"], report["repaired"]) == ("dev", [], False)
        [only] = report["drift"]
        assert (only["kind"], only["field"], only["declared"], only["found"]) == ("Service", PORT, 80, 81)
        # Neither the cluster nor the state was changed.
        assert port_of(site) == "81"
        assert site.pulumi("stack", "export").stdout == state

        done = site.run("script/drift", "--repair")
        assert done.returncode == 0, done.stdout + done.stderr
        assert port_of(site) == "80"
        assert site.run("script/drift").returncode == 0
    finally:
        set_port(site, 80)


def test_what_is_not_deployed_yet_is_no_drift_and_is_not_deployed_by_a_repair(site: Checkout) -> None:
    page = site.path / "site" / "index.html"
    before = page.read_text()
    page.write_text(f"{before}<!-- not yet -->\n")
    try:
        done = site.run("script/drift")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"not drift, but not deployed yet: update Image {SITE}-docker" in done.stdout
        set_port(site, 81)
        done = site.run("script/drift", "--repair")
        assert done.returncode == 1
        assert done.stderr.startswith("error: nothing was repaired: `pulumi up` would also deploy what isn't")
        assert port_of(site) == "81"
    finally:
        page.write_text(before)
        set_port(site, 80)


def test_what_cant_be_asked_about_is_a_line(site: Checkout) -> None:
    done = site.run("script/drift", "--stack", "nowhere", environment=site.environment())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: the stack's state can't be read: error: no stack named 'nowhere' found")
    elsewhere = {**site.environment(), "KUBECONFIG": "/nowhere/kubeconfig"}
    done = site.run("script/drift", "--stack", "dev", environment=elsewhere)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: inspiration:kubeconfig: /nowhere/kubeconfig doesn't exist; allowed: ")
