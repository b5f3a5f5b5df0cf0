"""The objects and configurations of the addon logs, as data."""

import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.addons.logs import collector, loki

URL = "http://loki.logs.svc:3100"
TEMPLATES: dict[str, dict[str, Any]] = {
    "loki": loki.stateful_set("logs", "loki", "loki", {"sum": "1"})["spec"]["template"],
    "collector": collector.daemon_set("logs-collector", "otel-collector", {"sum": "1"}, "/state")["spec"]["template"],
}


def container(name: str) -> dict[str, Any]:
    [only] = TEMPLATES[name]["spec"]["containers"]
    return only  # type: ignore[no-any-return]


def mounts(name: str) -> dict[str, dict[str, Any]]:
    return {mount["name"]: mount for mount in container(name)["volumeMounts"]}


def volumes(name: str) -> dict[str, dict[str, Any]]:
    return {volume["name"]: volume for volume in TEMPLATES[name]["spec"]["volumes"]}


def configured() -> dict[str, Any]:
    return json.loads(collector.config(URL))  # type: ignore[no-any-return]


def receiver() -> dict[str, Any]:
    return configured()["receivers"]["file_log"]  # type: ignore[no-any-return]


def exporter() -> dict[str, Any]:
    return configured()["exporters"]["otlp_http"]  # type: ignore[no-any-return]


def limits() -> dict[str, Any]:
    return json.loads(loki.config("3d"))["limits_config"]  # type: ignore[no-any-return]


def test_the_collector_is_root_without_capabilities_and_writes_to_its_state_only() -> None:
    assert TEMPLATES["collector"]["spec"]["securityContext"]["runAsUser"] == 0
    assert "add" not in container("collector")["securityContext"]["capabilities"]
    assert [name for name, mount in mounts("collector").items() if not mount.get("readOnly")] == ["state"]
    folders = {name: volume["hostPath"] for name, volume in volumes("collector").items() if "hostPath" in volume}
    assert folders == {
        "pods": {"path": "/var/log/pods", "type": "Directory"},
        "state": {"path": "/state", "type": "DirectoryOrCreate"},
    }


def test_each_finds_its_configuration() -> None:
    assert container("loki")["args"] == [f"-config.file={mounts('loki')['config']['mountPath']}/{loki.CONFIG}"]
    [file] = collector.config_map("logs-collector", "")["data"]
    assert container("collector")["args"][0] == f"--config={mounts('collector')['config']['mountPath']}/{file}"


def test_lines_are_in_the_queue_before_they_are_noted_as_read() -> None:
    assert "--feature-gates=stanza.synchronousLogEmitter" in container("collector")["args"]
    # This operator emits asynchronously whatever the gate says.
    assert "container" not in {operator["type"] for operator in receiver()["operators"]}
    assert configured()["service"]["pipelines"]["logs"]["processors"] == ["transform"]


def test_queue_and_positions_are_on_the_node() -> None:
    assert receiver()["storage"] == exporter()["sending_queue"]["storage"] == "file_storage"
    storage = configured()["extensions"]["file_storage"]
    assert storage["directory"] == storage["compaction"]["directory"] == mounts("collector")["state"]["mountPath"]


def test_nothing_is_given_up() -> None:
    assert receiver()["retry_on_failure"] == {"enabled": True, "max_elapsed_time": "0s"}
    assert exporter()["retry_on_failure"] == {"max_elapsed_time": "0s"}
    assert exporter()["sending_queue"]["block_on_overflow"] is True
    assert receiver()["start_at"] == "beginning"


def test_loki_is_sent_one_request_at_a_time() -> None:
    # Its WAL has them in the order in which they end, its counter in that in which they begin: the replay skips some.
    assert exporter()["sending_queue"]["num_consumers"] == 1


def test_what_is_sent_twice_is_the_same_both_times() -> None:
    assert configured()["processors"] == {
        "transform": {"log_statements": ["set(log.observed_time_unix_nano, 0)"]},
    }
    removed = {operator["field"] for operator in receiver()["operators"] if operator["type"] == "remove"}
    # Rotation renames the file.
    assert 'attributes["log.file.path"]' in removed
    assert limits()["shard_streams"] == {"enabled": False}


def test_batches_have_room_for_the_longest_line_and_loki_takes_them() -> None:
    batch = exporter()["sending_queue"]["batch"]
    assert exporter()["sending_queue"]["sizer"] == "bytes"
    assert collector.LONGEST < batch["max_size"] < 4 << 20
    assert limits()["max_line_size"] == "2MB"


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        ("0.log", True),
        ("12.log", True),
        ("0.log.20261123-154501", True),
        ("0.log.20261123-154501.gz", False),
        ("0.log.20261123-154501.tmp", False),
    ],
)
def test_rotated_files_are_read_too(name: str, is_read: bool) -> None:
    folder = "/var/log/pods/shop_web-1_0d1f/web"
    assert matches(f"{folder}/{name}") is is_read
    assert matches(f"/var/log/pods/logs-collector_otel-collector-x_0d1f/otel-collector/{name}") is False


