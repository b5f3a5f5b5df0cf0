"""What the Kubernetes objects of all components have in common.

Objects are plain dicts, the keyword arguments of their resources (`components.kinds`). The names of all fields are the
API's own, as in Kubernetes' documentation. Values may be Pulumi Inputs.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, TypeAlias

import pulumi

Manifest: TypeAlias = dict[str, Any]
"""A Kubernetes object without ``apiVersion`` and ``kind``, which its resource adds, or a part of one."""

NON_ROOT = 65532
"""User and group of the containers: the ``nonroot`` user of the distroless images."""

POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": NON_ROOT,
    "runAsGroup": NON_ROOT,
    "fsGroup": NON_ROOT,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""Pod-level part of the Pod Security Standard *restricted*."""

CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    # The binaries of the upstream images of Caddy and CoreDNS carry this capability in the file system. The kernel
    # refuses to execute such a file (EPERM) where the capability can't be had; *restricted* allows this one.
    "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
}
"""Container-level part of the Pod Security Standard *restricted*."""


INGRESS_TIMEOUT: Mapping[str, str] = {"pulumi.com/timeoutSeconds": "180"}
"""Annotation of Ingresses: Pulumi waits so long for a controller to give one its address, instead of ten minutes.

Controllers that run take seconds, those that make a cloud's load balancer two or three minutes.
"""

DELETED_IN_BACKGROUND: Mapping[str, str] = {"pulumi.com/deletionPropagationPolicy": "background"}
"""Annotation of workloads whose end nothing waits for, but their namespace: `pulumi destroy` needn't take one by one.

It deletes in the order of the graph, and would wait for the pods of each in turn.
"""

PATCH_FORCE: Mapping[str, str] = {"pulumi.com/patchForce": "true"}
"""Annotation of objects whose declared fields are the stack's, whoever has changed them meanwhile."""

SKIP_AWAIT: Mapping[str, str] = {"pulumi.com/skipAwait": "true"}
"""Annotation of objects that Pulumi doesn't wait for."""


def annotated(metadata: Mapping[str, Any], annotations: Mapping[str, str]) -> Manifest:
    """Return an object's metadata with ``annotations``; what it says itself of them wins."""
    return {**metadata, "annotations": {**annotations, **(metadata.get("annotations") or {})}}


def selector(name: str) -> dict[str, str]:
    """Return the labels that tell the pods of the workload ``name`` from others. They can't change later."""
    return {"app.kubernetes.io/name": name}


LONGEST_LABEL = 63
"""Characters of a label's value."""

PART_OF = "app.kubernetes.io/part-of"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"


PROGRAM = "inspiration"
"""What this program's project is called unless somebody gives it another name."""


