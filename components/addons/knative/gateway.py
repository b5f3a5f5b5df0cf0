"""The gateway of Knative Services: a Traefik of its own, with the provider for Knative's Ingresses.

Not the ingress controller's: its provider is experimental, and where the addon is off nothing of it should run.
"""

from typing import Any

import pulumi

from components.addons.ingress.component import IMAGE
from components.addons.knative.definitions import NETWORKING
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    allow_from,
    labels,
    metadata,
    selector,
)

NAME = "gateway"
INTERNAL = "gateway-internal"
"""The Service by which pods of the cluster reach Knative Services."""
PUBLIC_PORT = 8000
INTERNAL_PORT = 8001
PING_PORT = 8080


def arguments(ns: str) -> list[str]:
    """Return Traefik's static configuration; ``ns`` is the name of its namespace.

    Source: https://doc.traefik.io/traefik/v3.7/reference/install-configuration/providers/kubernetes/knative/
    """
    provider = "--providers.knative"
    return [
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
        "--log.level=INFO",
        "--log.format=json",
        "--ping=true",
        f"--entryPoints.traefik.address=:{PING_PORT}",
        f"--entryPoints.public.address=:{PUBLIC_PORT}",
        f"--entryPoints.internal.address=:{INTERNAL_PORT}",
        *(f"--entryPoints.{entry}.http.aliasHeadersStrategy=delete" for entry in ("public", "internal")),
        # What the ingress controller says of the visitor; nobody else is let in there.
        "--entryPoints.public.forwardedHeaders.insecure=true",
        "--providers.providersThrottleDuration=500ms",
        "--experimental.knative=true",
        f"{provider}=true",
        # An Ingress is called ready after this time: by then its routes are there.
        f"{provider}.throttleDuration=1s",
        f"{provider}.publicEntryPoints=public",
        f"{provider}.publicService.name={NAME}",
        f"{provider}.publicService.namespace={ns}",
        f"{provider}.privateEntryPoints=internal",
        f"{provider}.privateService.name={INTERNAL}",
        f"{provider}.privateService.namespace={ns}",
    ]


def cluster_role() -> Manifest:
    """Return the rights of the gateway: to watch what routes are made of, and to write the Ingresses' status."""
    watch = ["get", "list", "watch"]
    return {
        "metadata": metadata("knative-serving-gateway", None, "knative", NAME),
        "rules": [
            {"apiGroups": [""], "resources": ["services", "secrets"], "verbs": watch},
            {"apiGroups": [NETWORKING], "resources": ["ingresses"], "verbs": watch},
            {"apiGroups": [NETWORKING], "resources": ["ingresses/status"], "verbs": ["update"]},
        ],
    }


def network_policy(ns: Any, peer: pulumi.Input[str] | None) -> Manifest:
    """Return the NetworkPolicy that lets the ingress controller's namespace ``peer`` in, and pods to the inner port."""
    return {
        "metadata": metadata(NAME, ns, "knative"),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress"],
            "ingress": [allow_from(peer, "public"), allow_from(None, "internal")],
        },
    }


def deployment(ns: Any, account: pulumi.Input[str], name: str) -> Manifest:
    """Return the Deployment of the gateway in ``ns``, a namespace of the ``name``, as ``account``."""
    ping = {"httpGet": {"path": "/ping", "port": "ping"}}
    container = {
        "name": "traefik",
        "image": IMAGE,
        "args": arguments(name),
        "ports": [
            {"name": "public", "containerPort": PUBLIC_PORT},
            {"name": "internal", "containerPort": INTERNAL_PORT},
            {"name": "ping", "containerPort": PING_PORT},
        ],
        "startupProbe": {**ping, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**ping, "periodSeconds": 2},
        "livenessProbe": {**ping, "periodSeconds": 10},
        "resources": {"requests": {"cpu": "30m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY,
    }
    return {
        "metadata": metadata(NAME, ns, "knative"),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 300,
            "selector": {"matchLabels": selector(NAME)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels(NAME, "knative")},
                "spec": {
                    "serviceAccountName": account,
                    "automountServiceAccountToken": True,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 30,
                    "securityContext": POD_SECURITY,
                    "containers": [container],
                },
            },
        },
    }


def service(name: str, ns: Any, port: str) -> Manifest:
    """Return the Service ``name``, by which the gateway's ``port`` is reached."""
    return {
        "metadata": metadata(name, ns, "knative", NAME),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(NAME),
            "ports": [{"name": "http", "port": 80, "targetPort": port}],
        },
    }


def ingress(ns: Any, service_name: pulumi.Input[str], domain: str, ingress_class: pulumi.Input[str]) -> Manifest:
    """Return the Ingress that hands all hosts of ``domain`` over to the gateway."""
    backend = {"service": {"name": service_name, "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return {
        "metadata": metadata(NAME, ns, "knative"),
        "spec": {
            "ingressClassName": ingress_class,
            "rules": [{"host": f"*.{domain}", "http": {"paths": paths}}],
        },
    }
