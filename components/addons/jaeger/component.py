"""Traces of requests: Jaeger 2, which takes them by OTLP and keeps the latest in memory."""

import json

import pulumi

from components.addons.addon import Context
from components.addons.jaeger import NAME, NAMESPACE, OTLP_ENDPOINT, OTLP_HTTP, JaegerOptions
from components.kinds import ConfigMap, Deployment, Namespace, NetworkPolicy, Service
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    allow_from,
    checksum,
    config_map,
    labels,
    metadata,
    namespace_args,
    selector,
)

IMAGE = "docker.io/jaegertracing/jaeger:2.13.0"

OTLP_GRPC = 4317
QUERY = 16686
HEALTH = 13133

BASE_MEMORY = 256
"""What Jaeger may take without any trace, in MiB."""
TRACE_MEMORY = 40
"""What a trace of a request may take, in KiB: one of Traefik takes 10 in the store, 36 while a search returns it."""


class Jaeger(pulumi.ComponentResource):
    """Jaeger in one pod: a receiver of traces, a store of the latest, and a query API.

    It has no login, so its query API listens in the pod only: who may forward ports of pods may ask.
    """

    query_command: str
    """The command that makes the query API reachable at ``http://127.0.0.1:16686``."""

    def __init__(
        self, name: str, options: JaegerOptions, context: Context, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Jaeger", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(f"{name}-namespace", **namespace_args(NAMESPACE, "jaeger", "restricted"), opts=child)
        ns = namespace.metadata["name"]
        settings = config(options.max_traces)
        mounted = ConfigMap(f"{name}-config", **config_map(NAME, ns, "jaeger", {"config.json": settings}), opts=child)
        policy = NetworkPolicy(f"{name}-policy", **network_policy(ns, context.ingress.namespace), opts=child)
        deployment = Deployment(
            f"{name}-deployment",
            **deployment_args(ns, mounted.metadata["name"], settings, options.max_traces),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        Service(
            f"{name}-service",
            **service_args(ns),
            # The Service is awaited until it has endpoints; its pod should exist by then.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.query_command = f"kubectl port-forward --namespace {NAMESPACE} service/{NAME} {QUERY}"
        self.register_outputs({"otlpEndpoint": OTLP_ENDPOINT, "queryCommand": self.query_command})


def config(max_traces: int) -> str:
    """Return Jaeger's configuration file; JSON is YAML.

    Source: https://www.jaegertracing.io/docs/2.13/deployment/configuration/
    """
    return json.dumps(
        {
            "service": {
                "extensions": ["healthcheckv2", "jaeger_storage", "jaeger_query"],
                # No batches: the store is the program's own memory, and senders make batches themselves.
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
                "telemetry": {
                    "resource": {"service.name": NAME},
                    "metrics": {"level": "none"},
                    "logs": {"level": "info", "encoding": "json"},
                },
            },
            "extensions": {
                "healthcheckv2": {"use_v2": True, "http": {"endpoint": f":{HEALTH}"}},
                "jaeger_storage": {"backends": {"latest": {"memory": {"max_traces": max_traces}}}},
                "jaeger_query": {
                    "storage": {"traces": "latest"},
                    # Or each question would be a trace itself, and push out an older one.
                    "enable_tracing": False,
                    "http": {"endpoint": f"127.0.0.1:{QUERY}"},
                    "grpc": {"endpoint": "127.0.0.1:16685"},
                },
            },
            "receivers": {
                "otlp": {
                    "protocols": {
                        "grpc": {"endpoint": f":{OTLP_GRPC}"},
                        "http": {"endpoint": f":{OTLP_HTTP}"},
                    }
                }
            },
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "latest"}},
        },
        indent=2,
    )


def memory_limit(max_traces: int) -> int:
    """Return how much memory Jaeger may take with ``max_traces`` traces, in MiB."""
    return BASE_MEMORY + max_traces * TRACE_MEMORY // 1024


def network_policy(ns: pulumi.Input[str], peer: pulumi.Input[str] | None) -> Manifest:
    """Return the NetworkPolicy that lets the namespace ``peer`` (``None``: anybody) send traces, and nothing out."""
    return {
        "metadata": metadata(NAME, ns, "jaeger"),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [allow_from(peer, "otlp-grpc", "otlp-http")],
            "egress": [],
        },
    }


def deployment_args(ns: pulumi.Input[str], mounted: pulumi.Input[str], settings: str, max_traces: int) -> Manifest:
    """Return the Deployment of Jaeger.

    Args:
        ns: Its namespace.
        mounted: The ConfigMap with its configuration.
        settings: The configuration, which it reads once.
        max_traces: How many traces it keeps.
    """
    probe = {"httpGet": {"path": "/status", "port": "health"}, "timeoutSeconds": 5}
    limit = memory_limit(max_traces)
    container = {
        "name": NAME,
        "image": IMAGE,
        "args": ["--config=/etc/jaeger/config.json"],
        # The garbage collector works harder before the limit is reached. Beyond it, as with endless traces, Jaeger
        # starts anew with an empty store.
        "env": [{"name": "GOMEMLIMIT", "value": f"{limit * 9 // 10}MiB"}],
        "ports": [
            {"name": "otlp-grpc", "containerPort": OTLP_GRPC},
            {"name": "otlp-http", "containerPort": OTLP_HTTP},
            {"name": "health", "containerPort": HEALTH},
            {"name": "query", "containerPort": QUERY},
        ],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5},
        "livenessProbe": {**probe, "periodSeconds": 10},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": f"{limit}Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/jaeger", "readOnly": True}],
    }
    return {
        "metadata": metadata(NAME, ns, "jaeger"),
        "spec": {
            # A second pod would have another store: what is sent to one isn't found in the other.
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector(NAME)},
            "template": {
                "metadata": {"labels": labels(NAME, "jaeger"), "annotations": checksum(settings)},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": POD_SECURITY,
                    "containers": [container],
                    "volumes": [{"name": "config", "configMap": {"name": mounted}}],
                },
            },
        },
    }


def service_args(ns: pulumi.Input[str]) -> Manifest:
    """Return the Service that takes traces. Its port for queries answers to ``kubectl port-forward`` only."""
    ports = {"otlp-grpc": OTLP_GRPC, "otlp-http": OTLP_HTTP, "query": QUERY}
    return {
        "metadata": metadata(NAME, ns, "jaeger"),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(NAME),
            "ports": [{"name": name, "port": port, "targetPort": name} for name, port in ports.items()],
        },
    }
