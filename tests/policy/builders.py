"""Kubernetes objects that follow all rules, and variants of them."""

from collections.abc import Mapping
from typing import Any

from policy.objects import KubernetesObject

DIGEST = "sha256:" + "0" * 64
GONE = object()
"""Stands for a field that is left out."""

CONTAINER: dict[str, Any] = {
    "name": "web",
    "image": f"ghcr.io/me/web@{DIGEST}",
    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
    "livenessProbe": {"httpGet": {"path": "/", "port": 8080}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}
POD: dict[str, Any] = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [CONTAINER],
}


def deployment(pod: Mapping[str, Any] = POD, component: str = "dns", **metadata: Any) -> KubernetesObject:
    named = {"name": "web", "namespace": "blog", "labels": {"app.kubernetes.io/component": component}, **metadata}
    return KubernetesObject("apps/Deployment", {"metadata": named, "spec": {"template": {"spec": pod}}})


def pod(**changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**POD, **changed}.items() if value is not GONE}


def container(**changed: Any) -> dict[str, Any]:
    return pod(containers=[{name: value for name, value in {**CONTAINER, **changed}.items() if value is not GONE}])


def secured(**changed: Any) -> dict[str, Any]:
    return container(securityContext={**CONTAINER["securityContext"], **changed})


def resources(requests: Mapping[str, str], limits: Mapping[str, str]) -> dict[str, Any]:
    return container(resources={"requests": requests, "limits": limits})


def namespace(level: str | None, name: str = "blog") -> KubernetesObject:
    labels = {} if level is None else {"pod-security.kubernetes.io/enforce": level}
    return KubernetesObject("core/Namespace", {"metadata": {"name": name, "labels": labels}})


def ingress(**spec: Any) -> KubernetesObject:
    metadata = {"name": "web", "namespace": "blog"}
    return KubernetesObject("networking.k8s.io/Ingress", {"metadata": metadata, "spec": spec})


def service(**spec: Any) -> KubernetesObject:
    return KubernetesObject("core/Service", {"metadata": {"name": "web", "namespace": "blog"}, "spec": spec})


def role(
    resources: list[str], verbs: list[str], groups: tuple[str, ...] = ("",), name: str = "reader", component: str = "ui"
) -> KubernetesObject:
    rules = [{"apiGroups": list(groups), "resources": resources, "verbs": verbs}]
    metadata = {"name": name, "labels": {"app.kubernetes.io/component": component}}
    return KubernetesObject("rbac.authorization.k8s.io/ClusterRole", {"metadata": metadata, "rules": rules})


def binding(to: str, component: str = "ui", name: str = "grant") -> KubernetesObject:
    metadata = {"name": name, "labels": {"app.kubernetes.io/component": component}}
    role_ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": to}
    return KubernetesObject(
        "rbac.authorization.k8s.io/ClusterRoleBinding", {"metadata": metadata, "roleRef": role_ref, "subjects": []}
    )


def account(automount: bool) -> KubernetesObject:
    manifest = {"metadata": {"name": "web", "namespace": "blog"}, "automountServiceAccountToken": automount}
    return KubernetesObject("core/ServiceAccount", manifest)