def instance() -> str:
    """Return the stack's name as the value of a label, by which its objects are told from another stack's.

    Projects of other names may have a stack of the same name, ``dev`` as a rule; so theirs begins with that.
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    name = stack if project == PROGRAM else f"{project}.{stack}"
    if project != PROGRAM and len(name) > LONGEST_LABEL:
        name = f"{name[: LONGEST_LABEL - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    # Pulumi allows 100 characters, and any of these at the ends.
    return name[:LONGEST_LABEL].strip("-_.")


def labels(name: str, component: str) -> dict[str, str]:
    """Return the recommended labels of the workload ``name``, which plays the part ``component`` in the stack.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
    """
    return {
        **selector(name[:LONGEST_LABEL].rstrip("-_.")),
        INSTANCE: instance(),
        COMPONENT: component,
        PART_OF: PROGRAM,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def namespace_args(name: str, component: str, level: str, more: Mapping[str, str] | None = None) -> Manifest:
    """Return the Namespace ``name``, with the Pod Security Standard ``level``, such as ``restricted``.

    ``more`` are labels that something else asks for.
    """
    modes = ("enforce", "audit", "warn")
    security = {f"pod-security.kubernetes.io/{mode}": level for mode in modes}
    return {"metadata": {"name": name, "labels": {**labels(name, component), **security, **(more or {})}}}


def metadata(name: str, ns: Any, component: str, app: str | None = None) -> Manifest:
    """Return the metadata of the object ``name``, which belongs to the workload ``app`` (by default of the same name).

    ``ns`` is its namespace, ``None`` for an object outside namespaces.
    """
    return {"name": name, "labels": labels(app or name, component)} | ({"namespace": ns} if ns is not None else {})


def config_map(name: str, ns: Any, component: str, files: dict[str, str]) -> Manifest:
    """Return the ConfigMap of ``files``, contents by name."""
    return {"metadata": metadata(name, ns, component), "data": files}


def opaque_secret(name: str, ns: Any, component: str, files: Mapping[str, pulumi.Input[str]]) -> Manifest:
    """Return the Secret of ``files``, contents by name."""
    return {"metadata": metadata(name, ns, component), "type": "Opaque", "data": encoded(files)}


def encoded(files: Mapping[str, pulumi.Input[str]]) -> dict[str, pulumi.Output[str]]:
    """Return the ``data`` of a Secret: the contents of ``files`` in base64, secret in Pulumi's state as well."""
    return {
        name: pulumi.Output.secret(content).apply(lambda text: base64.b64encode(text.encode()).decode())
        for name, content in files.items()
    }


def service_account(name: str, ns: Any, component: str) -> Manifest:
    """Return a ServiceAccount whose token is mounted only in the pods that ask for it."""
    return {"metadata": metadata(name, ns, component), "automountServiceAccountToken": False}


def binding(meta: Manifest, role_kind: str, role: Any, account: Any, ns: Any) -> Manifest:
    """Return the RoleBinding or ClusterRoleBinding of a ``role_kind`` to the ServiceAccount ``account`` in ``ns``."""
    return {
        "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": ns}],
    }


def in_namespace(name: pulumi.Input[str]) -> Manifest:
    """Return the peer of a NetworkPolicy that is the namespace ``name``: all pods there."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def allow_from(peer: pulumi.Input[str] | None, *ports: int | str) -> Manifest:
    """Return the rule of a NetworkPolicy that lets the namespace ``peer`` (``None``: anybody) in to TCP ``ports``."""
    rule: Manifest = {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}
    if peer is not None:
        rule["from"] = [in_namespace(peer)]
    return rule


def internal_service(meta: Manifest, app: str, name: str, port: int) -> Manifest:
    """Return a Service for the cluster alone: its ``port`` leads to the one called ``name`` of the pods of ``app``."""
    return {
        "metadata": meta,
        "spec": {
            "type": "ClusterIP",
            "selector": selector(app),
            "ports": [{"name": name, "port": port, "targetPort": name}],
        },
    }


def volume_claim(
    meta: Manifest, size: str, storage_class: pulumi.Input[str] | None, mode: str = "ReadWriteOnce"
) -> Manifest:
    """Return the claim of a volume; ``storage_class`` ``None`` is the cluster's default one."""
    spec: Manifest = {"accessModes": [mode], "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {"metadata": meta, "spec": spec}


def disruption_budget(name: str, ns: Any, component: str) -> Manifest:
    """Return the PodDisruptionBudget that lets a drain evict the pods of ``name`` one by one.

    ``maxUnavailable`` rather than ``minAvailable``: with a single replica, the latter would block the drain for ever.
    """
    return {
        "metadata": metadata(name, ns, component),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(name)}},
    }


def spread(name: str) -> list[Manifest]:
    """Return the topologySpreadConstraints that spread the pods of ``name`` over the nodes, where there are several."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(name)},
        }
    ]


def checksum(*contents: str) -> dict[str, str]:
    """Return a pod annotation that changes with ``contents``: programs that read a ConfigMap only once get new pods."""
    return {"inspiration/config-sha256": hashlib.sha256("\0".join(contents).encode()).hexdigest()}
