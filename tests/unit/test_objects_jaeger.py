"""The addon jaeger's objects, as data."""

import json
from typing import Any

import pytest

from components.addons.jaeger import component as jaeger


def spec(max_traces: int = 100) -> dict[str, Any]:
    settings = jaeger.config(max_traces)
    return jaeger.deployment_args("jaeger", "jaeger", settings, max_traces)["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def container(max_traces: int = 100) -> dict[str, Any]:
    [only] = spec(max_traces)["containers"]
    return only  # type: ignore[no-any-return]


def settings(max_traces: int = 100) -> dict[str, Any]:
    return json.loads(jaeger.config(max_traces))  # type: ignore[no-any-return]


def test_another_configuration_is_another_pod() -> None:
    def annotations(max_traces: int) -> dict[str, str]:
        made = jaeger.deployment_args("jaeger", "jaeger", jaeger.config(max_traces), max_traces)
        return made["spec"]["template"]["metadata"]["annotations"]  # type: ignore[no-any-return]

    assert annotations(100) == annotations(100)
    assert annotations(100) != annotations(101)


def test_questions_leave_no_traces() -> None:
    assert settings()["extensions"]["jaeger_query"]["enable_tracing"] is False


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_questions_are_answered_in_the_pod_only(protocol: str) -> None:
    endpoint = settings()["extensions"]["jaeger_query"][protocol]["endpoint"]
    assert endpoint.startswith("127.0.0.1:")


def test_ports_are_those_that_are_listened_on() -> None:
    known = settings()
    listening = {
        "otlp-grpc": known["receivers"]["otlp"]["protocols"]["grpc"],
        "otlp-http": known["receivers"]["otlp"]["protocols"]["http"],
        "health": known["extensions"]["healthcheckv2"]["http"],
        "query": known["extensions"]["jaeger_query"]["http"],
    }
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {name: int(server["endpoint"].rpartition(":")[2]) for name, server in listening.items()}
    assert {container()[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")} == {
        "health"
    }


def test_the_service_has_the_well_known_ports() -> None:
    made = jaeger.service_args("jaeger")["spec"]
    assert made["type"] == "ClusterIP"
    assert {port["targetPort"]: port["port"] for port in made["ports"]} == {
        "otlp-grpc": 4317,
        "otlp-http": 4318,
        "query": 16686,
    }


@pytest.mark.parametrize(
    ("max_traces", "limit", "collector"),
    [(100, "259Mi", "233MiB"), (10_000, "646Mi", "581MiB"), (100_000, "4162Mi", "3745MiB")],
)
def test_memory_grows_with_the_traces(max_traces: int, limit: str, collector: str) -> None:
    assert container(max_traces)["resources"]["limits"] == {"memory": limit}
    assert container(max_traces)["env"] == [{"name": "GOMEMLIMIT", "value": collector}]
