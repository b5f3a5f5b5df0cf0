"""What runs of a site: its pods, and its jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from components.manifests import (
    CONTAINER_SECURITY,
    DELETED_IN_BACKGROUND,
    LONGEST_LABEL,
    POD_SECURITY,
    Manifest,
    annotated,
    encoded,
    labels,
    metadata,
    selector,
    spread,
    volume_claim,
)
from components.options import shortened
from components.site.network import job_labels
from components.site.options import CANARY, TEMPORARY, Autoscale, Job, SiteOptions, Volume

RELEASES = 10
"""How many ReplicaSets of earlier releases are kept, which have no pods."""
AT_ONCE = 4
"""Up to so many pods are updated together, which takes the time of one; of more, a quarter at a time."""


@dataclass(frozen=True)
class Pods:
    """What all pods of a site have in common."""

    name: str
    """Name of the site, or of what runs beside it."""
    namespace: pulumi.Input[str]
    account: pulumi.Input[str]
    """Their ServiceAccount."""
    image: pulumi.Input[str]
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Secrets by the variable that they hold, under its own name."""
    claims: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """PersistentVolumeClaims by the name of the volume."""
    release: Mapping[str, str] = field(default_factory=dict)
    """Annotations of the Deployment, which Kubernetes copies to the ReplicaSet of each release."""
    component: str = "site"
    """The part that they play in the stack."""


def canary_name(site: str) -> str:
    """Return the name of what runs beside a site in a new version, which is also that of a Service."""
    return shortened(f"{site}-{CANARY}", LONGEST_LABEL)


def canary_options(options: SiteOptions) -> SiteOptions:
    """Return the options of these pods: as many as their part of the requests needs, and one at least."""
    pods = max(1, round(options.most_pods * (options.canary or 0) / 100))
    return options.model_copy(update={"replicas": pods, "autoscale": None})


def deployment_args(pods: Pods, options: SiteOptions) -> Manifest:
    """Return the Deployment of a site, which never has fewer pods than it should while it is updated.

    With a volume that only one pod may have, there is none for a moment.
    """
    probe = {"httpGet": {"path": options.health_path, "port": "http"}, "timeoutSeconds": 2}
    container = {
        **_container(pods, options),
        **_given("command", options.command),
        **_given("args", options.args),
        "ports": [{"name": "http", "containerPort": options.port}],
        # Asked every second until it first answers, so that an update is quick, for a minute at most.
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 3},
        # Requests arrive until the controller has heard that this pod ends: serve them, then stop.
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
    }
    few = not options.autoscale and options.replicas <= AT_ONCE
    rolling = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "100%" if few else "25%"},
    }
    described = metadata(pods.name, pods.namespace, pods.component)
    # The policy that confines a canary goes after it, and not with the namespace.
    background = {} if pods.component == CANARY else DELETED_IN_BACKGROUND
    return {
        "metadata": annotated(described, {**background, **pods.release}),
        "spec": {
            # The autoscaler's, where there is one.
            **({} if options.autoscale else {"replicas": options.replicas}),
            # Their releases can be gone back to.
            "revisionHistoryLimit": RELEASES,
            "progressDeadlineSeconds": options.progress_deadline_seconds,
            # In which the ingress controller hears of the pods that are ready, before a route leads to them.
            **({"minReadySeconds": 2} if pods.component == CANARY else {}),
            "selector": {"matchLabels": selector(pods.name)},
            "strategy": {"type": "Recreate"} if options.updated_alone else rolling,
            "template": {
                "metadata": {"labels": labels(pods.name, pods.component)},
                "spec": {
                    **_pod(pods, options),
                    # The pause above, and what a request may take.
                    "terminationGracePeriodSeconds": 10,
                    "topologySpreadConstraints": spread(pods.name),
                    "containers": [container],
                },
            },
        },
    }


def cron_job_args(pods: Pods, options: SiteOptions, job: Job) -> Manifest:
    """Return the CronJob of ``job``; one that is late or long isn't run twice at once."""
    name = f"{pods.name}-{job.name}"
    return {
        "metadata": metadata(name, pods.namespace, "site", pods.name),
        "spec": {
            "schedule": job.schedule,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 2,
                    "template": {
                        "metadata": {"labels": job_labels(pods.name, job.name)},
                        "spec": {
                            **_pod(pods, options),
                            "restartPolicy": "Never",
                            "containers": [{**_container(pods, options), "command": job.command}],
                        },
                    },
                }
            },
        },
    }


def _container(pods: Pods, options: SiteOptions) -> Manifest:
    # Without the escape, $(NAME) would be another variable's value. What is secret is taken as it is, too.
    plain = [{"name": name, "value": value.replace("$(", "$$(")} for name, value in options.env.items()]
    secret = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": held, "key": name}}}
        for name, held in pods.secrets.items()
    ]
    return {
        "name": "site",
        "image": pods.image,
        **_given("env", [*plain, *secret]),
        # Why it crashed is then in what Pulumi says.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": options.resources.model_dump(),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "tmp", "mountPath": TEMPORARY},
            *({"name": _volume(volume), "mountPath": volume.path} for volume in options.volumes),
        ],
    }


def _pod(pods: Pods, options: SiteOptions) -> Manifest:
    user = options.user
    claims = (
        {"name": _volume(volume), "persistentVolumeClaim": {"claimName": pods.claims[volume.name]}}
        for volume in options.volumes
    )
    return {
        "serviceAccountName": pods.account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY | (dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), user) if user else {}),
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}, *claims],
    }


def _volume(volume: Volume) -> str:
    return f"volume-{volume.name}"


def _given(key: str, value: list[object] | list[str] | None) -> Manifest:
    return {key: value} if value else {}


def autoscaler_args(name: str, ns: pulumi.Input[str], deployment: pulumi.Input[str], options: Autoscale) -> Manifest:
    """Return the HorizontalPodAutoscaler of the site's Deployment."""
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": options.cpu}}
    return {
        "metadata": metadata(name, ns, "site"),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": options.min,
            "maxReplicas": options.max,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }


def claim_args(name: str, ns: pulumi.Input[str], volume: Volume, default: pulumi.Input[str] | None) -> Manifest:
    """Return the claim of a volume; ``default`` is the StorageClass of those that name none."""
    mode = "ReadWriteMany" if volume.shared else "ReadWriteOnce"
    meta = metadata(f"{name}-{volume.name}", ns, "site", name)
    return volume_claim(meta, volume.size, volume.storage_class or default, mode)


def secret_environment(name: str, ns: pulumi.Input[str], options: SiteOptions) -> Manifest:
    """Return the Secret of the site's ``secretEnv``, under a name that Pulumi gives it."""
    named = metadata(name, ns, "site")
    return {
        "metadata": {key: value for key, value in named.items() if key != "name"},
        "type": "Opaque",
        "immutable": True,
        "data": encoded(options.secret_env),
    }