def matches(path: str) -> bool:
    def among(globs: list[str]) -> bool:
        return any(re.fullmatch(glob.replace(".", r"\.").replace("*", "[^/]*"), path) for glob in globs)

    return among(receiver()["include"]) and not among(receiver()["exclude"])


@given(
    content=st.text(st.characters(codec="utf-8", exclude_characters="\n")),
    stream=st.sampled_from(["stdout", "stderr"]),
    tag=st.sampled_from(["F", "P"]),
)
def test_a_line_is_read_whole(content: str, stream: str, tag: str) -> None:
    found = re.fullmatch(collector.LINE, f"2026-11-23T15:45:01.123456789Z {stream} {tag} {content}")
    assert found
    assert found.groupdict() == {
        "time": "2026-11-23T15:45:01.123456789Z",
        "stream": stream,
        "tag": tag,
        "log": content,
    }


@pytest.mark.parametrize("zone", ["Z", "+02:00"])
def test_times_are_those_of_containerd_and_cri_o(zone: str) -> None:
    found = re.fullmatch(collector.LINE, f"2026-11-23T15:45:01.123456{zone} stdout F x")
    assert found
    assert datetime.fromisoformat(found["time"]).microsecond == 123456
    layout = receiver()["operators"][0]["timestamp"]["layout"]
    assert layout.endswith("Z07:00")  # what Go calls "Z, or an offset"


NAME = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)


@given(namespace=NAME, pod=st.lists(NAME, min_size=1, max_size=3).map(".".join), container_name=NAME)
def test_pod_and_namespace_are_those_of_the_path(namespace: str, pod: str, container_name: str) -> None:
    uid = "ce242b2b-f61b-4190-9cd8-77791fd7b4e3"
    for suffix in ("", ".20261123-154501"):
        found = re.match(collector.PATH, f"/var/log/pods/{namespace}_{pod}_{uid}/{container_name}/3.log{suffix}")
        assert found
        assert found.groupdict() == {
            "namespace": namespace,
            "pod": pod,
            "uid": uid,
            "container": container_name,
            "restarts": "3",
        }


def test_every_part_of_line_and_path_has_its_place() -> None:
    parts = {*re.compile(collector.LINE).groupindex, *re.compile(collector.PATH).groupindex}
    moved = {
        operator.get("from", operator.get("field", "")).removeprefix("attributes.")
        for operator in receiver()["operators"]
        if operator["type"] in ("move", "remove")
    }
    assert parts <= moved
    assert set(re.compile(collector.PATH).groupindex) == set(collector.ATTRIBUTES)


def test_lines_are_found_by_namespace_pod_and_container() -> None:
    [indexed] = limits()["otlp_config"]["resource_attributes"]["attributes_config"]
    assert indexed == {
        "action": "index_label",
        "attributes": ["k8s.namespace.name", "k8s.pod.name", "k8s.container.name"],
    }
    assert set(indexed["attributes"]) <= set(collector.ATTRIBUTES.values())


def test_lines_go_after_the_retention() -> None:
    config = json.loads(loki.config("3d"))
    assert config["limits_config"]["retention_period"] == "3d"
    assert config["limits_config"]["reject_old_samples_max_age"] == "3d"
    assert config["compactor"]["retention_enabled"] is True


def test_loki_tells_nobody_about_itself_and_listens_at_one_port() -> None:
    config = json.loads(loki.config("7d"))
    assert config["analytics"] == {"reporting_enabled": False}
    assert config["server"]["grpc_listen_address"] == "127.0.0.1"
    assert config["common"]["path_prefix"] == mounts("loki")["data"]["mountPath"]


def test_the_collector_sends_to_the_service_of_loki() -> None:
    [port] = loki.service("logs")["spec"]["ports"]
    assert loki.query_command() == f"kubectl port-forward --namespace logs service/loki {port['port']}"
    assert loki.url("loki", "logs") == f"http://loki.logs.svc:{port['port']}"
    assert exporter()["endpoint"] == f"{URL}/otlp"


def test_only_the_collectors_reach_loki_and_they_only_that() -> None:
    [rule] = loki.network_policy("logs", "logs-collector", "otel-collector")["spec"]["ingress"]
    # Both in one item: two items would be one or the other.
    assert rule["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "logs-collector"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "otel-collector"}},
        }
    ]
    collectors = collector.network_policy("logs-collector")["spec"]
    assert collectors["ingress"] == []
    to_loki, to_dns = collectors["egress"]
    assert to_loki["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "logs"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "loki"}},
        }
    ]
    # 1053 is that of this program's CoreDNS, 53 that of others'.
    assert {(each["port"], each["protocol"]) for each in to_dns["ports"]} == {
        (port, protocol) for port in (53, 1053) for protocol in ("UDP", "TCP")
    }
