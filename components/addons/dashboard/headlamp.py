"""Headlamp, the successor of kubernetes-dashboard: who brings the token of an account sees what that account may."""

import pulumi

from components.manifests import CONTAINER_SECURITY, Manifest

IMAGE = "ghcr.io/headlamp-k8s/headlamp:v0.45.0"
PORT = 4466
CERTIFICATE = "/headlamp-cert"


def pod(account: pulumi.Input[str], certificate: pulumi.Input[str]) -> Manifest:
    """Return what Headlamp adds to the spec of a pod.

    Source: https://headlamp.dev/docs/latest/installation/in-cluster/

    Args:
        account: ServiceAccount of the pod, which needs no rights.
        certificate: The ``kubernetes.io/tls`` Secret.
    """
    probe = {"httpGet": {"path": "/", "port": "https", "scheme": "HTTPS"}, "timeoutSeconds": 2}
    container = {
        "name": "headlamp",
        "image": IMAGE,
        "args": [
            "-in-cluster",
            "-in-cluster-context-name=main",
            "-plugins-dir=/headlamp/plugins",
            f"-port={PORT}",
            f"-tls-cert-path={CERTIFICATE}/tls.crt",
            f"-tls-key-path={CERTIFICATE}/tls.key",
        ],
        "ports": [{"name": "https", "containerPort": PORT}],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 3},
        # Connections arrive until the controller has heard that this pod ends.
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "certificate", "mountPath": CERTIFICATE, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 a mount point in the pod
        ],
    }
    return {
        "serviceAccountName": account,
        # It finds the API server, and that server's certificate, where this is mounted.
        "automountServiceAccountToken": True,
        "containers": [container],
        "volumes": [
            {"name": "certificate", "secret": {"secretName": certificate, "defaultMode": 0o440}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def token_command(account: str, ns: str) -> str:
    """Return the command that prints a token to sign in with, good for an hour."""
    return f"kubectl create token {account} --namespace {ns} --duration 1h"
