"""Hosts that lead to another one, by a server that answers nothing else.

No annotation of ingress-nginx answers 301 with the path and the query of the request (``permanent-redirect`` has
neither, ``rewrite-target`` answers 302, ``from-to-www-redirect`` 308 and for one prefix only), and snippets are off by
default, in Traefik's ingress-nginx mode as well. So the answer is that of a small nginx, behind every controller alike.
"""

from collections.abc import Sequence

import pulumi

from components.ingress import IngressArgs
from components.kinds import ConfigMap, Deployment, Ingress, NetworkPolicy, PodDisruptionBudget, Service
from components.manifests import (
    CONTAINER_SECURITY,
    DELETED_IN_BACKGROUND,
    POD_SECURITY,
    SKIP_AWAIT,
    Manifest,
    allow_from,
    annotated,
    checksum,
    config_map,
    disruption_budget,
    internal_service,
    labels,
    metadata,
    selector,
    spread,
)
from components.site.options import Redirect
from components.urls import url

IMAGE = "docker.io/library/nginx:1.31.3-alpine-slim"
PORT = 8080
CONFIGURATION = "/etc/nginx-redirects"
COMPONENT = "redirects"
"""The part that the server plays in the stack: it isn't the site, whose pods are told by theirs."""

NO_SSL_REDIRECT = {
    f"{prefix}/ssl-redirect": "false"
    for prefix in ("nginx.ingress.kubernetes.io", "haproxy.org", "haproxy-ingress.github.io")
}
"""Annotations: plain HTTP is answered at once rather than by way of HTTPS. Traefik's own class has none."""


def redirect(
    name: str,
    ns: pulumi.Input[str],
    redirects: Sequence[Redirect],
    certificate: pulumi.Input[str] | None,
    ingress: IngressArgs,
    child: pulumi.ResourceOptions,
) -> Ingress:
    """Declare the server of the redirects, and the Ingress of their hosts; return that.

    Args:
        name: Name of the site.
        ns: Its namespace.
        redirects: Which host leads where.
        certificate: The Secret for HTTPS; ``None``: plain HTTP.
        ingress: The ingress controller.
        child: Pulumi's options of the resources, with their parent.
    """
    app, resource = app_name(name), f"{name}-redirects"
    ports = ingress.options
    configured = nginx_conf(
        {each.from_: url("https", each.to, ports.https_port, "") for each in redirects}
        if certificate is not None
        else {each.from_: url("http", each.to, ports.http_port, "") for each in redirects}
    )
    config = ConfigMap(f"{resource}-config", **config_map(app, ns, COMPONENT, {"nginx.conf": configured}), opts=child)
    policy = NetworkPolicy(f"{resource}-policy", **network_policy(app, ns, ingress.namespace), opts=child)
    deployment = Deployment(
        f"{resource}-deployment",
        **deployment_args(app, ns, config.metadata["name"], configured),
        # No pod runs before the policy that confines it.
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[policy])),
    )
    PodDisruptionBudget(f"{resource}-budget", **disruption_budget(app, ns, COMPONENT), opts=child)
    service = Service(
        f"{resource}-service",
        **service_args(app, ns),
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[deployment])),
    )
    hosts = [each.from_ for each in redirects]
    return Ingress(
        f"{resource}-ingress",
        **ingress_args(app, ns, hosts, service.metadata["name"], certificate, ingress.class_name),
        opts=child,
    )


def app_name(name: str) -> str:
    """Return the name of the server of the site ``name``, which is also that of a Service."""
    return f"{name[:53]}-redirects"


