"""Loki, which keeps the lines: one process with all of its parts, on one volume."""

import json

import pulumi

from components import manifests
from components.addons.logs import NAMESPACE
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    labels,
    metadata,
    selector,
)

IMAGE = "docker.io/grafana/loki:3.7.8"
NAME = "loki"
PORT = 3100
GRPC_PORT = 9095
DATA = "/loki"
CONFIG = "local-config.yaml"
"""Name of the configuration's file: where upstream's image looks for it, in ``/etc/loki``."""

MESSAGE = 64 << 20
"""What its parts may send each other at once, in bytes."""

STREAM = ("k8s.namespace.name", "k8s.pod.name", "k8s.container.name")
"""What lines are found by: the resource attributes that are labels, with ``_`` for each dot."""


def url(service: str, ns: str) -> str:
    """Return the URL of Loki's API inside the cluster."""
    return f"http://{service}.{ns}.svc:{PORT}"


def query_command() -> str:
    """Return the command that makes Loki's API reachable on 127.0.0.1."""
    return f"kubectl port-forward --namespace {NAMESPACE} service/{NAME} {PORT}"


def config(retention: str) -> str:
    """Return Loki's configuration file; JSON is YAML.

    Source: https://grafana.com/docs/loki/v3.7.x/configure/

    Args:
        retention: How long lines are kept, such as ``7d``.
    """
    return json.dumps(
        {
            "auth_enabled": False,
            "server": {
                "http_listen_port": PORT,
                # Its parts talk to each other over this one, and nobody else has to.
                "grpc_listen_address": "127.0.0.1",
                "grpc_listen_port": GRPC_PORT,
                # An answer of as many lines as may be asked for at once doesn't fit into the default, 4 MiB.
                "grpc_server_max_recv_msg_size": MESSAGE,
                "grpc_server_max_send_msg_size": MESSAGE,
                "http_server_write_timeout": "90s",  # longer than that of a query, which then says so itself
                "log_level": "warn",
            },
            "common": {
                "instance_addr": "127.0.0.1",
                "compactor_grpc_address": f"127.0.0.1:{GRPC_PORT}",
                "path_prefix": DATA,
                "storage": {"filesystem": {"chunks_directory": f"{DATA}/chunks", "rules_directory": f"{DATA}/rules"}},
                "replication_factor": 1,
                "ring": {"kvstore": {"store": "inmemory"}},
            },
            "schema_config": {
                "configs": [
                    {
                        "from": "2024-04-01",
                        "store": "tsdb",
                        "object_store": "filesystem",
                        "schema": "v13",
                        "index": {"prefix": "index_", "period": "24h"},
                    }
                ]
            },
            "ingester": {
                # The others of its ring, which it would wait for, are itself.
                "lifecycler": {"min_ready_duration": "0s"},
                # A stream takes lines that are up to half of this older than its newest: a node's logs from before
                # the addon, and what was rotated meanwhile, are read beside the newest ones.
                "max_chunk_age": "24h",
                # Of a stream's newest lines: among them, one that is sent again is known.
                "chunk_block_size": 1 << 20,
                "wal": {"replay_memory_ceiling": "512MB"},
            },
            # Lines stay in memory for as long as above, so every query has to look there too.
            "querier": {"query_ingesters_within": "0s"},
            "compactor": {"retention_enabled": True, "delete_request_store": "filesystem"},
            "limits_config": {
                "retention_period": retention,
                "reject_old_samples_max_age": retention,
                "otlp_config": {
                    "resource_attributes": {
                        "ignore_defaults": True,
                        "attributes_config": [{"action": "index_label", "attributes": list(STREAM)}],
                    }
                },
                "discover_service_name": [],
                # A line that is sent again has to come to the same stream.
                "shard_streams": {"enabled": False},
                # Far above what one node writes; a collector that catches up waits where it is more.
                "ingestion_rate_mb": 32,
                "ingestion_burst_size_mb": 64,
                "per_stream_rate_limit": "16MB",
                "per_stream_rate_limit_burst": "64MB",
                # Longer ones are cut, where they would be refused by default.
                "max_line_size": "2MB",
                "max_line_size_truncate": True,
            },
            "analytics": {"reporting_enabled": False},
        },
        indent=2,
    )


def volume_claim(ns: pulumi.Input[str], size: str, storage_class: pulumi.Input[str] | None) -> Manifest:
    """Return the claim of the volume that holds the lines."""
    return manifests.volume_claim(metadata(NAME, ns, "logs"), size, storage_class)


def stateful_set(
    ns: pulumi.Input[str], mounted: pulumi.Input[str], claim: pulumi.Input[str], annotations: dict[str, str]
) -> Manifest:
    """Return the StatefulSet of Loki: of one there is never a second pod, which would break what is on the volume.

    Args:
        ns: Its namespace.
        mounted: The ConfigMap with its configuration.
        claim: The claim of its volume.
        annotations: Of its pod; they change with the configuration.
    """
    return {
        "metadata": metadata(NAME, ns, "logs"),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "serviceName": NAME,
            "selector": {"matchLabels": selector(NAME)},
            "template": {
                "metadata": {"labels": labels(NAME, "logs"), "annotations": annotations},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": POD_SECURITY,
                    "terminationGracePeriodSeconds": 60,
                    "containers": [_container()],
                    "volumes": [
                        {"name": "config", "configMap": {"name": mounted}},
                        {"name": "data", "persistentVolumeClaim": {"claimName": claim}},
                        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
                    ],
                },
            },
        },
    }


def _container() -> Manifest:
    ready, live = (
        {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5}
        for path in ("/ready", "/loki/api/v1/status/buildinfo")
    )
    return {
        "name": NAME,
        "image": IMAGE,
        "args": [f"-config.file=/etc/loki/{CONFIG}"],
        # The collector of garbage works harder before the limit is reached.
        "env": [{"name": "GOMEMLIMIT", "value": "800MiB"}],
        "ports": [{"name": "http", "containerPort": PORT}],
        # It reads back first what it had in memory.
        "startupProbe": {**ready, "periodSeconds": 1, "failureThreshold": 300},
        "readinessProbe": {**ready, "periodSeconds": 5},
        "livenessProbe": {**live, "periodSeconds": 10, "failureThreshold": 6},
        "resources": {"requests": {"cpu": "50m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/loki", "readOnly": True},
            {"name": "data", "mountPath": DATA},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 a mount point in the pod
        ],
    }


def service(ns: pulumi.Input[str]) -> Manifest:
    """Return the Service of Loki."""
    return manifests.internal_service(metadata(NAME, ns, "logs"), NAME, "http", PORT)


def network_policy(ns: pulumi.Input[str], peer_namespace: str, peer: str) -> Manifest:
    """Return the NetworkPolicy that lets in only the pods of the workload ``peer`` in ``peer_namespace``.

    And nothing out. What the API server forwards to a pod (``kubectl port-forward``) is no matter of NetworkPolicies.
    """
    source = {**manifests.in_namespace(peer_namespace), "podSelector": {"matchLabels": selector(peer)}}
    return {
        "metadata": metadata(NAME, ns, "logs"),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [source], "ports": [{"port": "http", "protocol": "TCP"}]}],
            "egress": [],
        },
    }
