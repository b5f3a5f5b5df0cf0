"""Prometheus: measures the cluster and the sites, and shows it to those who sign in."""

from collections.abc import Sequence
from typing import NotRequired

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, PersistentVolumeClaim, Secret, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from components.addons.prometheus import config, objects
from components.addons.prometheus.rules import rules
from components.manifests import (
    Manifest,
    binding,
    config_map,
    metadata,
    namespace,
    service_account,
)
from components.page import PageArgs, expose, random_password
from components.urls import url

NAMESPACE = "prometheus"
TLS_SECRET = "prometheus-tls"  # noqa: S105 the name of a Secret


class PrometheusArgs(PageArgs):
    """Prometheus."""

    sites: Sequence[str]
    """Names of the sites to watch."""
    retention: NotRequired[str]
    """How long samples are kept: a whole number and ``h``, ``d``, ``w`` or ``y``; default ``7d``."""
    size: NotRequired[str]
    """Size of the volume for them, a Kubernetes quantity; default ``8Gi``. The oldest go when it is nearly full."""
    storage_class: NotRequired[pulumi.Input[str] | None]
    """StorageClass of the volume; default: the cluster's default one."""
    kubelet_insecure_tls: NotRequired[bool]
    """Whether kubelets may have certificates of any authority, as where kubeadm made the cluster; default ``False``."""


class Prometheus(pulumi.ComponentResource):
    """Prometheus with a volume, a certificate and a password of its own; TLS ends in its pod.

    Raises:
        pulumi.RunError: The ingress controller can't pass TLS through.
    """

    url: pulumi.Output[str]
    """Where a browser finds it."""
    login: dict[str, pulumi.Input[str]]
    """How to sign in: ``user`` and ``password``, which is a secret."""

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Prometheus", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        home = Namespace(f"{name}-namespace", **namespace(NAMESPACE, "prometheus", "restricted"), opts=child)
        ns = home.metadata.name
        account = ServiceAccount(f"{name}-account", **service_account(objects.NAME, ns, "prometheus"), opts=child)
        role = ClusterRole(f"{name}-role", **objects.cluster_role(), opts=child)
        grant = ClusterRoleBinding(
            f"{name}-binding",
            **binding(
                metadata(objects.NAME, None, "prometheus"),
                "ClusterRole",
                role.metadata.name,
                account.metadata.name,
                ns,
            ),
            opts=child,
        )
        certificate = args["authority"].issue(
            f"{name}-tls",
            {"hosts": [args["host"]], "secret_name": TLS_SECRET, "namespace": ns, "component": "prometheus"},
            child,
        )
        password = random_password(name, self)
        web = Secret(f"{name}-web", **objects.web_secret(ns, password.bcrypt_hash, password.result), opts=child)
        address = url("https", args["host"], args.get("https_port", 443))
        files = config_files(args)
        mounted = ConfigMap(f"{name}-config", **config_map(objects.NAME, ns, "prometheus", files), opts=child)
        claim = PersistentVolumeClaim(
            f"{name}-claim", **objects.volume_claim(ns, args.get("size", "8Gi"), args.get("storage_class")), opts=child
        )
        policy = NetworkPolicy(
            f"{name}-policy", **objects.network_policy(ns, args.get("ingress_namespace")), opts=child
        )
        volumes: dict[str, Manifest] = {
            "config": {"configMap": {"name": mounted.metadata.name}},
            "web": {"secret": {"secretName": web.metadata.name, "defaultMode": 0o440}},
            "certificate": {"secret": {"secretName": certificate.secret, "defaultMode": 0o440}},
            "data": {"persistentVolumeClaim": {"claimName": claim.metadata.name}},
        }
        deployed = StatefulSet(
            f"{name}-statefulset",
            **objects.stateful_set(ns, account.metadata.name, volumes, files, address),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, grant]),
        )
        expose(name, args, objects.NAME, ns, deployed, self)
        self.url = pulumi.Output.from_input(address)
        self.login = {"user": config.USER, "password": pulumi.Output.secret(password.result)}
        self.register_outputs({"url": self.url, "login": self.login})


def config_files(args: PrometheusArgs) -> dict[str, str]:
    """Return the files of the ConfigMap."""
    host = args["host"]
    return {
        "prometheus.yml": config.prometheus(
            host,
            args.get("retention", "7d"),
            args.get("size", "8Gi"),
            verify_kubelets=not args.get("kubelet_insecure_tls", False),
        ),
        "rules.yml": config.text(rules(args["sites"])),
        "client.yml": config.text(config.client(host)),
    }
