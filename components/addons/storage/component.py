"""Storage for PersistentVolumeClaims: folders on the node, made by the local-path provisioner."""

import json

import pulumi

from components.addons.storage import CLASS, NAMESPACE, StorageOptions
from components.kinds import (
    ClusterRole,
    ClusterRoleBinding,
    ConfigMap,
    Deployment,
    Namespace,
    Role,
    RoleBinding,
    ServiceAccount,
    StorageClass,
)
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    binding,
    checksum,
    config_map,
    labels,
    metadata,
    namespace_args,
    selector,
    service_account,
)

IMAGE = "docker.io/rancher/local-path-provisioner:v0.0.30"
HELPER_IMAGE = "docker.io/library/busybox:1.35.0"
"""Runs the scripts that make and remove a volume's folder, on the volume's node."""
NAME = "local-path-provisioner"


class Storage(pulumi.ComponentResource):
    """The local-path provisioner and the default StorageClass ``local-path``."""

    class_name: pulumi.Output[str]
    """Name of the StorageClass; known when claims of it can be served."""

    def __init__(self, name: str, options: StorageOptions, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Storage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        # Volumes are folders of the host, which pods may mount only in a privileged namespace.
        namespace = Namespace(f"{name}-namespace", **namespace_args(NAMESPACE, "storage", "privileged"), opts=child)
        ns = namespace.metadata["name"]
        account = ServiceAccount(f"{name}-account", **service_account(NAME, ns, "storage"), opts=child)
        cluster_role = ClusterRole(f"{name}-cluster-role", **cluster_rights(), opts=child)
        role = Role(f"{name}-role", **rights(ns), opts=child)
        bindings = [
            ClusterRoleBinding(
                f"{name}-cluster-binding",
                **binding(
                    metadata(NAME, None, "storage"),
                    "ClusterRole",
                    cluster_role.metadata["name"],
                    account.metadata["name"],
                    ns,
                ),
                opts=child,
            ),
            RoleBinding(
                f"{name}-binding",
                **binding(metadata(NAME, ns, "storage"), "Role", role.metadata["name"], account.metadata["name"], ns),
                opts=child,
            ),
        ]
        files = config(options.path)
        mounted = ConfigMap(f"{name}-config", **config_map("local-path-config", ns, "storage", files), opts=child)
        provisioner = Deployment(
            f"{name}-deployment",
            **deployment_args(ns, mounted.metadata["name"], account.metadata["name"], files),
            opts=pulumi.ResourceOptions(parent=self, depends_on=bindings),
        )
        storage_class = StorageClass(f"{name}-class", **local_path_class(), opts=child)
        self.class_name = pulumi.Output.all(storage_class.metadata["name"], provisioner.id).apply(
            lambda known: str(known[0])
        )
        self.register_outputs({"className": self.class_name})


def config(path: str) -> dict[str, str]:
    """Return the provisioner's configuration files for volumes under ``path``.

    Source: https://github.com/rancher/local-path-provisioner#configuration
    """
    helper = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "helper-pod"},
        "spec": {
            "priorityClassName": "system-node-critical",
            # A full disk must not keep volumes from being removed.
            "tolerations": [{"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"}],
            "containers": [{"name": "helper-pod", "image": HELPER_IMAGE, "imagePullPolicy": "IfNotPresent"}],
        },
    }
    nodes = {"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [path]}]}
    return {
        "config.json": json.dumps(nodes, indent=2),
        "setup": '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        "teardown": '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        # JSON is YAML.
        "helperPod.yaml": json.dumps(helper, indent=2),
    }


def cluster_rights() -> Manifest:
    """Return the provisioner's rights in the cluster: to answer claims with volumes."""
    return {
        "metadata": metadata(NAME, None, "storage"),
        "rules": [
            {
                "apiGroups": [""],
                # It unpins a claim whose node is gone by updating it.
                "resources": ["persistentvolumeclaims"],
                "verbs": ["get", "list", "watch", "update"],
            },
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
            {
                "apiGroups": [""],
                "resources": ["persistentvolumes"],
                "verbs": ["get", "list", "watch", "create", "patch", "update", "delete"],
            },
            {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
            {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get", "list", "watch"]},
        ],
    }


def rights(ns: pulumi.Input[str]) -> Manifest:
    """Return the provisioner's rights in its namespace: to run the pods that make and remove folders."""
    return {
        "metadata": metadata(NAME, ns, "storage"),
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "create", "delete"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]},
        ],
    }


def deployment_args(
    ns: pulumi.Input[str], mounted: pulumi.Input[str], account: pulumi.Input[str], files: dict[str, str]
) -> Manifest:
    """Return the Deployment of the provisioner; ``mounted`` names the ConfigMap of ``files``."""
    container = {
        "name": "provisioner",
        "image": IMAGE,
        "command": ["local-path-provisioner", "start", "--config", "/etc/config/config.json"],
        "env": [
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "SERVICE_ACCOUNT_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}},
            {"name": "CONFIG_MOUNT_PATH", "value": "/etc/config/"},
        ],
        # A claim's volume is removed after the claim, and nothing waits for that. Where both are deleted one after the
        # other, as by `pulumi destroy`, the volume would outlive the provisioner, and stay.
        "lifecycle": {"preStop": {"sleep": {"seconds": 6}}},
        "resources": {"requests": {"cpu": "10m", "memory": "24Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/config", "readOnly": True}],
    }
    return {
        "metadata": metadata(NAME, ns, "storage"),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector(NAME)},
            # It has no leader election: two at once would answer the same claim twice.
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {
                    "labels": labels(NAME, "storage"),
                    "annotations": checksum(*files.values()),
                },
                "spec": {
                    "serviceAccountName": account,
                    "automountServiceAccountToken": True,
                    "securityContext": POD_SECURITY,
                    "containers": [container],
                    "volumes": [{"name": "config", "configMap": {"name": mounted}}],
                },
            },
        },
    }


def local_path_class() -> Manifest:
    """Return the default StorageClass. A volume is made on the node of the first pod that mounts it."""
    return {
        "metadata": {
            **metadata(CLASS, None, "storage"),
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        # A folder has no size of its own; without it no claim could ask for more later.
        "allowVolumeExpansion": True,
    }
