"""The addon jaeger: the trace of a request to a site is found by Jaeger's query API."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.checkout import Checkout
from tests.waiting import eventually

pytestmark = pytest.mark.heavy

MAX_TRACES = 100
"""The fewest that are allowed."""
OPTIONS = {"maxTraces": MAX_TRACES}
OWNED = "namespaces,configmaps,services,deployments,pods,networkpolicies"


def visit(path: str, **headers: str) -> httpx.Response:
    """Ask the site for ``path``, through the ingress controller."""
    return httpx.get(f"http://127.0.0.1{path}", headers={"Host": "inspiration.localhost", **headers})


def new_path() -> str:
    return f"/{secrets.token_hex(8)}"


class Jaeger:
    """The query API."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}")

    def find(self, path: str) -> list[dict[str, Any]]:
        """The traces of requests for ``path``."""
        answer = self._client.get("/api/traces", params={"service": "traefik", "tags": json.dumps({"url.path": path})})
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()["data"]  # type: ignore[no-any-return]

    def has(self, trace: str) -> bool:
        """Whether it knows the trace of this ID."""
        return self._client.get(f"/api/traces/{trace}").status_code == httpx.codes.OK

    def awaited(self, path: str) -> dict[str, Any]:
        """The one trace of a request for ``path``, once it is there: Traefik sends them every few seconds."""
        assert eventually(lambda: self.find(path) != [], seconds=60)
        [trace] = self.find(path)
        return trace


def tags(of: dict[str, Any]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in of["tags"]}


@contextlib.contextmanager
def asked(checkout: Checkout) -> Iterator[Jaeger]:
    """The query API, reached by the command in the stack's outputs, on a free port."""
    *command, port = shlex.split(checkout.outputs()["jaeger_command"])
    environment = {**os.environ, **checkout.environment()}
    with subprocess.Popen([*command, f":{port}"], env=environment, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout is not None
        try:
            found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+)", forward.stdout.readline())
            assert found
            yield Jaeger(int(found[1]))
        finally:
            forward.terminate()


def test_it_is_removed_without_a_trace(undone: Checkout) -> None:
    def found() -> list[str]:
        return undone.kubectl("get", OWNED, "-A", "-l", "app.kubernetes.io/component=jaeger", "-o", "name").split()

    def traefik() -> Any:
        return json.loads(undone.kubectl("get", "daemonset", "traefik", "-n", "ingress", "-o", "json"))["spec"]

    before = traefik()
    assert found() == []
    undone.switch_on("jaeger", OPTIONS)
    assert {name.partition("/")[0] for name in found()} == {
        "namespace",
        "configmap",
        "service",
        "deployment.apps",
        "pod",
        "networkpolicy.networking.k8s.io",
    }
    assert traefik() != before

    undone.switch_off("jaeger")
    assert found() == []
    assert traefik() == before
    assert "jaeger_command" not in undone.outputs()
    assert visit("/").status_code == httpx.codes.OK


@pytest.fixture(scope="module")
def traced(site: Checkout) -> Iterator[Checkout]:
    """The stack with the addon."""
    with site.addon("jaeger", OPTIONS):
        yield site


@pytest.fixture(scope="module")
def jaeger(traced: Checkout) -> Iterator[Jaeger]:
    with asked(traced) as api:
        yield api


def test_the_trace_of_a_request_is_found(jaeger: Jaeger) -> None:
    path = new_path()
    assert visit(path).status_code == httpx.codes.NOT_FOUND
    trace = jaeger.awaited(path)

    [sender] = trace["processes"].values()
    assert sender["serviceName"] == "traefik"
    assert tags(sender)["k8s.namespace.name"] == "ingress"
    spans = {tags(span)["span.kind"]: span for span in trace["spans"]}
    assert set(spans) == {"server", "client"}
    for span in spans.values():
        assert tags(span)["http.response.status_code"] == httpx.codes.NOT_FOUND
    assert tags(spans["server"])["server.address"] == "inspiration.localhost"


def test_what_visitors_ask_for_is_not_in_the_trace(jaeger: Jaeger) -> None:
    path, password = new_path(), secrets.token_hex(8)
    visit(f"{path}?password={password}", Authorization=f"Bearer {password}", Cookie=password)
    assert password not in json.dumps(jaeger.awaited(path))


def test_the_site_is_told_of_the_trace(jaeger: Jaeger, traced: Checkout) -> None:
    path = new_path()
    visit(path)
    trace = jaeger.awaited(path)
    [span] = [span["spanID"] for span in trace["spans"] if tags(span)["span.kind"] == "client"]

    lines = traced.kubectl("logs", "-n", "inspiration", "-l", "app.kubernetes.io/name=inspiration", "--tail=-1")
    [request] = [json.loads(line)["request"] for line in lines.splitlines() if path in line]
    # W3C Trace Context: version, trace, parent, and that it is recorded.
    assert request["headers"]["Traceparent"] == f"00-{trace['traceID']}-{span}-01"


def test_the_trace_of_a_visitor_goes_on(jaeger: Jaeger) -> None:
    path, trace, parent = new_path(), secrets.token_hex(16), secrets.token_hex(8)
    visit(path, traceparent=f"00-{trace}-{parent}-01")
    found = jaeger.awaited(path)
    assert found["traceID"] == trace
    [server] = [span for span in found["spans"] if tags(span)["span.kind"] == "server"]
    assert [each["spanID"] for each in server["references"]] == [parent]


def test_the_latest_traces_push_out_the_oldest(jaeger: Jaeger) -> None:
    first, *others = (secrets.token_hex(16) for _ in range(1 + MAX_TRACES))

    def traced_as(trace: str) -> str:
        path = new_path()
        visit(path, traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
        return path

    # Awaited by itself: those that arrive together have no order.
    jaeger.awaited(traced_as(first))
    assert jaeger.has(first)
    *_, last = map(traced_as, others)
    jaeger.awaited(last)
    assert not jaeger.has(first)
    assert [trace for trace in others if not jaeger.has(trace)] == []


def test_nobody_in_the_cluster_can_ask(traced: Checkout) -> None:
    """Not even the API server, which would pass questions on for whom it lets."""
    path = "/api/v1/namespaces/jaeger/services/jaeger:query/proxy/api/services"
    done = traced.run("kubectl", "get", "--raw", path, environment=traced.environment())
    assert done.returncode != 0
    assert "refused" in done.stderr


def test_nothing_is_left_to_change(traced: Checkout) -> None:
    done = traced.pulumi("preview", "--expect-no-changes")
    assert done.returncode == 0, done.stdout
