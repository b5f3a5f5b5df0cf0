"""kube-web-view behind Caddy: the one has no TLS and asks nobody who he is, so the other does, in the same pod."""

import pulumi

from components.manifests import CONTAINER_SECURITY, Manifest

IMAGE = "docker.io/hjacobs/kube-web-view:21.2.0"
CADDY_IMAGE = "docker.io/library/caddy:2.11.7"
USER = "admin"
PORT = 8443
BACKEND_PORT = 8080
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 where clients look for it
CADDY = "/etc/caddy"
CERTIFICATE = "/etc/caddy-certificate"

START = (
    "import functools, signal, sys, aiohttp.web; "
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit()); "
    "aiohttp.web.run_app = functools.partial(aiohttp.web.run_app, host='127.0.0.1'); "
    "from kube_web.main import main; main()"
)
"""Starts kube-web-view on loopback, and ends it when it is told to.

It has no options for that: on the pod's address it would be open to all pods, and each pod would take its whole grace
period to end, for all of which controllers may go on sending connections to it.
"""


def caddyfile(host: str, password_hash: str) -> str:
    """Return Caddy's configuration.

    Source: https://caddyserver.com/docs/caddyfile

    Args:
        host: Host name of the URL.
        password_hash: Of the password of the user :data:`USER`, by bcrypt.
    """
    return f"""\
{{
	admin off
	auto_https off
	persist_config off
	# The kubelet's probes ask for no host.
	default_sni {host}
}}

https://:{PORT} {{
	tls {CERTIFICATE}/tls.crt {CERTIFICATE}/tls.key
	header {{
		-Server
		Strict-Transport-Security max-age=31536000
		X-Content-Type-Options nosniff
		X-Frame-Options DENY
		Referrer-Policy same-origin
		>Cache-Control no-store
	}}
	handle /health {{
		# Of what leads here, such as //health, nothing else is passed on.
		rewrite * /health
		reverse_proxy 127.0.0.1:{BACKEND_PORT}
	}}
	handle {{
		basic_auth bcrypt dashboard {{
			{USER} {password_hash}
		}}
		reverse_proxy 127.0.0.1:{BACKEND_PORT} {{
			# The password is for Caddy only.
			header_up -Authorization
		}}
	}}
}}
"""


def pod(account: pulumi.Input[str], certificate: pulumi.Input[str], caddy: pulumi.Input[str]) -> Manifest:
    """Return what the two containers add to the spec of a pod.

    Args:
        account: ServiceAccount whose rights kube-web-view has.
        certificate: The ``kubernetes.io/tls`` Secret.
        caddy: The Secret with the ``Caddyfile``.
    """
    return {
        "serviceAccountName": account,
        "containers": [caddy_container(), kube_web_view_container()],
        "volumes": [
            {"name": "certificate", "secret": {"secretName": certificate, "defaultMode": 0o440}},
            {"name": "caddy", "secret": {"secretName": caddy, "defaultMode": 0o440}},
            {"name": "token", "projected": token()},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def caddy_container() -> Manifest:
    """Return the container that ends TLS and asks for the password."""
    probe = {"httpGet": {"path": "/health", "port": "https", "scheme": "HTTPS"}, "timeoutSeconds": 2}
    return {
        "name": "caddy",
        "image": CADDY_IMAGE,
        "command": ["caddy", "run", "--config", f"{CADDY}/Caddyfile", "--adapter", "caddyfile"],
        "env": [{"name": name, "value": "/tmp"} for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME")],  # noqa: S108
        "ports": [{"name": "https", "containerPort": PORT}],
        # Answered by kube-web-view: the pod is ready when both are.
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6},
        "lifecycle": LIFECYCLE,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "certificate", "mountPath": CERTIFICATE, "readOnly": True},
            {"name": "caddy", "mountPath": CADDY, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp", "subPath": "caddy"},  # noqa: S108 a mount point in the pod
        ],
    }


def kube_web_view_container() -> Manifest:
    """Return the container of kube-web-view, which has the token that the other one doesn't need."""
    probe = {"exec": {"command": ["python3", "-c", HEALTHY]}, "timeoutSeconds": 5}
    return {
        "name": "kube-web-view",
        "image": IMAGE,
        "command": ["python3", "-c", START],
        "args": [f"--port={BACKEND_PORT}", "--show-container-logs"],
        "livenessProbe": {**probe, "periodSeconds": 30, "failureThreshold": 3},
        "lifecycle": LIFECYCLE,
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "token", "mountPath": TOKEN, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp", "subPath": "kube-web-view"},  # noqa: S108 a mount point in the pod
        ],
    }


LIFECYCLE: Manifest = {"preStop": {"sleep": {"seconds": 3}}}
"""Connections arrive until the controller has heard that this pod ends: both containers serve them, then stop."""

HEALTHY = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{BACKEND_PORT}/health', timeout=4)"
"""Fails unless kube-web-view answers; the kubelet itself can't reach the pod's loopback interface."""


def token() -> Manifest:
    """Return the volume that the kubelet would mount into all containers of a pod, for one of them."""
    return {
        "defaultMode": 0o440,
        "sources": [
            # kube-web-view reads its token once. API servers let one of just this age be used for a year.
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ],
    }
