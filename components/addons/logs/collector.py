"""The OpenTelemetry Collector that reads the logs of a node's pods."""

import json

import pulumi

from components.addons import dns
from components.addons.logs import COLLECTOR_NAMESPACE, NAMESPACE, loki
from components.manifests import CONTAINER_SECURITY, Manifest, in_namespace, labels, metadata, selector

IMAGE = "docker.io/otel/opentelemetry-collector-k8s:0.149.0"
NAME = "otel-collector"
HEALTH_PORT = 13133
PODS = "/var/log/pods"
"""Where the kubelet has all logs, as ``NAMESPACE_POD_UID/CONTAINER/RESTARTS.log``."""
STATE = "/var/lib/otelcol"
CONFIG = "config.yaml"


LINE = r"^(?P<time>\S+) (?P<stream>stdout|stderr) (?P<tag>\S+) ?(?P<log>(?s:.*))"
"""A line in the format of the Container Runtime Interface."""
PATH = rf"^{PODS}/(?P<namespace>[^_/]+)_(?P<pod>[^_/]+)_(?P<uid>[^_/]+)/(?P<container>[^/]+)/(?P<restarts>[0-9]+)[.]log"
ATTRIBUTES = {
    "namespace": "k8s.namespace.name",
    "pod": "k8s.pod.name",
    "uid": "k8s.pod.uid",
    "container": "k8s.container.name",
    "restarts": "k8s.container.restart_count",
}
"""What the parts of a path are, in OpenTelemetry's words."""
LONGEST = 1 << 20
"""Of a line, in bytes; what is longer becomes several. Runtimes write it in pieces of 16 KiB."""
QUEUE = 1 << 30
"""What may wait for Loki, in bytes, besides the files themselves."""


