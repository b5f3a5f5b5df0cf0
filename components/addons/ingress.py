"""The ingress controller: Traefik in its ingress-nginx mode."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet
from pulumi_kubernetes.core.v1 import Namespace, ServiceAccount
from pulumi_kubernetes.networking.v1 import IngressClass
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    binding,
    labels,
    metadata,
    namespace,
    selector,
    service_account,
)

IMAGE = "docker.io/library/traefik:v3.7.15"
NAMESPACE = "ingress"
NAME = "traefik"
DEFAULT_CLASS = "nginx"
"""Name of the IngressClass unless another one is asked for."""
CONTROLLER = "k8s.io/ingress-nginx"
"""Controller of the IngressClass: Traefik answers for ingress-nginx and reads its annotations."""


class IngressControllerArgs(TypedDict):
    """The ingress controller."""

    class_name: str
    """Name of the IngressClass."""
    http_port: int
    """Port on every node for HTTP."""
    https_port: int
    """Port on every node for HTTPS and TLS passthrough."""
    address: str
    """Published in the status of each Ingress: where its hosts should resolve to."""
    tracing_endpoint: NotRequired[pulumi.Input[str] | None]
    """URL to send the trace of each request to, OTLP over HTTP; default: requests aren't traced."""


class IngressController(pulumi.ComponentResource):
    """Traefik on every node. Plain Ingresses work, and ingress-nginx' annotations, TLS passthrough among them."""

    class_name: pulumi.Output[str]
    """Name of the IngressClass; known when the controller answers."""
    namespace: pulumi.Output[str]
    """Where the controller's pods run: what NetworkPolicies let in."""
    controller = CONTROLLER
    """Controller of the IngressClass."""

    def __init__(self, name: str, args: IngressControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:IngressController", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        # Host ports are what Pod Security calls privileged; everything else about these pods is restricted.
        home = Namespace(f"{name}-namespace", **namespace(NAMESPACE, "ingress", "privileged"), opts=child)
        ns = home.metadata.name
        account = ServiceAccount(f"{name}-account", **service_account(NAME, ns, "ingress"), opts=child)
        role = ClusterRole(f"{name}-role", **cluster_role(), opts=child)
        grant = ClusterRoleBinding(
            f"{name}-binding",
            **binding(metadata(NAME, None, "ingress"), "ClusterRole", role.metadata.name, account.metadata.name, ns),
            opts=child,
        )
        ingress_class = IngressClass(f"{name}-class", **nginx_class(args["class_name"]), opts=child)
        controller = DaemonSet(
            f"{name}-daemonset",
            **daemon_set(ns, account.metadata.name, args),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[grant]),
        )
        self.class_name = pulumi.Output.all(ingress_class.metadata.name, controller.id).apply(
            lambda known: str(known[0])
        )
        self.namespace = ns
        self.register_outputs({"className": self.class_name, "namespace": self.namespace})


def arguments(args: IngressControllerArgs) -> list[str]:
    """Return Traefik's static configuration.

    Source: https://doc.traefik.io/traefik/v3.7/reference/install-configuration/providers/kubernetes/kubernetes-ingress-nginx
    """
    provider = "--providers.kubernetesIngressNGINX"
    return [
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
        "--log.level=INFO",
        "--log.format=json",
        "--accessLog=true",
        "--accessLog.format=json",
        "--ping=true",
        "--entryPoints.traefik.address=:8080",
        # For the addon prometheus or another; on from the start, since a change makes a new pod, which takes a moment.
        "--metrics.prometheus=true",
        "--metrics.prometheus.entryPoint=traefik",
        "--entryPoints.web.address=:8000",
        "--entryPoints.websecure.address=:8443",
        # Headers such as X_Forwarded_For would reach backends as X-Forwarded-For, which only Traefik may set.
        *(f"--entryPoints.{entry}.http.aliasHeadersStrategy=delete" for entry in ("web", "websecure")),
        # Keep answering until no new connections are sent here, then let requests end.
        *(
            f"--entryPoints.{entry}.transport.lifeCycle.{phase}"
            for entry in ("web", "websecure")
            for phase in ("requestAcceptGraceTimeout=2s", "graceTimeOut=5s")
        ),
        # Pods that end leave the routes well within the pause that they make for it; the default is 2 s.
        "--providers.providersThrottleDuration=500ms",
        f"{provider}=true",
        f"{provider}.controllerClass={CONTROLLER}",
        f"{provider}.ingressClass={args['class_name']}",
        # Without these two, routers attach to entry points that aren't meant for them.
        f"{provider}.httpEntryPoint=web",
        f"{provider}.httpsEntryPoint=websecure",
        # Without it no Ingress gets a status, and Pulumi waits for one.
        f"{provider}.publishStatusAddress={args['address']}",
    ]


def tracing(endpoint: pulumi.Input[str]) -> list[pulumi.Input[str]]:
    """Return the static configuration that has Traefik trace each request, and tell the site (W3C Trace Context).

    Source: https://doc.traefik.io/traefik/v3.7/reference/install-configuration/observability/tracing/
    """
    return ["--tracing.sampleRate=1", pulumi.Output.format("--tracing.otlp.http.endpoint={0}", endpoint)]


def resource_attributes() -> list[Manifest]:
    """Return the environment that tells the traces whose they are. Otherwise Traefik asks for a right to read pods."""
    fields = {"POD_NAMESPACE": "metadata.namespace", "POD_NAME": "metadata.name", "POD_UID": "metadata.uid"}
    attributes = "k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME),k8s.pod.uid=$(POD_UID)"
    return [
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
        {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": attributes},
    ]


def cluster_role() -> Manifest:
    """Return the rights of Traefik: to watch what routes are made of, and to write the Ingresses' status."""
    watch = ["get", "list", "watch"]
    return {
        "metadata": metadata(NAME, None, "ingress"),
        "rules": [
            {"apiGroups": [""], "resources": ["services", "secrets", "configmaps", "namespaces"], "verbs": watch},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingressclasses"], "verbs": watch},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["update"]},
        ],
    }


def nginx_class(name: str) -> Manifest:
    """Return the IngressClass of ingress-nginx, the default one."""
    return {
        "metadata": {
            **metadata(name, None, "ingress"),
            "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
        },
        "spec": {"controller": CONTROLLER},
    }


def daemon_set(ns: pulumi.Input[str], account: pulumi.Input[str], args: IngressControllerArgs) -> Manifest:
    """Return the DaemonSet of Traefik, which holds the host's ports."""
    endpoint = args.get("tracing_endpoint")
    container = {
        "name": "traefik",
        "image": IMAGE,
        "args": [*arguments(args), *(tracing(endpoint) if endpoint is not None else [])],
        **({"env": resource_attributes()} if endpoint is not None else {}),
        "ports": [
            {"name": "http", "containerPort": 8000, "hostPort": args["http_port"]},
            {"name": "https", "containerPort": 8443, "hostPort": args["https_port"]},
            {"name": "metrics", "containerPort": 8080},
        ],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY,
    }
    return {
        "metadata": metadata(NAME, ns, "ingress"),
        "spec": {
            "selector": {"matchLabels": selector(NAME)},
            # A host port has room for one pod at a time: the old one must go before the new one can come.
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "template": {
                "metadata": {"labels": labels(NAME, "ingress")},
                "spec": {
                    "serviceAccountName": account,
                    "automountServiceAccountToken": True,
                    "priorityClassName": "system-cluster-critical",
                    "terminationGracePeriodSeconds": 15,
                    "securityContext": POD_SECURITY,
                    "containers": [container],
                },
            },
        },
    }
