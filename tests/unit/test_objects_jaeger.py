"""The addon jaeger's objects, as data."""

import json
from typing import Any

import pytest

from components.addons import jaeger
from components.manifests import CONTAINER_SECURITY


def spec(max_traces: int = 100) -> dict[str, Any]:
    settings = jaeger.config(max_traces)
    return jaeger.deployment("jaeger", "jaeger", settings, max_traces)["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def container(max_traces: int = 100) -> dict[str, Any]:
    [only] = spec(max_traces)["containers"]
    return only  # type: ignore[no-any-return]


def settings(max_traces: int = 100) -> dict[str, Any]:
    return json.loads(jaeger.config(max_traces))  # type: ignore[no-any-return]


def test_the_pod_is_restricted() -> None:
    assert spec()["securityContext"]["runAsNonRoot"] is True
    assert spec()["automountServiceAccountToken"] is False
    assert container()["securityContext"] == CONTAINER_SECURITY


def test_the_image_has_a_complete_name_and_a_fixed_version() -> None:
    name, _, tag = container()["image"].rpartition(":")
    assert name.count("/") == 2
    assert tag.count(".") == 2


def test_it_reads_the_configuration_that_is_mounted() -> None:
    [volume] = spec()["volumes"]
    [mount] = container()["volumeMounts"]
    assert volume == {"name": mount["name"], "configMap": {"name": "jaeger"}}
    assert container()["args"] == [f"--config={mount['mountPath']}/config.json"]


def test_another_configuration_is_another_pod() -> None:
    def annotations(max_traces: int) -> dict[str, str]:
        made = jaeger.deployment("jaeger", "jaeger", jaeger.config(max_traces), max_traces)
        return made["spec"]["template"]["metadata"]["annotations"]  # type: ignore[no-any-return]

    assert annotations(100) == annotations(100)
    assert annotations(100) != annotations(101)


def test_what_a_pipeline_or_the_service_names_is_configured() -> None:
    known = settings()
    [pipeline] = known["service"]["pipelines"].values()
    assert set(known["service"]["extensions"]) == set(known["extensions"])
    assert set(pipeline["receivers"]) == set(known["receivers"])
    assert set(pipeline["exporters"]) == set(known["exporters"])
    stores = known["extensions"]["jaeger_storage"]["backends"]
    assert known["extensions"]["jaeger_query"]["storage"]["traces"] in stores
    assert known["exporters"]["jaeger_storage_exporter"]["trace_storage"] in stores


def test_traces_are_bounded() -> None:
    [store] = settings(123)["extensions"]["jaeger_storage"]["backends"].values()
    assert store == {"memory": {"max_traces": 123}}


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
    made = jaeger.service("jaeger")["spec"]
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


def test_there_is_one_store() -> None:
    made = jaeger.deployment("jaeger", "jaeger", jaeger.config(1), 1)["spec"]
    assert (made["replicas"], made["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize(
    ("peer", "sources"),
    [
        (None, {}),
        (
            "ingress",
            {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]},
        ),
    ],
)
def test_the_network_policy_takes_traces_and_nothing_else(peer: str | None, sources: dict[str, Any]) -> None:
    assert jaeger.network_policy("jaeger", peer)["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "jaeger"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": port, "protocol": "TCP"} for port in ("otlp-grpc", "otlp-http")], **sources}],
        "egress": [],
    }
