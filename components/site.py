"""A website: its namespace, pods, Service and Ingress."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Namespace, Service, ServiceAccount
from pulumi_kubernetes.networking.v1 import Ingress, NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.certificate_authority import CertificateAuthority
from components.ingress import IngressArgs
from components.manifests import (
    CONTAINER_SECURITY,
    DELETED_IN_BACKGROUND,
    INGRESS_TIMEOUT,
    POD_SECURITY,
    Manifest,
    allow_from,
    disruption_budget,
    labels,
    metadata,
    namespace_args,
    selector,
    service_account,
    spread,
)
from components.site_options import SiteOptions
from components.urls import url


class SiteArgs(TypedDict):
    """What runs, and how it is reached."""

    image: pulumi.Input[str]
    """Image reference by digest, ``registry/name@sha256:…``."""
    ingress: IngressArgs
    """How it is reached."""
    authority: NotRequired[CertificateAuthority | None]
    """Who issues its certificate, where the options ask for one."""


class Site(pulumi.ComponentResource):
    """A website in a namespace of its own, whose updates lose no request."""

    namespace: pulumi.Output[str]
    """Its namespace; known when that is there."""
    url: pulumi.Output[str]
    """Where a browser finds it, with scheme, and port if it isn't the default."""

    def __init__(
        self, name: str, options: SiteOptions, args: SiteArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Site", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(f"{name}-namespace", **namespace_args(name, "site", "restricted"), opts=child)
        ns = namespace.metadata.name
        account = ServiceAccount(f"{name}-account", **service_account(name, ns, "site"), opts=child)
        policy = NetworkPolicy(
            f"{name}-policy",
            **network_policy(name, ns, options.port, args["ingress"].namespace),
            # It confines the pods to their end.
            opts=pulumi.ResourceOptions(parent=self, deleted_with=namespace),
        )
        # Pulumi knows of no deadline but one for all of an update, which replaces pod after pod.
        deadline = f"{options.progress_deadline_seconds * options.replicas}s"
        deployment = Deployment(
            f"{name}-deployment",
            **deployment_args(name, ns, account.metadata.name, args["image"], options),
            opts=pulumi.ResourceOptions(
                parent=self,
                # No pod runs before the policy that confines it.
                depends_on=[policy],
                custom_timeouts=pulumi.CustomTimeouts(create=deadline, update=deadline),
            ),
        )
        PodDisruptionBudget(f"{name}-budget", **disruption_budget(name, ns, "site"), opts=child)
        service = Service(
            f"{name}-service",
            **service_args(name, ns),
            # The Service is ready when a pod answers behind it; without this, both would report the same failure.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        ports = args["ingress"].options
        certificate, site_url = None, url("http", options.host, ports.http_port, options.path)
        if options.tls and (authority := args.get("authority")):
            certificate = authority.issue(
                f"{name}-tls",
                {"hosts": [options.host], "secret_name": f"{name}-tls", "namespace": ns, "component": "site"},
                child,
            ).secret
            site_url = url("https", options.host, ports.https_port, options.path)
        Ingress(
            f"{name}-ingress",
            **ingress(name, ns, service.metadata.name, certificate, args["ingress"].class_name, options),
            opts=child,
        )
        self.namespace = ns
        self.url = pulumi.Output.from_input(site_url)
        self.register_outputs({"url": self.url})


def deployment_args(
    name: str, ns: pulumi.Input[str], account: pulumi.Input[str], image: pulumi.Input[str], options: SiteOptions
) -> Manifest:
    """Return the Deployment of the site ``name``, which is updated pod by pod and never has fewer than it should."""
    probe = {"httpGet": {"path": options.health_path, "port": "http"}, "timeoutSeconds": 2}
    container = {
        "name": "site",
        "image": image,
        "ports": [{"name": "http", "containerPort": options.port}],
        # Asked every second until it first answers, so that an update is quick, for a minute at most.
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 3},
        # Requests arrive until the controller has heard that this pod ends: serve them, then stop.
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        # Why it crashed is then in what Pulumi says.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": options.resources.model_dump(),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 a mount point in the pod
    }
    return {
        "metadata": {**metadata(name, ns, "site"), "annotations": dict(DELETED_IN_BACKGROUND)},
        "spec": {
            "replicas": options.replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": options.progress_deadline_seconds,
            "selector": {"matchLabels": selector(name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels(name, "site")},
                "spec": {
                    "serviceAccountName": account,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    # The pause above, and what a request may take.
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": POD_SECURITY,
                    "topologySpreadConstraints": spread(name),
                    "containers": [container],
                    "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
                },
            },
        },
    }


def service_args(name: str, ns: pulumi.Input[str]) -> Manifest:
    """Return the Service of the site ``name``."""
    return {
        "metadata": metadata(name, ns, "site"),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(name),
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def ingress(
    name: str,
    ns: pulumi.Input[str],
    service_name: pulumi.Input[str],
    certificate: pulumi.Input[str] | None,
    class_name: pulumi.Input[str],
    options: SiteOptions,
) -> Manifest:
    """Return the Ingress that routes the site's host and path to its Service.

    ``certificate`` is the Secret for HTTPS, ``None`` for plain HTTP.
    """
    backend = {"service": {"name": service_name, "port": {"name": "http"}}}
    paths = [{"path": options.path, "pathType": "Prefix", "backend": backend}]
    spec: Manifest = {
        "ingressClassName": class_name,
        "rules": [{"host": options.host, "http": {"paths": paths}}],
    }
    if certificate is not None:
        # Controllers redirect plain HTTP for these hosts by default; Traefik's own class is told so at its entry point.
        spec["tls"] = [{"hosts": [options.host], "secretName": certificate}]
    return {"metadata": {**metadata(name, ns, "site"), "annotations": dict(INGRESS_TIMEOUT)}, "spec": spec}


def network_policy(name: str, ns: pulumi.Input[str], port: int, peer: pulumi.Input[str] | None) -> Manifest:
    """Return the NetworkPolicy that lets the namespace ``peer`` (``None``: anybody) in to ``port``, and nothing out.

    A site answers requests and makes none, so not even DNS is needed.
    """
    return {
        "metadata": metadata(name, ns, "site"),
        "spec": {
            "podSelector": {"matchLabels": selector(name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [allow_from(peer, port)],
            "egress": [],
        },
    }
