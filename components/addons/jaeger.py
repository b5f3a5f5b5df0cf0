"""Traces of requests: Jaeger 2, which takes them by OTLP and keeps the latest in memory."""

import json
from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Service
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    allow_from,
    checksum,
    config_map,
    labels,
    metadata,
    namespace,
    selector,
)

IMAGE = "docker.io/jaegertracing/jaeger:2.13.0"
NAMESPACE = "jaeger"
NAME = "jaeger"

OTLP_GRPC = 4317
OTLP_HTTP = 4318
QUERY = 16686
HEALTH = 13133

MAX_TRACES = 10_000
BASE_MEMORY = 256
"""What Jaeger may take without any trace, in MiB."""
TRACE_MEMORY = 40
"""What a trace of a request may take, in KiB: one of Traefik takes 10 in the store, 36 while a search returns it."""


class JaegerArgs(TypedDict):
    """Where traces go."""

    ingress_namespace: NotRequired[pulumi.Input[str] | None]
    """Namespace of the pods that may send traces; default: any."""
    max_traces: NotRequired[int]
    """Traces to keep, the oldest make room; ≥ 100, as many as a search asks for unless told; default 10,000."""


class Jaeger(pulumi.ComponentResource):
    """Jaeger in one pod: a receiver of traces, a store of the latest, and a query API.

    It has no login, so its query API listens in the pod only: who may forward ports of pods may ask.
    """

    otlp_endpoint: pulumi.Output[str]
    """URL that takes traces, OTLP over HTTP, from inside the cluster.

    It is known before anybody answers there: an ingress controller that is told of it doesn't wait for Jaeger, and so
    the sites are served where Jaeger can't start. Traces that are sent meanwhile are lost.
    """
    query_command: str
    """The command that makes the query API reachable at ``http://127.0.0.1:16686``."""

    def __init__(self, name: str, args: JaegerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Jaeger", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        home = Namespace(f"{name}-namespace", **namespace(NAMESPACE, "jaeger", "restricted"), opts=child)
        ns = home.metadata.name
        max_traces = args.get("max_traces", MAX_TRACES)
        settings = config(max_traces)
        mounted = ConfigMap(f"{name}-config", **config_map(NAME, ns, "jaeger", {"config.json": settings}), opts=child)
        policy = NetworkPolicy(f"{name}-policy", **network_policy(ns, args.get("ingress_namespace")), opts=child)
        deployed = Deployment(
            f"{name}-deployment",
            **deployment(ns, mounted.metadata.name, settings, max_traces),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        Service(
            f"{name}-service",
            **service(ns),
            # The Service is awaited until it has endpoints; its pod should exist by then.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployed]),
        )
        self.otlp_endpoint = pulumi.Output.format("http://{0}.{1}.svc:{2}/v1/traces", NAME, ns, OTLP_HTTP)
        self.query_command = f"kubectl port-forward --namespace {NAMESPACE} service/{NAME} {QUERY}"
        self.register_outputs({"otlpEndpoint": self.otlp_endpoint, "queryCommand": self.query_command})


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


def deployment(ns: pulumi.Input[str], mounted: pulumi.Input[str], settings: str, max_traces: int) -> Manifest:
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


def service(ns: pulumi.Input[str]) -> Manifest:
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
