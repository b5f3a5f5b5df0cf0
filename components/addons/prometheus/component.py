"""Prometheus: measures the cluster and the sites, and shows it to those who sign in."""

from collections.abc import Sequence

import pulumi

from components.addons.addon import Context
from components.addons.prometheus import NAMESPACE, PrometheusOptions, config, objects
from components.addons.prometheus.rules import rules
from components.kinds import (
    ClusterRole,
    ClusterRoleBinding,
    ConfigMap,
    Namespace,
    NetworkPolicy,
    PersistentVolumeClaim,
    Secret,
    ServiceAccount,
    StatefulSet,
)
from components.manifests import (
    Manifest,
    binding,
    config_map,
    metadata,
    namespace_args,
    service_account,
)
from components.page import expose, random_password
from components.urls import url

TLS_SECRET = "prometheus-tls"  # noqa: S105 the name of a Secret


class Prometheus(pulumi.ComponentResource):
    """Prometheus with a volume, a certificate and a password of its own; TLS ends in its pod.

    Raises:
        pulumi.RunError: The ingress controller can't pass TLS through.
    """

    url: pulumi.Output[str]
    """Where a browser finds it."""
    login: dict[str, pulumi.Input[str]]
    """How to sign in: ``user`` and ``password``, which is a secret."""

    def __init__(
        self, name: str, options: PrometheusOptions, context: Context, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Prometheus", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(f"{name}-namespace", **namespace_args(NAMESPACE, "prometheus", "restricted"), opts=child)
        ns = namespace.metadata["name"]
        account = ServiceAccount(f"{name}-account", **service_account(objects.NAME, ns, "prometheus"), opts=child)
        role = ClusterRole(f"{name}-role", **objects.cluster_role(), opts=child)
        cluster_role_binding = ClusterRoleBinding(
            f"{name}-binding",
            **binding(
                metadata(objects.NAME, None, "prometheus"),
                "ClusterRole",
                role.metadata["name"],
                account.metadata["name"],
                ns,
            ),
            opts=child,
        )
        certificate = context.authority.issue(
            f"{name}-tls",
            {"hosts": [options.host], "secret_name": TLS_SECRET, "namespace": ns, "component": "prometheus"},
            child,
        )
        password = random_password(name, self)
        web = Secret(f"{name}-web", **objects.web_secret(ns, password.bcrypt_hash, password.result), opts=child)
        address = url("https", options.host, context.ingress.options.https_port)
        files = config_files(options, list(context.sites))
        mounted = ConfigMap(f"{name}-config", **config_map(objects.NAME, ns, "prometheus", files), opts=child)
        claim = PersistentVolumeClaim(
            f"{name}-claim", **objects.volume_claim(ns, options.size, context.storage_class), opts=child
        )
        policy = NetworkPolicy(f"{name}-policy", **objects.network_policy(ns, context.ingress.tls_peer), opts=child)
        volumes: dict[str, Manifest] = {
            "config": {"configMap": {"name": mounted.metadata["name"]}},
            "web": {"secret": {"secretName": web.metadata["name"], "defaultMode": 0o440}},
            "certificate": {"secret": {"secretName": certificate.secret, "defaultMode": 0o440}},
            "data": {"persistentVolumeClaim": {"claimName": claim.metadata["name"]}},
        }
        stateful_set = StatefulSet(
            f"{name}-statefulset",
            **objects.stateful_set(ns, account.metadata["name"], volumes, files, address, options.memory),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, cluster_role_binding]),
        )
        expose(name, options.host, context.ingress, objects.NAME, ns, stateful_set, self)
        self.url = pulumi.Output.from_input(address)
        self.login = {"user": config.USER, "password": pulumi.Output.secret(password.result)}
        self.register_outputs({"url": self.url, "login": self.login})


def config_files(options: PrometheusOptions, sites: Sequence[str]) -> dict[str, str]:
    """Return the files of the ConfigMap; ``sites`` are the names of the sites to watch."""
    host = options.host
    return {
        "prometheus.yml": config.prometheus(
            host,
            options.retention,
            options.size,
            verify_kubelets=not options.kubelet_insecure_tls,
        ),
        "rules.yml": config.text(rules(sites)),
        "client.yml": config.text(config.client(host)),
    }