def config(url: str) -> str:
    """Return the collector's configuration file; JSON is YAML.

    No line is lost, whatever ends the collector: it goes on reading where it was, and it notes that only after the
    lines are in a queue on the same disk, where they stay until Loki has them. A killed one may send lines twice. Loki
    knows those of the last moments again, since time, text and attributes are those of the file both times; what a
    collector that is killed while it catches up had sent before it noted it, may be there twice. (Of a line above
    16 KiB that is half written then, the first half is lost.)

    Source: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/v0.149.0/receiver/filelogreceiver

    Args:
        url: Of Loki.
    """
    return json.dumps(
        {
            "extensions": {
                "health_check": {"endpoint": f"0.0.0.0:{HEALTH_PORT}"},
                "file_storage": {
                    "directory": STATE,
                    "recreate": True,  # what a power cut has made unreadable
                    "compaction": {"directory": STATE, "on_start": True, "on_rebound": True, "cleanup_on_start": True},
                },
            },
            "receivers": {
                "file_log": {
                    "include": [f"{PODS}/*/*/*.log", f"{PODS}/*/*/*.log.*"],  # the latter are rotated ones
                    # Those that are being compressed or are compressed, and its own: a failure would feed itself.
                    "exclude": [f"{PODS}/*/*/*.tmp", f"{PODS}/*/*/*.gz", f"{PODS}/{COLLECTOR_NAMESPACE}_*/*/*"],
                    "start_at": "beginning",
                    "include_file_name": False,
                    "include_file_path": True,
                    "preserve_trailing_whitespaces": True,
                    "storage": "file_storage",
                    "retry_on_failure": {"enabled": True, "max_elapsed_time": "0s"},
                    "operators": operators(),
                }
            },
            "processors": {
                # When a line was read is another time when it is read again.
                "transform": {"log_statements": ["set(log.observed_time_unix_nano, 0)"]}
            },
            "exporters": {
                "otlp_http": {
                    "endpoint": f"{url}/otlp",
                    "retry_on_failure": {"max_elapsed_time": "0s"},  # for ever
                    "sending_queue": {
                        "storage": "file_storage",
                        "sizer": "bytes",
                        "queue_size": QUEUE,
                        "block_on_overflow": True,
                        # One request at a time. Of two at once for the same stream, Loki would note the second first
                        # now and then, and take the first for a duplicate when it reads its notes after a restart.
                        "num_consumers": 1,
                        "batch": {"flush_timeout": "1s", "min_size": LONGEST // 4, "max_size": 2 * LONGEST},
                    },
                }
            },
            "service": {
                "extensions": ["health_check", "file_storage"],
                "pipelines": {
                    "logs": {"receivers": ["file_log"], "processors": ["transform"], "exporters": ["otlp_http"]}
                },
                "telemetry": {"logs": {"level": "warn", "encoding": "json"}, "metrics": {"level": "none"}},
            },
        },
        indent=2,
    )


def operators() -> list[Manifest]:
    """Return what makes records of lines.

    The one operator for that, ``container``, would do it too, but keeps lines in memory for a moment after it has
    reported them as done, and loses them when it is killed then.

    Source: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/v0.149.0/pkg/stanza/docs/operators
    """
    path = 'attributes["log.file.path"]'
    return [
        {
            "type": "regex_parser",
            "regex": LINE,
            "timestamp": {
                "parse_from": "attributes.time",
                "layout_type": "gotime",
                "layout": "2006-01-02T15:04:05.999999999Z07:00",
            },
        },
        {
            "type": "recombine",
            "if": "attributes.tag != nil",
            "combine_field": "attributes.log",
            "combine_with": "",
            "is_last_entry": "attributes.tag != 'P'",
            "source_identifier": path,
            "max_log_size": LONGEST,
        },
        {"type": "regex_parser", "parse_from": path, "regex": PATH},
        {"type": "move", "from": "attributes.log", "to": "body"},
        {"type": "move", "from": "attributes.stream", "to": 'attributes["log.iostream"]'},
        *(
            {"type": "move", "from": f"attributes.{part}", "to": f'resource["{attribute}"]'}
            for part, attribute in ATTRIBUTES.items()
        ),
        *({"type": "remove", "field": field} for field in ("attributes.time", "attributes.tag", path)),
    ]


def config_map(ns: pulumi.Input[str], text: pulumi.Input[str]) -> Manifest:
    """Return the ConfigMap with ``text``, the configuration."""
    return {"metadata": metadata(NAME, ns, "logs"), "data": {CONFIG: text}}


def daemon_set(
    ns: pulumi.Input[str], mounted: pulumi.Input[str], annotations: pulumi.Input[dict[str, str]], path: str
) -> Manifest:
    """Return the DaemonSet of the collector.

    Args:
        ns: Its namespace.
        mounted: The ConfigMap with its configuration.
        annotations: Of its pods; they change with the configuration.
        path: Folder of the node for its state.
    """
    return {
        "metadata": metadata(NAME, ns, "logs"),
        "spec": {
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector(NAME)},
            # Its state has room for one at a time: the old one must go before the new one can come.
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "template": {
                "metadata": {"labels": labels(NAME, "logs"), "annotations": annotations},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 30,
                    # Every node has logs, be it for whichever pods.
                    "tolerations": [{"operator": "Exists"}],
                    # Logs and state are root's on the node. Without capabilities this is nobody else's root.
                    "securityContext": {
                        "runAsUser": 0,
                        "runAsGroup": 0,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container()],
                    "volumes": [
                        {"name": "config", "configMap": {"name": mounted}},
                        {"name": "pods", "hostPath": {"path": PODS, "type": "Directory"}},
                        {"name": "state", "hostPath": {"path": path, "type": "DirectoryOrCreate"}},
                    ],
                },
            },
        },
    }


def _container() -> Manifest:
    probe = {"httpGet": {"path": "/", "port": "health"}, "timeoutSeconds": 5}
    return {
        "name": NAME,
        "image": IMAGE,
        "args": [
            f"--config=/etc/otelcol-k8s/{CONFIG}",
            # Lines go into the queue before they are noted as read.
            "--feature-gates=stanza.synchronousLogEmitter",
        ],
        # The collector of garbage works harder before the limit is reached.
        "env": [{"name": "GOMEMLIMIT", "value": "200MiB"}],
        "ports": [{"name": "health", "containerPort": HEALTH_PORT}],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 120},
        "readinessProbe": {**probe, "periodSeconds": 10},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6},
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {**CONTAINER_SECURITY, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/otelcol-k8s", "readOnly": True},
            {"name": "pods", "mountPath": PODS, "readOnly": True},
            {"name": "state", "mountPath": STATE},
        ],
    }


def network_policy(ns: pulumi.Input[str]) -> Manifest:
    """Return the NetworkPolicy that lets nobody in, and out to Loki only, by its name."""
    kept = {**in_namespace(NAMESPACE), "podSelector": {"matchLabels": selector(loki.NAME)}}
    return {
        "metadata": metadata(NAME, ns, "logs"),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": [
                {"to": [kept], "ports": [{"port": loki.PORT, "protocol": "TCP"}]},
                {"ports": dns.asked_at()},
            ],
        },
    }
