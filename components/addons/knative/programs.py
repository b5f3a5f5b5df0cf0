"""The programs of Knative Serving.

Source: https://github.com/knative/serving/tree/knative-v1.23.0/config/core
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.addons.knative.definitions import CACHING, DEFINITIONS, FINALIZED
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    config_map,
    labels,
    metadata,
    selector,
)

RELEASE = "1.23.0"
INGRESS_CLASS = "traefik.ingress.networking.knative.dev"
CERTIFICATE = "webhook-certs"
"""The Secret that the webhook keeps its certificate in."""
DOMAIN_TEMPLATE = "{{.Name}}-{{.Namespace}}.{{.Domain}}"
"""One label before the domain: so one wildcard, in an Ingress as in a certificate, stands for all hosts."""
CONFIG = "knative-config"
"""Label of the ConfigMaps."""


def image(program: str) -> str:
    """Return upstream's image of a program."""
    return f"gcr.io/knative-releases/knative.dev/serving/cmd/{program}:v{RELEASE}"


@dataclass(frozen=True)
class Program:
    """A program that runs as a Deployment.

    Attributes:
        name: Upstream's.
        probe: What answers whether it is alive, and without `ready` whether it can serve.
        memory: What it needs and what it may take, in MiB; upstream's figures.
        ports: Those of its Service: number, and port of the container.
        account: Its ServiceAccount.
        ready: What answers whether it can serve.
        cpu: What it needs.
        environment: Variables that it alone has.
        grace: Seconds that requests have to end.
    """

    name: str
    probe: Manifest
    memory: tuple[int, int]
    ports: Mapping[str, tuple[int, int]]
    account: str = "controller"
    ready: Manifest | None = None
    cpu: str = "30m"
    environment: Mapping[str, str] = field(default_factory=dict)
    grace: int = 60

    @property
    def service(self) -> str:
        """Name of its Service, by which the others find it."""
        return "activator-service" if self.name == "activator" else self.name


CONTROLLER = Program(
    "controller",
    probe={"path": "/health", "port": 8080},
    ready={"path": "/readiness", "port": 8080},
    memory=(100, 1000),
    # Nobody asks for its metrics here. The Service is there to be awaited.
    ports={"http-metrics": (9090, 9090)},
)
AUTOSCALER = Program("autoscaler", probe={"port": 8080}, memory=(100, 1000), ports={"http": (8080, 8080)})
ACTIVATOR = Program(
    "activator",
    probe={"port": 8012},
    memory=(60, 600),
    ports={"http": (80, 8012), "http2": (81, 8013), "https": (443, 8112)},
    account="activator",
    environment={"GOGC": "500"},
    # It holds requests until a pod can take them, for as long as a Revision allows.
    grace=600,
)
WEBHOOK = Program(
    "webhook",
    probe={"port": 8443, "scheme": "HTTPS"},
    memory=(100, 500),
    ports={"https-webhook": (443, 8443)},
    environment={"WEBHOOK_NAME": "webhook", "WEBHOOK_PORT": "8443"},
    grace=300,
)
PROGRAMS = (CONTROLLER, AUTOSCALER, ACTIVATOR, WEBHOOK)


def config_maps(
    ns: Any, domain: str, stable_window: str, scale_to_zero_grace_period: str, registry: str
) -> dict[str, Manifest]:
    """Return the ConfigMaps of the programs. Those without data have to be there all the same.

    Args:
        ns: Their namespace.
        domain: Of the Knative Services' hosts.
        stable_window: Over which requests are averaged, such as ``60s``.
        scale_to_zero_grace_period: How long the last pod stays at most when the way round it is made, such as ``30s``.
        registry: Whose tags aren't looked up: it is reached from the nodes only.
    """
    data: dict[str, dict[str, str]] = {
        "config-autoscaler": {
            "stable-window": stable_window,
            "scale-to-zero-grace-period": scale_to_zero_grace_period,
        },
        "config-defaults": {},
        "config-deployment": {
            "queue-sidecar-image": image("queue"),
            "registries-skipping-tag-resolving": f"kind.local,ko.local,dev.local,{registry}",
        },
        "config-domain": {domain: ""},
        "config-features": {},
        "config-gc": {},
        "config-leader-election": {},
        "config-logging": {},
        "config-network": {"ingress-class": INGRESS_CLASS, "domain-template": DOMAIN_TEMPLATE},
        "config-observability": {},
    }
    found = {}
    for name, files in data.items():
        found[name] = config_map(name, ns, "knative", files)
        found[name]["metadata"]["labels"] |= selector(CONFIG)
    return found


