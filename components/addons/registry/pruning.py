"""The CronJob that deletes old releases from the registry, and what it needs."""

from collections.abc import Mapping
from pathlib import Path

import pulumi

from components.kinds import ClusterRole, ClusterRoleBinding, ConfigMap, CronJob, NetworkPolicy, ServiceAccount
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    binding,
    checksum,
    config_map,
    labels,
    metadata,
    selector,
    service_account,
)

IMAGE = "docker.io/library/python:3-alpine"
NAME = "registry-prune"
REGISTRY = "registry"
"""The workload whose volume it is."""
PROGRAM = "prune"
"""A package beside this module."""
SECONDS = 1800
"""How long it may take, waiting for pushes included."""
DAY_SECONDS = 24 * 60 * 60


def declare(name: str, keep: int, ns: pulumi.Input[str], claim: pulumi.Input[str], parent: pulumi.Resource) -> None:
    """Declare the CronJob and what it needs.

    Args:
        name: What the names of its resources begin with.
        keep: Releases of a site that stay.
        ns: The registry's namespace.
        claim: The claim of the volume with the images.
        parent: Of the resources.
    """
    child = pulumi.ResourceOptions(parent=parent)
    mounted = ConfigMap(f"{name}-program", **config_map(NAME, ns, "registry", dict(program())), opts=child)
    account = ServiceAccount(f"{name}-account", **service_account(NAME, ns, "registry"), opts=child)
    role = ClusterRole(f"{name}-role", **cluster_role(), opts=child)
    bound = ClusterRoleBinding(
        f"{name}-binding",
        **binding(metadata(NAME, None, "registry"), "ClusterRole", role.metadata["name"], account.metadata["name"], ns),
        opts=child,
    )
    policy = NetworkPolicy(f"{name}-policy", **network_policy(ns), opts=child)
    CronJob(
        f"{name}-cronjob",
        **cron_job(ns, keep, mounted.metadata["name"], account.metadata["name"], claim),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[policy, bound]),
    )


def program() -> Mapping[str, str]:
    """Return the program: the files of its package, by name."""
    return {path.name: path.read_text() for path in sorted(Path(__file__).with_name(PROGRAM).glob("*.py"))}


def cluster_role() -> Manifest:
    """Return the ClusterRole to see which images are in use: those of all that has pods, or makes some."""
    return {
        "metadata": metadata(NAME, None, "registry"),
        "rules": [
            {"apiGroups": [""], "resources": ["pods", "replicationcontrollers"], "verbs": ["list"]},
            {
                "apiGroups": ["apps"],
                "resources": ["daemonsets", "deployments", "replicasets", "statefulsets"],
                "verbs": ["list"],
            },
            {"apiGroups": ["batch"], "resources": ["cronjobs", "jobs"], "verbs": ["list"]},
        ],
    }


def network_policy(ns: pulumi.Input[str]) -> Manifest:
    """Return the NetworkPolicy that lets nobody in, and requests to the API server out."""
    return {
        "metadata": metadata(NAME, ns, "registry"),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            # The API server is a Service without pods: no selector finds it. These are its ports, as MicroK8s, kubeadm,
            # k3s, kind and managed clusters have them.
            "egress": [{"ports": [{"port": port, "protocol": "TCP"} for port in (443, 6443, 16443)]}],
        },
    }


def cron_job(
    ns: pulumi.Input[str],
    keep: int,
    mounted: pulumi.Input[str],
    account: pulumi.Input[str],
    claim: pulumi.Input[str],
) -> Manifest:
    """Return the CronJob: every night, or when the cluster is back after that."""
    container = {
        "name": "prune",
        "image": IMAGE,
        "command": ["/usr/local/bin/python3", "-B", "-m", PROGRAM],
        "env": [{"name": "PYTHONPATH", "value": "/opt"}, {"name": "KEEP", "value": str(keep)}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "program", "mountPath": f"/opt/{PROGRAM}", "readOnly": True},
            {"name": "images", "mountPath": "/var/lib/registry"},
        ],
    }
    beside = {"labelSelector": {"matchLabels": selector(REGISTRY)}, "topologyKey": "kubernetes.io/hostname"}
    return {
        "metadata": metadata(NAME, ns, "registry"),
        "spec": {
            "schedule": "30 3 * * *",
            "timeZone": "Etc/UTC",
            "startingDeadlineSeconds": DAY_SECONDS,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 2,
                    "activeDeadlineSeconds": SECONDS,
                    "template": {
                        "metadata": {"labels": labels(NAME, "registry"), "annotations": checksum(*program().values())},
                        "spec": {
                            "serviceAccountName": account,
                            "automountServiceAccountToken": True,
                            "enableServiceLinks": False,
                            "restartPolicy": "Never",
                            # Only there may a second pod mount the volume.
                            "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [beside]}},
                            # To look at every file of a large volume before each start would take long.
                            "securityContext": {**POD_SECURITY, "fsGroupChangePolicy": "OnRootMismatch"},
                            "containers": [container],
                            "volumes": [
                                {"name": "program", "configMap": {"name": mounted}},
                                {"name": "images", "persistentVolumeClaim": {"claimName": claim}},
                            ],
                        },
                    },
                }
            },
        },
    }
