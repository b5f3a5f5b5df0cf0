"""The rights of the cluster's components that Kubernetes doesn't bring itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from embedded.cluster import pki, plan
from embedded.cluster.plan import Node

RBAC = "rbac.authorization.k8s.io"
KUBELET_API = "system:kubelet-api-admin"
CLIENT = "kube-apiserver-kubelet-client"
KUBE_ROUTER = "inspiration:kube-router"
JOINING = "system:bootstrappers:inspiration"
"""Group of the tokens with which the kubelets of further nodes join."""

_REQUESTS = "system:certificates.k8s.io:certificatesigningrequests"
FURTHER = {
    "kubelet-bootstrap": (JOINING, "system:node-bootstrapper"),
    "node-autoapprove-bootstrap": (JOINING, f"{_REQUESTS}:nodeclient"),
    "node-autoapprove-certificate-rotation": ("system:nodes", f"{_REQUESTS}:selfnodeclient"),
    "kube-proxies": (pki.PROXIES, "system:node-proxier"),
    "kube-routers": (pki.ROUTERS, KUBE_ROUTER),
}
"""What further nodes need: a group and its role, by the binding's name. The first three are kubeadm's."""


def objects(further: Sequence[Node]) -> list[dict[str, Any]]:
    """Return the roles and bindings of a cluster with these ``further`` nodes."""
    return [
        # The API server asks the kubelet for logs and exec.
        _binding(f"inspiration:{CLIENT}", "User", CLIENT, KUBELET_API),
        _kube_router([plan.NODE, *(node.name for node in further)]),
        _binding(KUBE_ROUTER, "User", KUBE_ROUTER, KUBE_ROUTER),
        *(_binding(f"inspiration:{name}", "Group", *given) for name, given in (FURTHER if further else {}).items()),
    ]


def _kube_router(nodes: list[str]) -> dict[str, Any]:
    """The right to see what NetworkPolicies are made of."""
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "pods"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes"], "resourceNames": nodes, "verbs": ["get"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["list", "watch"]},
    ]
    return {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": KUBE_ROUTER}, "rules": rules}


def _binding(name: str, kind: str, subject: str, role: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": kind, "name": subject}],
    }
