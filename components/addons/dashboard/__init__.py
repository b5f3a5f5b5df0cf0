"""The dashboard: a page that shows what runs in the cluster, to those who sign in."""

from typing import Literal, TypeAlias

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Namespace, Secret, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from components.addons.dashboard import headlamp, kube_web_view
from components.cluster_view import cluster_view
from components.manifests import (
    DELETED_IN_BACKGROUND,
    POD_SECURITY,
    Manifest,
    allow_from,
    binding,
    checksum,
    labels,
    metadata,
    namespace,
    opaque_secret,
    selector,
    service_account,
)
from components.page import PageArgs, expose, random_password
from components.urls import url

NAME = "dashboard"
NAMESPACE = "dashboard"
TLS_SECRET = "dashboard-tls"  # noqa: S105 the name of a Secret

Kind: TypeAlias = Literal["headlamp", "kube-web-view"]
"""Headlamp is the successor of kubernetes-dashboard; kube-web-view is small, and only reads."""

Access: TypeAlias = Literal["view", "admin"]
"""What who has signed in may do: read all but Secrets, or everything."""


class DashboardArgs(PageArgs):
    """The dashboard."""

    kind: Kind
    """The program."""
    access: Access
    """What who has signed in may do."""


class Dashboard(pulumi.ComponentResource):
    """A dashboard whose TLS ends in its pod, with a certificate of its own.

    Raises:
        pulumi.RunError: The ingress controller can't pass TLS through.
    """

    url: pulumi.Output[str]
    """Where a browser finds it."""
    login: dict[str, pulumi.Input[str]]
    """How to sign in: ``user`` and ``password``, which is a secret, or the ``command`` that prints a token."""

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Dashboard", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        home = Namespace(f"{name}-namespace", **namespace(NAMESPACE, "dashboard", "restricted"), opts=child)
        ns = home.metadata.name
        account = ServiceAccount(f"{name}-account", **service_account(NAME, ns, "dashboard"), opts=child)
        grants = self._grant(name, args["access"], account.metadata.name, ns)
        certificate = args["authority"].issue(
            f"{name}-tls",
            {"hosts": [args["host"]], "secret_name": TLS_SECRET, "namespace": ns, "component": "dashboard"},
            child,
        )
        if args["kind"] == "headlamp":
            # What signs in is the token of the account above. The pod that passes it on has an account without rights.
            pods = ServiceAccount(f"{name}-headlamp", **service_account("headlamp", ns, "dashboard"), opts=child)
            pod = headlamp.pod(pods.metadata.name, certificate.secret)
            contents = [certificate.pem]
            self.login = {"command": headlamp.token_command(NAME, NAMESPACE)}
        else:
            password = random_password(name, self)
            caddyfile = password.bcrypt_hash.apply(lambda known: kube_web_view.caddyfile(args["host"], known))
            stored = Secret(
                f"{name}-caddy", **opaque_secret("caddy", ns, "dashboard", {"Caddyfile": caddyfile}), opts=child
            )
            pod = kube_web_view.pod(account.metadata.name, certificate.secret, stored.metadata.name)
            contents = [certificate.pem, caddyfile]
            self.login = {"user": kube_web_view.USER, "password": pulumi.Output.secret(password.result)}
        # A program that has read its certificate keeps it: a renewed one needs new pods. What is hashed is no secret.
        annotations = pulumi.Output.unsecret(pulumi.Output.all(*contents).apply(lambda known: checksum(*known)))
        policy = NetworkPolicy(
            f"{name}-policy",
            **network_policy(ns, args.get("ingress_namespace")),
            # It confines the pod to its end.
            opts=pulumi.ResourceOptions(parent=self, deleted_with=home),
        )
        deployed = Deployment(
            f"{name}-deployment",
            **deployment(ns, annotations, pod),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, *grants]),
        )
        expose(name, args, NAME, ns, deployed, self)
        self.url = pulumi.Output.from_input(url("https", args["host"], args.get("https_port", 443)))
        self.register_outputs({"url": self.url, "login": self.login})

    def _grant(
        self, name: str, access: Access, account: pulumi.Input[str], ns: pulumi.Input[str]
    ) -> list[pulumi.Resource]:
        """Bind the roles of ``access`` to the account."""
        child = pulumi.ResourceOptions(parent=self)

        def bind(part: str, role: pulumi.Input[str]) -> ClusterRoleBinding:
            meta = metadata(f"{NAME}-{part}", None, "dashboard", NAME)
            return ClusterRoleBinding(f"{name}-{part}", **binding(meta, "ClusterRole", role, account, ns), opts=child)

        if access == "admin":
            return [bind("admin", "cluster-admin")]
        meta = metadata(f"{NAME}-view-cluster", None, "dashboard", NAME)
        role = ClusterRole(f"{name}-role", **cluster_view(meta), opts=child)
        return [bind("view", "view"), bind("view-cluster", role.metadata.name)]


def deployment(ns: pulumi.Input[str], annotations: pulumi.Input[dict[str, str]], pod: Manifest) -> Manifest:
    """Return the Deployment of the dashboard, whose program and volumes are those of ``pod``."""
    return {
        "metadata": {**metadata(NAME, ns, "dashboard"), "annotations": dict(DELETED_IN_BACKGROUND)},
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 300,
            "selector": {"matchLabels": selector(NAME)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels(NAME, "dashboard"), "annotations": annotations},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": POD_SECURITY,
                    "terminationGracePeriodSeconds": 10,
                    **pod,
                },
            },
        },
    }


def network_policy(ns: pulumi.Input[str], peer: pulumi.Input[str] | None) -> Manifest:
    """Return the NetworkPolicy that lets the namespace ``peer`` (``None``: anybody) in, and requests to the API out."""
    return {
        "metadata": metadata(NAME, ns, "dashboard"),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [allow_from(peer, "https")],
            # The API server is a Service without pods: no selector finds it. These are its ports, as MicroK8s, kubeadm,
            # k3s, kind and managed clusters have them.
            "egress": [{"ports": [{"port": port, "protocol": "TCP"} for port in (443, 6443, 16443)]}],
        },
    }