def deployment(program: Program, ns: Any, account: pulumi.Input[str]) -> Manifest:
    """Return the Deployment of ``program``, which runs as ``account``. It watches its ConfigMaps."""
    fields = {"POD_NAME": "metadata.name", "POD_IP": "status.podIP", "SYSTEM_NAMESPACE": "metadata.namespace"}
    values = {"CONFIG_LOGGING_NAME": "config-logging", "CONFIG_OBSERVABILITY_NAME": "config-observability"}
    least, most = program.memory
    live = {"httpGet": program.probe}
    container = {
        "name": program.name,
        "image": image(program.name),
        "env": [
            *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
            *({"name": name, "value": value} for name, value in {**values, **program.environment}.items()),
        ],
        "ports": [{"name": name, "containerPort": port} for name, (_, port) in program.ports.items()],
        # They answer once they have read all objects of their kinds.
        "startupProbe": {**live, "periodSeconds": 1, "failureThreshold": 120},
        "readinessProbe": {"httpGet": program.ready or program.probe, "periodSeconds": 2, "failureThreshold": 5},
        "livenessProbe": {**live, "periodSeconds": 10, "failureThreshold": 6},
        "resources": {
            "requests": {"cpu": program.cpu, "memory": f"{least}Mi"},
            "limits": {"memory": f"{most}Mi"},
        },
        "securityContext": CONTAINER_SECURITY,
    }
    return {
        "metadata": metadata(program.name, ns, "knative"),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 300,
            "selector": {"matchLabels": selector(program.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels(program.name, "knative")},
                "spec": {
                    "serviceAccountName": account,
                    "automountServiceAccountToken": True,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": program.grace,
                    "securityContext": POD_SECURITY,
                    "containers": [container],
                },
            },
        },
    }


def service(program: Program, ns: Any) -> Manifest:
    """Return the Service of ``program``."""
    return {
        "metadata": metadata(program.service, ns, "knative", program.name),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(program.name),
            "ports": [
                {"name": name, "port": port, "targetPort": target} for name, (port, target) in program.ports.items()
            ],
        },
    }


def webhooks(ns: Any, served_by: pulumi.Input[str]) -> dict[str, Manifest]:
    """Return the webhook's configurations by name, to which it adds its certificate.

    Until then, and while it is away, objects of Knative can't be made or changed.

    Args:
        ns: Namespace of the webhook.
        served_by: Its Service.
    """
    checked = [each for each in (*DEFINITIONS, *FINALIZED) if each.group != CACHING and each.scope == "Namespaced"]

    def configuration(name: str, *operations: str) -> Manifest:
        hook: Manifest = {
            "name": name,
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"name": served_by, "namespace": ns}},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "timeoutSeconds": 10,
        }
        if operations:
            # Just as the webhook writes them itself: else a refresh would show them as changed.
            hook["rules"] = [
                {
                    "apiGroups": [each.group],
                    "apiVersions": [each.version],
                    "operations": list(operations),
                    "resources": [each.plural, f"{each.plural}/status"],
                    "scope": "*",
                }
                for each in sorted(checked, key=lambda each: (each.group, each.version, each.plural))
            ]
        else:
            hook["objectSelector"] = {"matchLabels": selector(CONFIG)}
        return {"metadata": metadata(name, None, "knative", "webhook"), "webhooks": [hook]}

    return {
        "defaulting": configuration("webhook.serving.knative.dev", "CREATE", "UPDATE"),
        "validation": configuration("validation.webhook.serving.knative.dev", "CREATE", "UPDATE", "DELETE"),
        "config": configuration("config.webhook.serving.knative.dev"),
    }