def nginx_conf(targets: dict[str, str]) -> str:
    """Return nginx' configuration; ``targets`` are the URLs, without a path, by the hosts that lead to them."""
    servers = [
        f"\tserver {{\n\t\tlisten {PORT};\n\t\tserver_name {host};\n\t\treturn 301 {target}$request_uri;\n\t}}\n"
        for host, target in targets.items()
    ]
    return f"""\
daemon off;
pid /tmp/nginx.pid;
error_log stderr warn;
worker_processes 1;
worker_shutdown_timeout 6s;

events {{
	worker_connections 1024;
}}

http {{
	client_body_temp_path /tmp/client-body;
	proxy_temp_path /tmp/proxy;
	fastcgi_temp_path /tmp/fastcgi;
	uwsgi_temp_path /tmp/uwsgi;
	scgi_temp_path /tmp/scgi;
	server_names_hash_bucket_size 512;
	server_tokens off;
	access_log off;

	# Others don't get here but the kubelet, which asks for an address.
	server {{
		listen {PORT} default_server;
		return 204;
	}}
{"".join(servers)}}}
"""


def deployment_args(app: str, ns: pulumi.Input[str], config: pulumi.Input[str], configured: str) -> Manifest:
    """Return the Deployment of the server; the ConfigMap ``config`` has its configuration ``configured``."""
    probe = {"httpGet": {"path": "/", "port": "http"}, "timeoutSeconds": 2}
    container = {
        "name": "nginx",
        "image": IMAGE,
        "command": ["/usr/sbin/nginx", "-e", "stderr", "-c", f"{CONFIGURATION}/nginx.conf"],
        "ports": [{"name": "http", "containerPort": PORT}],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 3},
        # Requests arrive until the controller has heard that this pod ends.
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"cpu": "200m", "memory": "32Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIGURATION, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 a mount point in the pod
        ],
    }
    return {
        "metadata": annotated(metadata(app, ns, COMPONENT), DELETED_IN_BACKGROUND),
        "spec": {
            # Two, so that one goes on when a node is drained.
            "replicas": 2,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector(app)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                # nginx reads its configuration once.
                "metadata": {"labels": labels(app, COMPONENT), "annotations": checksum(configured)},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": POD_SECURITY,
                    "topologySpreadConstraints": spread(app),
                    "containers": [container],
                    "volumes": [
                        {"name": "config", "configMap": {"name": config}},
                        {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
                    ],
                },
            },
        },
    }


def service_args(app: str, ns: pulumi.Input[str]) -> Manifest:
    """Return the Service of the server."""
    return internal_service(metadata(app, ns, COMPONENT), app, "http", 80)


def network_policy(app: str, ns: pulumi.Input[str], peer: pulumi.Input[str] | None) -> Manifest:
    """Return the NetworkPolicy that lets the namespace ``peer`` (``None``: anybody) in, and nothing out."""
    return {
        "metadata": metadata(app, ns, COMPONENT),
        "spec": {
            "podSelector": {"matchLabels": selector(app)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [allow_from(peer, PORT)],
            "egress": [],
        },
    }


def ingress_args(
    app: str,
    ns: pulumi.Input[str],
    hosts: Sequence[str],
    service_name: pulumi.Input[str],
    certificate: pulumi.Input[str] | None,
    class_name: pulumi.Input[str],
) -> Manifest:
    """Return the Ingress of the hosts that are redirected, on HTTP and, with a ``certificate``, on HTTPS."""
    backend = {"service": {"name": service_name, "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec: Manifest = {
        "ingressClassName": class_name,
        "rules": [{"host": host, "http": {"paths": paths}} for host in hosts],
    }
    # What the provider awaits it reads from a cache that may not have this change yet, where the namespace has another
    # Ingress: the state would have what was, and the next preview a change. The site's own Ingress, which is declared
    # after this one, is awaited: the controller that has seen it has seen this one.
    annotations = dict(SKIP_AWAIT)
    if certificate is not None:
        spec["tls"] = [{"hosts": list(hosts), "secretName": certificate}]
        annotations |= NO_SSL_REDIRECT
    return {"metadata": {**metadata(app, ns, COMPONENT), "annotations": annotations}, "spec": spec}
