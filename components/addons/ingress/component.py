"""The ingress controller: Traefik in its ingress-nginx mode."""

from collections.abc import Callable
from dataclasses import replace

import pulumi

from components.addons.ingress import DEFINITIONS, NAMESPACE, IngressControllerOptions, NodePorts, gateway
from components.ingress import Gateway, IngressOptions
from components.kinds import (
    ClusterRole,
    ClusterRoleBinding,
    CustomResourceDefinition,
    DaemonSet,
    Ingress,
    IngressClass,
    KubernetesObject,
    Namespace,
    Service,
    ServiceAccount,
)
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    SKIP_AWAIT,
    Manifest,
    binding,
    labels,
    metadata,
    namespace_args,
    selector,
    service_account,
)

IMAGE = "docker.io/library/traefik:v3.7.15"
NAME = "traefik"
CONTROLLER = "k8s.io/ingress-nginx"
"""Controller of the IngressClass: Traefik answers for ingress-nginx and reads its annotations."""
SYSCTLS = [{"name": "net.ipv4.ip_local_port_range", "value": "1024 65535"}]
"""Traefik keeps two idle connections to a Service and makes all others anew, whatever is asked for.

The port of each rests for a minute then. Looking for a free one among the default 28,000 was half of its work under
load. Pod Security *restricted* allows this. Source: https://github.com/traefik/traefik/issues/13123
"""
STARTUP_HOST = "startup-probe.invalid"
"""Host of an Ingress of Traefik's own: a Traefik that answers for it has read all Ingresses. RFC 6761: no such name."""


