"""The addon logs: what pods write is found by namespace and pod, each line once, whatever starts again meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from components.addons.logs import COLLECTOR_NAMESPACE, NAMESPACE, collector, loki
from components.addons.storage.component import HELPER_IMAGE
from embedded.cluster.plan import VOLUMES
from tests import clients
from tests.checkout import Checkout
from tests.waiting import eventually

pytestmark = pytest.mark.heavy

SITE = "inspiration"
"""Its name, and that of its namespace."""
HOST = "inspiration.localhost"
WRITER = "logs-test"
LINES = 4000
"""Fewer than what Loki returns at once."""
LONG = 50_000
"""Characters of a line that the runtime writes in several pieces."""
KINDS = "namespace,configmap,persistentvolumeclaim,service,statefulset,daemonset,networkpolicy,pod"


@pytest.fixture
def logged(site: Checkout) -> Iterator[Checkout]:
    """The stack with the addon, whose state on the node is with the cluster's volumes and goes with them."""
    with site.addon("logs", {"path": f"{VOLUMES}/otel-collector"}):
        yield site


def test_what_a_pod_wrote_is_found_and_the_addon_leaves_without_a_trace(logged: Checkout) -> None:
    check_site(logged.environment())
    check_nodes(logged)
    check_command(logged)
    unchanged = logged.pulumi("preview", "--expect-no-changes")
    assert unchanged.returncode == 0, unchanged.stdout

    logged.switch_off("logs")

    assert not logged.kubectl("get", KINDS, "-A", "-l", "app.kubernetes.io/component=logs", "-o", "name")
    assert not logged.kubectl("get", "namespaces", NAMESPACE, COLLECTOR_NAMESPACE, "--ignore-not-found")


def test_no_line_is_lost_or_doubled_when_the_collector_or_loki_starts_again(logged: Checkout) -> None:
    check_restarts(logged.environment())


def check_site(environment: Mapping[str, str]) -> None:
    """A line of the site's access log has the names of the pod that wrote it."""
    mark = f"/{uuid4()}"
    assert httpx.get(f"http://127.0.0.1{mark}", headers={"Host": HOST}).status_code == 404
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = query(f'{{k8s_namespace_name="{SITE}"}} |= "{mark}"', environment)
        return bool(found)

    assert eventually(is_there)
    [stream] = found
    pods = kubectl(environment, "get", "pods", "-n", SITE, "-o", "name").split()
    assert f"pod/{stream['stream']['k8s_pod_name']}" in pods
    assert (stream["stream"]["k8s_container_name"], stream["stream"]["log_iostream"]) == ("site", "stdout")
    [[_, line]] = stream["values"]
    assert json.loads(line)["request"]["uri"] == mark
    by_pod = query(f'{{k8s_pod_name="{stream["stream"]["k8s_pod_name"]}"}} |= "{mark}"', environment)
    assert by_pod == found


def check_nodes(checkout: Checkout) -> None:
    """A line of a pod on each node is found."""
    mark = str(uuid4())
    nodes = [name.removeprefix("node/") for name in checkout.nodes()]
    pods = [clients.pod(f"on-{node}", WRITER, {}, "sh", "-c", f"echo {mark}; sleep 1000", node=node) for node in nodes]

    def found() -> list[str]:
        streams = query(f'{{k8s_namespace_name="{WRITER}"}} |= "{mark}"', checkout.environment())
        return sorted(stream["stream"]["k8s_pod_name"] for stream in streams)

    try:
        clients.apply(checkout, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WRITER}}, *pods)
        assert eventually(lambda: found() == sorted(pod["metadata"]["name"] for pod in pods)), found()
    finally:
        checkout.kubectl("delete", "namespace", WRITER, "--ignore-not-found")


def check_command(checkout: Checkout) -> None:
    """``script/logs`` prints each line once, also that of a pod that is gone."""
    mark = f"/{uuid4()}"
    assert httpx.get(f"http://127.0.0.1{mark}", headers={"Host": HOST}).status_code == 404

    def printed() -> list[str]:
        done = checkout.run("script/logs", SITE)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if mark in line]

    assert eventually(lambda: bool(printed()))
    pod = printed()[0].split()[0]
    assert eventually(lambda: bool(query(f'{{k8s_pod_name="{pod}"}} |= "{mark}"', checkout.environment())))
    assert len(printed()) == 1
    checkout.kubectl("delete", "pod", "-n", SITE, pod)
    assert checkout.kubectl("get", "pod", "-n", SITE, pod, "--ignore-not-found", "-o", "name") == ""
    assert [line.split()[0] for line in printed()] == [pod]
    checkout.kubectl("rollout", "status", "-n", SITE, f"deployment/{SITE}")


