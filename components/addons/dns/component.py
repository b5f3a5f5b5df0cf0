"""The cluster's DNS: CoreDNS behind the Service ``kube-dns``."""

from collections.abc import Sequence
from ipaddress import ip_address

import pulumi

from components.addons.dns import NAMESPACE, PORT, DnsOptions
from components.kinds import (
    ClusterRole,
    ClusterRoleBinding,
    ConfigMap,
    Deployment,
    PodDisruptionBudget,
    Service,
    ServiceAccount,
)
from components.manifests import (
    CONTAINER_SECURITY,
    DELETED_IN_BACKGROUND,
    POD_SECURITY,
    Manifest,
    binding,
    checksum,
    config_map,
    disruption_budget,
    labels,
    metadata,
    selector,
    service_account,
    spread,
)

IMAGE = "registry.k8s.io/coredns/coredns:v1.15.0"


class Dns(pulumi.ComponentResource):
    """CoreDNS for the names of Services and pods, and for those outside the cluster."""

    cluster_ip: pulumi.Output[str]
    """Address that answers on port 53, UDP and TCP."""

    def __init__(self, name: str, options: DnsOptions, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Dns", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        account = ServiceAccount(f"{name}-account", **service_account("coredns", NAMESPACE, "dns"), opts=child)
        role = ClusterRole(f"{name}-role", **cluster_role(), opts=child)
        cluster_role_binding = ClusterRoleBinding(
            f"{name}-binding",
            **binding(
                metadata("system:coredns", None, "dns", "coredns"),
                "ClusterRole",
                role.metadata["name"],
                account.metadata["name"],
                NAMESPACE,
            ),
            opts=child,
        )
        configured = corefile(options.upstream)
        config = ConfigMap(
            f"{name}-config", **config_map("coredns", NAMESPACE, "dns", {"Corefile": configured}), opts=child
        )
        deployment = Deployment(
            f"{name}-deployment",
            **deployment_args(config.metadata["name"], account.metadata["name"], options.replicas or 1, configured),
            # Without its rights CoreDNS isn't ready; Pulumi can't see that from the fields.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[cluster_role_binding]),
        )
        PodDisruptionBudget(f"{name}-budget", **disruption_budget("coredns", NAMESPACE, "dns"), opts=child)
        cluster_ip = options.cluster_ip or self._conventional_cluster_ip(name)
        service = Service(
            f"{name}-service",
            **service_args(cluster_ip),
            # The Service is awaited until it has endpoints; its pods should exist by then.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.cluster_ip = pulumi.Output.all(cluster_ip, service.id).apply(lambda known: str(known[0]))
        self.register_outputs({"clusterIp": self.cluster_ip})

    def _conventional_cluster_ip(self, name: str) -> pulumi.Output[str]:
        """Read the Service ``kubernetes``, which holds the first address of the Service range."""
        api = Service.get(f"{name}-kubernetes", "default/kubernetes", pulumi.ResourceOptions(parent=self))
        return api.spec.apply(lambda spec: tenth_address(str(spec["clusterIP"])))


def tenth_address(first: str) -> str:
    """Return the tenth address of the Service range whose first one is ``first``: ``10.96.0.1`` → ``10.96.0.10``.

    Source: kubeadm, k3s, kind and MicroK8s all hand this one to their kubelets as ``clusterDNS``.
    """
    return str(ip_address(first) + 9)


def corefile(upstream: Sequence[str] | None) -> str:
    """Return CoreDNS' configuration; ``None`` as ``upstream`` asks the nameservers of the node.

    Source: the plugins are those of kubeadm's default Corefile.
    """
    servers = ["/etc/resolv.conf"] if upstream is None else list(upstream)
    forward = [f"    forward . {' '.join(servers)} {{", "        max_concurrent 1000", "    }"] if servers else []
    return "\n".join(
        [
            f".:{PORT} {{",
            "    errors",
            "    health {",
            "        lameduck 5s",
            "    }",
            "    ready",
            "    kubernetes cluster.local in-addr.arpa ip6.arpa {",
            "        pods insecure",
            "        fallthrough in-addr.arpa ip6.arpa",
            "        ttl 30",
            "    }",
            "    prometheus :9153",
            *forward,
            "    cache 30",
            "    loop",
            "    reload",
            "    loadbalance",
            "}",
            "",
        ]
    )


def cluster_role() -> Manifest:
    """Return the rights of CoreDNS: to watch what has a name."""
    return {
        "metadata": metadata("system:coredns", None, "dns", "coredns"),
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    }


def deployment_args(config: pulumi.Input[str], account: pulumi.Input[str], replicas: int, configured: str) -> Manifest:
    """Return the Deployment of CoreDNS; the ConfigMap ``config`` has the Corefile ``configured``."""
    container = {
        "name": "coredns",
        "image": IMAGE,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 10, "failureThreshold": 5},
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "170Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    return {
        "metadata": {**metadata("coredns", NAMESPACE, "dns"), "annotations": dict(DELETED_IN_BACKGROUND)},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector("coredns")},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                # CoreDNS would read a new Corefile by itself, some minutes after `pulumi up` said that it is done.
                "metadata": {"labels": labels("coredns", "dns"), "annotations": checksum(configured)},
                "spec": {
                    "serviceAccountName": account,
                    "automountServiceAccountToken": True,
                    "priorityClassName": "system-cluster-critical",
                    # The node's resolver, not CoreDNS itself.
                    "dnsPolicy": "Default",
                    "securityContext": POD_SECURITY,
                    "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
                    "topologySpreadConstraints": spread("coredns"),
                    "containers": [container],
                    "volumes": [{"name": "config", "configMap": {"name": config}}],
                },
            },
        },
    }


def service_args(cluster_ip: pulumi.Input[str | None]) -> Manifest:
    """Return the Service of the name that programs expect, ``kube-dns``."""
    return {
        "metadata": {
            **metadata("kube-dns", NAMESPACE, "dns", "coredns"),
            # How other programs recognise the cluster's DNS.
            "labels": labels("coredns", "dns") | {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"},
        },
        "spec": {
            "clusterIP": cluster_ip,
            "selector": selector("coredns"),
            "ports": [
                {"name": "dns", "port": 53, "targetPort": "dns", "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "targetPort": "dns-tcp", "protocol": "TCP"},
                {"name": "metrics", "port": 9153, "targetPort": "metrics", "protocol": "TCP"},
            ],
        },
    }