class IngressController(pulumi.ComponentResource):
    """Traefik on every node. Plain Ingresses work, and ingress-nginx' annotations, TLS passthrough among them.

    Args:
        name: What the names of its resources begin with.
        options: The addon's options.
        ingress: Its IngressClass and its ports.
        tracing_endpoint: URL to send the trace of each request to, OTLP over HTTP; default: requests aren't traced.
        published: Returns the text at a URL, for the definitions of the Gateway API; default: they are there already.
        opts: Pulumi's options.
    """

    class_name: pulumi.Output[str]
    """Name of the IngressClass; known when the controller answers."""
    namespace: pulumi.Output[str]
    """Where the controller's pods run: what NetworkPolicies let in."""
    controller = CONTROLLER
    """Controller of the IngressClass."""
    gateway: Gateway | None = None
    """What the sites' routes attach to; ``None``: they have Ingresses, or a Gateway of somebody else."""

    def __init__(
        self,
        name: str,
        options: IngressControllerOptions,
        ingress: IngressOptions,
        tracing_endpoint: pulumi.Input[str] | None = None,
        published: Callable[[str], str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("inspiration:index:IngressController", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        node_ports = options.node_ports
        # Host ports are what Pod Security calls privileged; everything else about these pods is restricted.
        level = "restricted" if node_ports else "privileged"
        namespace = Namespace(f"{name}-namespace", **namespace_args(NAMESPACE, "ingress", level), opts=child)
        ns = namespace.metadata["name"]
        account = ServiceAccount(f"{name}-account", **service_account(NAME, ns, "ingress"), opts=child)
        routes = ingress.by_addons_gateway
        role = ClusterRole(f"{name}-role", **cluster_role(routes=routes), opts=child)
        cluster_role_binding = ClusterRoleBinding(
            f"{name}-binding",
            **binding(
                metadata(NAME, None, "ingress"), "ClusterRole", role.metadata["name"], account.metadata["name"], ns
            ),
            opts=child,
        )
        ingress_class = IngressClass(f"{name}-class", **nginx_class(ingress.class_name), opts=child)
        probed = Service(f"{name}-itself", **probed_service(ns), opts=child)
        startup = Ingress(
            f"{name}-startup",
            **startup_ingress(ns, ingress_class.metadata["name"], probed.metadata["name"]),
            opts=child,
        )
        needed: list[pulumi.Resource] = [cluster_role_binding, startup]
        attached = None
        if routes:
            declared, attached = self._gateway(name, ns, published if options.gateway_api else None)
            needed += declared
        controller = DaemonSet(
            f"{name}-daemonset",
            **daemon_set(ns, account.metadata["name"], ingress, tracing_endpoint, on_host=not node_ports),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needed),
        )
        answering: list[pulumi.CustomResource] = [controller]
        if node_ports:
            service = Service(
                f"{name}-service",
                **node_port_service(ns, node_ports),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[controller]),
            )
            answering.append(service)

        def known(value: pulumi.Output[str]) -> pulumi.Output[str]:
            """Return ``value`` when the controller answers."""
            return pulumi.Output.all(value, *(each.id for each in answering)).apply(lambda values: str(values[0]))

        self.class_name = known(ingress_class.metadata["name"])
        self.namespace = ns
        if attached:
            self.gateway = replace(attached, namespace=known(ns))
        self.register_outputs({"className": self.class_name, "namespace": self.namespace})

    def _gateway(
        self, name: str, ns: pulumi.Input[str], published: Callable[[str], str] | None
    ) -> tuple[list[pulumi.Resource], Gateway]:
        """Declare the Gateway that the sites' routes attach to; return what Traefik needs for it, and it."""
        child = pulumi.ResourceOptions(parent=self)
        found = gateway.definitions(published(DEFINITIONS)) if published else ()
        defined = [CustomResourceDefinition(f"{name}-{plural}", **each, opts=child) for plural, each in found]
        after = pulumi.ResourceOptions(parent=self, depends_on=defined)
        gateway_class = KubernetesObject(f"{name}-gateway-class", **gateway.gateway_class(), opts=after)
        class_name = gateway_class.id.apply(lambda _: gateway.NAME)
        made = KubernetesObject(f"{name}-gateway", **gateway.gateway(ns, class_name), opts=after)
        parent = made.id.apply(lambda _: gateway.NAME)
        route = KubernetesObject(f"{name}-startup-route", **gateway.startup_route(ns, parent, STARTUP_HOST), opts=after)
        return [*defined, route], Gateway(ns, parent, class_name, gateway.HTTPS_PORT)


def arguments(options: IngressOptions) -> list[str]:
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
        f"--entryPoints.web.address=:{gateway.HTTP_PORT}",
        f"--entryPoints.websecure.address=:{gateway.HTTPS_PORT}",
        # Headers such as X_Forwarded_For would reach backends as X-Forwarded-For, which only Traefik may set.
        *(f"--entryPoints.{entry}.http.aliasHeadersStrategy=delete" for entry in ("web", "websecure")),
        # Keep answering until no new connections are sent here, then let requests end.
        *(
            f"--entryPoints.{entry}.transport.lifeCycle.{phase}"
            for entry in ("web", "websecure")
            for phase in ("requestAcceptGraceTimeout=5s", "graceTimeOut=5s")
        ),
        # Pods that end leave the routes well within the pause that they make for it; the default is 2 s.
        "--providers.providersThrottleDuration=500ms",
        f"{provider}=true",
        f"{provider}.controllerClass={CONTROLLER}",
        f"{provider}.ingressClass={options.class_name}",
        # Without these two, routers attach to entry points that aren't meant for them.
        f"{provider}.httpEntryPoint=web",
        f"{provider}.httpsEntryPoint=websecure",
        # Without it no Ingress gets a status, and Pulumi waits for one.
        f"{provider}.publishStatusAddress={options.address}",
        # A pod of a node that is gone answers nothing, and is asked until Kubernetes sees that, after some 50 s: wait
        # for so many seconds only, then ask the next one. That is the next for whoever asks, so that all of three
        # attempts, the default, often meet the same pod.
        f"{provider}.proxyConnectTimeout=1",
        f"{provider}.proxyNextUpstreamTries=10",
        *(gateway.arguments(options.address) if options.by_addons_gateway else []),
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


def cluster_role(*, routes: bool = False) -> Manifest:
    """Return the rights of Traefik: to watch what routes are made of, and to write the Ingresses' status.

    ``routes``: those of the Gateway API, too.
    """
    watch = ["get", "list", "watch"]
    return {
        "metadata": metadata(NAME, None, "ingress"),
        "rules": [
            {"apiGroups": [""], "resources": ["services", "secrets", "configmaps", "namespaces"], "verbs": watch},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingressclasses"], "verbs": watch},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["update"]},
            *(gateway.rules() if routes else []),
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


def probed_service(ns: pulumi.Input[str]) -> Manifest:
    """Return the Service by which each Traefik asks itself."""
    return {
        "metadata": metadata("itself", ns, "ingress", NAME),
        "spec": {
            "type": "ExternalName",
            "externalName": "localhost",
            "ports": [{"name": "ping", "port": 8080, "targetPort": 8080}],
        },
    }


def startup_ingress(ns: pulumi.Input[str], class_name: pulumi.Input[str], probed: pulumi.Input[str]) -> Manifest:
    """Return the Ingress that each Traefik is asked for until it has read it, and all others with it.

    Before that it answers 404 to all requests, and ``/ping`` alike: https://github.com/traefik/traefik/issues/10458.
    """
    backend = {"service": {"name": probed, "port": {"name": "ping"}}}
    return {
        "metadata": {
            **metadata("startup-probe", ns, "ingress", NAME),
            # It gets its status from the Traefik that it is made for.
            "annotations": dict(SKIP_AWAIT),
        },
        "spec": {
            "ingressClassName": class_name,
            "rules": [
                {
                    "host": STARTUP_HOST,
                    "http": {"paths": [{"path": "/ping", "pathType": "Exact", "backend": backend}]},
                }
            ],
        },
    }


def node_port_service(ns: pulumi.Input[str], node_ports: NodePorts) -> Manifest:
    """Return the Service for a load balancer in front of the nodes."""
    return {
        "metadata": metadata(NAME, ns, "ingress"),
        "spec": {
            "type": "NodePort",
            # As with the nodes' own ports: each node has its pod, which sees the client's address.
            "externalTrafficPolicy": "Local",
            "selector": selector(NAME),
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http", "nodePort": node_ports.http},
                {"name": "https", "port": 443, "targetPort": "https", "nodePort": node_ports.https},
            ],
        },
    }


def daemon_set(
    ns: pulumi.Input[str],
    account: pulumi.Input[str],
    options: IngressOptions,
    endpoint: pulumi.Input[str] | None = None,
    *,
    on_host: bool,
) -> Manifest:
    """Return the DaemonSet of Traefik.

    Args:
        ns: Its namespace.
        account: Its ServiceAccount.
        options: Its IngressClass and its ports.
        endpoint: URL that it sends the trace of each request to, OTLP over HTTP; ``None``: requests aren't traced.
        on_host: Whether it holds the ports of the nodes themselves.
    """
    http, https = {"hostPort": options.http_port}, {"hostPort": options.https_port}
    asked = {"path": "/ping", "port": gateway.HTTP_PORT, "httpHeaders": [{"name": "Host", "value": STARTUP_HOST}]}
    container = {
        "name": "traefik",
        "image": IMAGE,
        "args": [*arguments(options), *(tracing(endpoint) if endpoint is not None else [])],
        **({"env": resource_attributes()} if endpoint is not None else {}),
        "ports": [
            {"name": "http", "containerPort": gateway.HTTP_PORT, **(http if on_host else {})},
            {"name": "https", "containerPort": gateway.HTTPS_PORT, **(https if on_host else {})},
            {"name": "metrics", "containerPort": 8080},
        ],
        "startupProbe": {"httpGet": asked, "periodSeconds": 1, "failureThreshold": 120},
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
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": int(on_host), "maxSurge": int(not on_host)},
            },
            "template": {
                "metadata": {"labels": labels(NAME, "ingress")},
                "spec": {
                    "serviceAccountName": account,
                    "automountServiceAccountToken": True,
                    "priorityClassName": "system-cluster-critical",
                    "terminationGracePeriodSeconds": 15,
                    "securityContext": {**POD_SECURITY, "sysctls": SYSCTLS},
                    "containers": [container],
                },
            },
        },
    }