def check_restarts(environment: Mapping[str, str]) -> None:
    """A pod counts, and meanwhile the collector is ended, killed, and Loki is ended."""
    kubectl(environment, "create", "namespace", WRITER)
    try:
        kubectl(environment, "apply", "-f", "-", text=json.dumps(writer()))
        for interrupt, after in ((end_collector, 500), (kill_collector, 1500), (end_loki, 2500)):
            assert eventually(lambda after=after: written(environment) > after)  # type: ignore[misc]
            interrupt(environment)
        kubectl(environment, "rollout", "status", f"statefulset/{loki.NAME}", "-n", NAMESPACE)
        assert eventually(lambda: written(environment) == LINES)
        assert eventually(lambda: len(numbers(environment)) >= LINES)
        assert numbers(environment) == list(range(LINES))
        [long] = lines(f'{{k8s_namespace_name="{WRITER}"}} |= "xxx"', environment)
        assert long == "x" * LONG
    finally:
        kubectl(environment, "delete", "namespace", WRITER)


def writer() -> dict[str, Any]:
    """A pod that writes numbers for some 40 seconds."""
    count = f"i=0; while [ $i -lt {LINES} ]; do echo number $i; i=$((i+1)); sleep 0.01; done"
    script = f"head -c {LONG} /dev/zero | tr '\\0' x; echo; {count}"
    container = {"name": "writer", "image": HELPER_IMAGE, "command": ["sh", "-c", script]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "writer", "namespace": WRITER},
        "spec": {"containers": [container], "restartPolicy": "Never", "automountServiceAccountToken": False},
    }


def end_collector(environment: Mapping[str, str]) -> None:
    kubectl(environment, "delete", "pod", "-n", COLLECTOR_NAMESPACE, "-l", f"app.kubernetes.io/name={collector.NAME}")


def kill_collector(_: Mapping[str, str]) -> None:
    assert eventually(lambda: bool(collectors()))
    for process in collectors():
        process.kill()


def collectors() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["name"]) if process.info["name"] == "otelcol-k8s"]


def end_loki(environment: Mapping[str, str]) -> None:
    kubectl(environment, "delete", "pod", "-n", NAMESPACE, f"{loki.NAME}-0")


def written(environment: Mapping[str, str]) -> int:
    """How many numbers the pod wrote."""
    done = subprocess.run(
        ["kubectl", "logs", "-n", WRITER, "writer", "--tail=1"],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    last = re.fullmatch(r"number (\d+)\n", done.stdout)
    return int(last[1]) + 1 if last else 0


def numbers(environment: Mapping[str, str]) -> list[int]:
    """What Loki has of the numbers, by the time at which they were written."""
    found = lines(f'{{k8s_namespace_name="{WRITER}", k8s_pod_name="writer"}} |= "number"', environment)
    return [int(line.removeprefix("number ")) for line in found]


def lines(expression: str, environment: Mapping[str, str]) -> list[str]:
    values = [value for stream in query(expression, environment) for value in stream["values"]]
    return [line for _, line in sorted(values, key=lambda value: int(value[0]))]


def query(expression: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The streams that Loki finds in the last hour, asked in the way that the README tells."""
    parameters: dict[str, str | int] = {"query": expression, "limit": 5000, "direction": "forward"}
    with forwarded(environment) as address:
        answer = httpx.get(f"{address}/loki/api/v1/query_range", params=parameters, timeout=30)
    assert answer.status_code == 200, answer.text
    streams: list[dict[str, Any]] = answer.json()["data"]["result"]
    return streams


@contextlib.contextmanager
def forwarded(environment: Mapping[str, str]) -> Iterator[str]:
    """Forward a free port on loopback to Loki, and yield its URL."""
    command = ["kubectl", "port-forward", "-n", NAMESPACE, f"service/{loki.NAME}", f":{loki.PORT}"]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout is not None
        try:
            found = re.match(r"Forwarding from (127\.0\.0\.1:\d+)", forward.stdout.readline())
            assert found
            yield f"http://{found[1]}"
        finally:
            forward.terminate()


def kubectl(environment: Mapping[str, str], *arguments: str, text: str | None = None) -> str:
    done = subprocess.run(
        ["kubectl", *arguments],
        env={**os.environ, **environment}, input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
