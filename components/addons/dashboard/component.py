"""The dashboard: a page that shows what runs in the cluster, to those who sign in."""

import pulumi

from components.addons.addon import Context
from components.addons.dashboard import NAMESPACE, DashboardOptions, headlamp, kube_web_view
from components.cluster_view import cluster_view
from components.kinds import (
    ClusterRole,
    ClusterRoleBinding,
    Deployment,
    Namespace,
    NetworkPolicy,
    Secret,
    ServiceAccount,
)
from components.manifests import (
    DELETED_IN_BACKGROUND,
    POD_SECURITY,
    Manifest,
    allow_from,
    binding,
    checksum,
    labels,
    metadata,
    namespace_args,
    opaque_secret,
    selector,
    service_account,
)
from components.page import expose, random_password
from components.urls import url

NAME = "dashboard"
TLS_SECRET = "dashboard-tls"  # noqa: S105 the name of a Secret


class Dashboard(pulumi.ComponentResource):
    """A dashboard whose TLS ends in its pod, with a certificate of its own.

    Raises:
        pulumi.RunError: The ingress controller can't pass TLS through.
    """

    url: pulumi.Output[str]
    """Where a browser finds it."""
    login: dict[str, pulumi.Input[str]]
    """How to sign in: ``user`` and ``password``, which is a secret, or the ``command`` that prints a token."""

    def __init__(
        self, name: str, options: DashboardOptions, context: Context, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Dashboard", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(f"{name}-namespace", **namespace_args(NAMESPACE, "dashboard", "restricted"), opts=child)
        ns = namespace.metadata["name"]
        account = ServiceAccount(f"{name}-account", **service_account(NAME, ns, "dashboard"), opts=child)
        bindings = self._bind(name, options.access, account.metadata["name"], ns)
        certificate = context.authority.issue(
            f"{name}-tls",
            {"hosts": [options.host], "secret_name": TLS_SECRET, "namespace": ns, "component": "dashboard"},
            child,
        )
        if options.kind == "headlamp":
            # What signs in is the token of the account above. The pod that passes it on has an account without rights.
            pods = ServiceAccount(f"{name}-headlamp", **service_account("headlamp", ns, "dashboard"), opts=child)
            pod = headlamp.pod(pods.metadata["name"], certificate.secret)
            contents = [certificate.pem]
            self.login = {"command": headlamp.token_command(NAME, NAMESPACE)}
        else:
            password = random_password(name, self)
            caddyfile = password.bcrypt_hash.apply(lambda known: kube_web_view.caddyfile(options.host, known))
            stored = Secret(
                f"{name}-caddy", **opaque_secret("caddy", ns, "dashboard", {"Caddyfile": caddyfile}), opts=child
            )
            pod = kube_web_view.pod(account.metadata["name"], certificate.secret, stored.metadata["name"])
            contents = [certificate.pem, caddyfile]
            self.login = {"user": kube_web_view.USER, "password": pulumi.Output.secret(password.result)}
        # A program that has read its certificate keeps it: a renewed one needs new pods. What is hashed is no secret.
        annotations = pulumi.Output.unsecret(pulumi.Output.all(*contents).apply(lambda known: checksum(*known)))
        policy = NetworkPolicy(
            f"{name}-policy",
            **network_policy(ns, context.ingress.tls_peer),
            # It confines the pod to its end.
            opts=pulumi.ResourceOptions(parent=self, deleted_with=namespace),
        )
        deployment = Deployment(
            f"{name}-deployment",
            **deployment_args(ns, annotations, pod),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, *bindings]),
        )
        expose(name, options.host, context.ingress, NAME, ns, deployment, self)
        self.url = pulumi.Output.from_input(url("https", options.host, context.ingress.options.https_port))
        self.register_outputs({"url": self.url, "login": self.login})

    def _bind(self, name: str, access: str, account: pulumi.Input[str], ns: pulumi.Input[str]) -> list[pulumi.Resource]:
        """Bind the roles of ``access`` to the account."""
        child = pulumi.ResourceOptions(parent=self)

        def bind(part: str, role: pulumi.Input[str]) -> ClusterRoleBinding:
            meta = metadata(f"{NAME}-{part}", None, "dashboard", NAME)
            return ClusterRoleBinding(f"{name}-{part}", **binding(meta, "ClusterRole", role, account, ns), opts=child)

        if access == "admin":
            return [bind("admin", "cluster-admin")]
        meta = metadata(f"{NAME}-view-cluster", None, "dashboard", NAME)
        role = ClusterRole(f"{name}-role", **cluster_view(meta), opts=child)
        return [bind("view", "view"), bind("view-cluster", role.metadata["name"])]


def deployment_args(ns: pulumi.Input[str], annotations: pulumi.Input[dict[str, str]], pod: Manifest) -> Manifest:
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
