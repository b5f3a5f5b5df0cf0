"""Prometheus' Kubernetes objects, as data."""

import pulumi

from components import manifests
from components.addons.prometheus import RESERVED, config
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    allow_from,
    checksum,
    labels,
    metadata,
    opaque_secret,
    selector,
)

IMAGE = "quay.io/prometheus/prometheus:v3.16.0"
NAME = "prometheus"
NOBODY = 65534
"""User and group of upstream's image."""
DATA = "/data"


def web_secret(ns: pulumi.Input[str], password_hash: pulumi.Output[str], password: pulumi.Output[str]) -> Manifest:
    """Return the Secret with what Prometheus asks visitors for, and what it says when it asks itself."""
    files = {"web.yml": password_hash.apply(config.web), "password": password}
    return opaque_secret("prometheus-web", ns, "prometheus", files)


def cluster_role() -> Manifest:
    """Return the rights of Prometheus: to find what there is to measure, and to read the cluster's own metrics."""
    watch = ["get", "list", "watch"]
    return {
        "metadata": metadata(NAME, None, "prometheus"),
        "rules": [
            {"apiGroups": [""], "resources": ["nodes", "services", "pods"], "verbs": watch},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": watch},
            {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
            {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
        ],
    }


def volume_claim(ns: pulumi.Input[str], size: str, storage_class: pulumi.Input[str] | None) -> Manifest:
    """Return the claim of the volume that holds the samples."""
    return manifests.volume_claim(metadata(NAME, ns, "prometheus"), size, storage_class)


def stateful_set(
    ns: pulumi.Input[str],
    account: pulumi.Input[str],
    volumes: dict[str, Manifest],
    files: dict[str, str],
    external_url: str,
    memory: str,
) -> Manifest:
    """Return the StatefulSet of Prometheus.

    Of one there is never a second pod, not even where a node is lost: two would break what is on the volume.

    Args:
        ns: Its namespace.
        account: ServiceAccount of its pod.
        volumes: Where ``config``, ``web``, ``certificate`` and ``data`` come from.
        files: The configuration; a change of it makes a new pod.
        external_url: How links in alerts begin.
        memory: Limit of its memory, a Kubernetes quantity.
    """
    return {
        "metadata": metadata(NAME, ns, "prometheus"),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "serviceName": NAME,
            "selector": {"matchLabels": selector(NAME)},
            "template": {
                "metadata": {"labels": labels(NAME, "prometheus"), "annotations": checksum(*files.values())},
                "spec": {
                    "serviceAccountName": account,
                    "automountServiceAccountToken": True,
                    "enableServiceLinks": False,
                    "securityContext": {
                        **POD_SECURITY,
                        **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), NOBODY),
                    },
                    # It writes what it has in memory to the volume.
                    "terminationGracePeriodSeconds": 60,
                    "containers": [container(external_url, memory)],
                    "volumes": [{"name": volume, **source} for volume, source in volumes.items()],
                },
            },
        },
    }


def container(external_url: str, memory: str) -> Manifest:
    """Return Prometheus' container, which may take so much ``memory``."""
    mounts = {"config": config.CONFIG, "web": config.WEB, "certificate": config.CERTIFICATE}
    return {
        "name": "prometheus",
        "image": IMAGE,
        "args": [
            f"--config.file={config.CONFIG}/prometheus.yml",
            f"--web.config.file={config.WEB}/web.yml",
            f"--web.listen-address=:{config.PORT}",
            f"--web.external-url={external_url}",
            f"--storage.tsdb.path={DATA}",
            "--log.format=json",
        ],
        "ports": [{"name": "https", "containerPort": config.PORT}],
        # It reads its samples back first, which takes minutes where there are many.
        "startupProbe": {**probe("ready"), "periodSeconds": 2, "failureThreshold": 450},
        "readinessProbe": {**probe("ready"), "periodSeconds": 15, "failureThreshold": 2},
        "livenessProbe": {**probe("healthy"), "periodSeconds": 30, "failureThreshold": 4},
        "resources": {"requests": {"cpu": "50m", "memory": RESERVED}, "limits": {"memory": memory}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            *({"name": name, "mountPath": path, "readOnly": True} for name, path in mounts.items()),
            {"name": "data", "mountPath": DATA},
        ],
    }


def probe(state: str) -> Manifest:
    """Return the probe that asks whether Prometheus is ``ready`` or ``healthy``.

    The kubelet would have to know the password, and all who see the pod with it: so a program in the pod asks.
    """
    where = [f"--url=https://127.0.0.1:{config.PORT}", f"--http.config.file={config.CONFIG}/client.yml"]
    return {"exec": {"command": ["/bin/promtool", "check", state, *where]}, "timeoutSeconds": 10}


def network_policy(ns: pulumi.Input[str], peer: pulumi.Input[str] | None) -> Manifest:
    """Return the NetworkPolicy that lets the namespace ``peer`` (``None``: anybody) in, and its own requests out."""
    return {
        "metadata": metadata(NAME, ns, "prometheus"),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [allow_from(peer, "https")],
            "egress": [
                # Pods, at whichever port they have their metrics.
                {"to": [{"namespaceSelector": {}}]},
                # The API server and the kubelets aren't pods: no selector finds them. The ports of the API server are
                # those of MicroK8s, kubeadm, k3s, kind and managed clusters.
                {"ports": [{"port": port, "protocol": "TCP"} for port in (443, 6443, 16443, 10250)]},
            ],
        },
    }
