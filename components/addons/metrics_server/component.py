"""The resource metrics of nodes and pods: what ``kubectl top`` shows and a HorizontalPodAutoscaler scales by."""

import base64

import pulumi

from components.addons.addon import Context
from components.addons.metrics_server import MetricsServerOptions
from components.kinds import (
    APIService,
    ClusterRole,
    ClusterRoleBinding,
    Deployment,
    RoleBinding,
    Service,
    ServiceAccount,
)
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    binding,
    labels,
    metadata,
    selector,
    service_account,
)

IMAGE = "registry.k8s.io/metrics-server/metrics-server:v0.9.0"
NAMESPACE = "kube-system"
NAME = "metrics-server"
GROUP = "metrics.k8s.io"
VERSION = "v1beta1"
PORT = 10250
HOST = f"{NAME}.{NAMESPACE}.svc"
"""What the API server expects in the certificate of an APIService's server: the name of its Service."""
CERTIFICATE = "/etc/metrics-server"


class MetricsServer(pulumi.ComponentResource):
    """The metrics server, and its API ``metrics.k8s.io`` in the cluster's.

    Source of the objects: https://github.com/kubernetes-sigs/metrics-server/tree/v0.9.0/manifests/base
    """

    api: pulumi.Output[str]
    """Name of the APIService; known when there are metrics to ask for."""

    def __init__(
        self, name: str, options: MetricsServerOptions, context: Context, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:MetricsServer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        account = ServiceAccount(f"{name}-account", **service_account(NAME, NAMESPACE, NAME), opts=child)
        ClusterRole(f"{name}-reader", **reader(), opts=child)
        bindings = self._bind(name, account.metadata["name"])
        certificate = context.authority.issue(
            f"{name}-tls",
            {"hosts": [HOST], "secret_name": f"{NAME}-tls", "namespace": NAMESPACE, "component": NAME},
            child,
        )
        deployment = Deployment(
            f"{name}-deployment",
            **deployment_args(account.metadata["name"], certificate.secret, options.kubelet_insecure_tls),
            # Without its rights it isn't ready; Pulumi can't see that from the fields.
            opts=pulumi.ResourceOptions(parent=self, depends_on=bindings),
        )
        service = Service(
            f"{name}-service", **service_args(), opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment])
        )
        registered = APIService(
            f"{name}-api",
            **api_service(service.metadata["name"], context.authority.certificate),
            # Made last and removed first: while an API is registered that nobody serves, no namespace can be removed.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment, service]),
        )
        self.api = registered.metadata["name"]
        self.register_outputs({"api": self.api})

    def _bind(self, name: str, account: pulumi.Input[str]) -> list[pulumi.Resource]:
        """Bind to the account what it needs: to read metrics, and to ask the API server who asks it and what he may."""
        child = pulumi.ResourceOptions(parent=self)
        role = ClusterRole(f"{name}-role", **cluster_role(), opts=child)

        def cluster_wide(part: str, meta: str, bound: pulumi.Input[str]) -> ClusterRoleBinding:
            return ClusterRoleBinding(
                f"{name}-{part}",
                **binding(metadata(meta, None, NAME, NAME), "ClusterRole", bound, account, NAMESPACE),
                opts=child,
            )

        authentication = "extension-apiserver-authentication-reader"
        return [
            cluster_wide("binding", f"system:{NAME}", role.metadata["name"]),
            cluster_wide("delegation", f"{NAME}:system:auth-delegator", "system:auth-delegator"),
            RoleBinding(
                f"{name}-authentication",
                **binding(
                    metadata(f"{NAME}-auth-reader", NAMESPACE, NAME, NAME), "Role", authentication, account, NAMESPACE
                ),
                opts=child,
            ),
        ]


def cluster_role() -> Manifest:
    """Return the rights of the metrics server: the metrics of the kubelets, and which pods and nodes there are."""
    return {
        "metadata": metadata(f"system:{NAME}", None, NAME, NAME),
        "rules": [
            {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
        ],
    }


def reader() -> Manifest:
    """Return the role to read the metrics. Kubernetes adds it to its own roles ``view``, ``edit`` and ``admin``."""
    meta = metadata("system:aggregated-metrics-reader", None, NAME, NAME)
    aggregated = {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("view", "edit", "admin")}
    return {
        "metadata": meta | {"labels": meta["labels"] | aggregated},
        "rules": [{"apiGroups": [GROUP], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]}],
    }


def deployment_args(account: pulumi.Input[str], certificate: pulumi.Input[str], kubelet_insecure_tls: bool) -> Manifest:
    """Return the Deployment of the metrics server.

    Args:
        account: Its ServiceAccount.
        certificate: The ``kubernetes.io/tls`` Secret with its certificate, which it reads again when that changes.
        kubelet_insecure_tls: Whether it takes any certificate of a kubelet; if not, it verifies them by the authority
            that comes with the account's token.
    """
    live, ready = ({"httpGet": {"path": path, "port": "https", "scheme": "HTTPS"}} for path in ("/livez", "/readyz"))
    container = {
        "name": NAME,
        "image": IMAGE,
        "args": [
            f"--secure-port={PORT}",
            f"--tls-cert-file={CERTIFICATE}/tls.crt",
            f"--tls-private-key-file={CERTIFICATE}/tls.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-use-node-status-port",
            # As often as autoscalers look.
            "--metric-resolution=15s",
            "--profiling=false",
            *(["--kubelet-insecure-tls"] if kubelet_insecure_tls else []),
        ],
        "ports": [{"name": "https", "containerPort": PORT}],
        "startupProbe": {**live, "periodSeconds": 1, "failureThreshold": 60},
        # It is ready when it has metrics.
        "readinessProbe": {**ready, "periodSeconds": 2},
        "livenessProbe": {**live, "periodSeconds": 10},
        "resources": {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "certificate", "mountPath": CERTIFICATE, "readOnly": True}],
    }
    return {
        "metadata": metadata(NAME, NAMESPACE, NAME),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 300,
            "selector": {"matchLabels": selector(NAME)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels(NAME, NAME)},
                "spec": {
                    "serviceAccountName": account,
                    "automountServiceAccountToken": True,
                    "enableServiceLinks": False,
                    "priorityClassName": "system-cluster-critical",
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "securityContext": POD_SECURITY,
                    "terminationGracePeriodSeconds": 10,
                    "containers": [container],
                    "volumes": [
                        {"name": "certificate", "secret": {"secretName": certificate, "defaultMode": 0o440}},
                    ],
                },
            },
        },
    }


def service_args() -> Manifest:
    """Return the Service that the API server reaches the metrics server by."""
    return {
        "metadata": metadata(NAME, NAMESPACE, NAME),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(NAME),
            "ports": [{"name": "https", "port": 443, "targetPort": "https", "appProtocol": "https"}],
        },
    }


def api_service(served_by: pulumi.Input[str], authority: pulumi.Input[str]) -> Manifest:
    """Return the registration of the metrics API.

    Args:
        served_by: Name of the Service.
        authority: Certificate of who issued its certificate, PEM. Upstream's manifest has the API server verify none.
    """
    bundle = pulumi.Output.from_input(authority).apply(lambda pem: base64.b64encode(pem.encode()).decode())
    return {
        "metadata": metadata(f"{VERSION}.{GROUP}", None, NAME, NAME),
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": served_by, "namespace": NAMESPACE, "port": 443},
            "caBundle": bundle,
        },
    }
