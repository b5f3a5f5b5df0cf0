"""Prometheus' configuration files, as plain data.

Source: https://prometheus.io/docs/prometheus/latest/configuration/
"""

import json
import re
from typing import Any, TypeAlias

Section: TypeAlias = dict[str, Any]
"""A part of a configuration file."""

CONFIG = "/etc/prometheus"
WEB = "/etc/prometheus-web"
CERTIFICATE = "/etc/prometheus-certificate"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Folders in the pod: configuration and rules, what is secret of it, the certificate, the account's token."""

PORT = 9090
USER = "admin"
INTERVAL = "15s"

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
"""The suffixes of Kubernetes quantities that sizes have."""

BULKY = ".*_bucket"
"""Histograms of the API server: four fifths of all series. Their sums and counts are kept, and so the averages."""

MEASURED_TWICE = "container_(cpu_usage_seconds_total|memory_working_set_bytes|start_time_seconds)"
"""What cAdvisor has of containers only where it knows the container runtime, and the kubelet everywhere."""


def prometheus(host: str, retention: str, size: str, *, verify_kubelets: bool) -> str:
    """Return ``prometheus.yml``; JSON is YAML.

    Args:
        host: Host name that its certificate is for.
        retention: How long samples are kept, such as ``7d``.
        size: Of the volume, a Kubernetes quantity; a full one would stop Prometheus for good.
        verify_kubelets: Whether the certificates of the kubelets are of the cluster's authority.
    """
    account = account_of_pod()
    kubelets = {**account, "tls_config": account["tls_config"] if verify_kubelets else {"insecure_skip_verify": True}}
    return text(
        {
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": "10s", "evaluation_interval": INTERVAL},
            "rule_files": [f"{CONFIG}/rules.yml"],
            "storage": {"tsdb": {"retention": {"time": retention, "size": f"{in_bytes(size) * 8 // 10}B"}}},
            "scrape_configs": [
                own_metrics(host),
                api_server(account),
                kubelet("kubelet", "/metrics", kubelets),
                kubelet("resource", "/metrics/resource", kubelets),
                kubelet("cadvisor", "/metrics/cadvisor", kubelets, dropped=MEASURED_TWICE),
                kubelet("probes", "/metrics/probes", kubelets),
                pods("traefik", "app.kubernetes.io/name=traefik"),
                pods("stack", "app.kubernetes.io/part-of=inspiration,app.kubernetes.io/name!=traefik"),
            ],
        }
    )


def web(password_hash: str) -> str:
    """Return ``web.yml``, by which it ends TLS and asks for the password, whose hash is of bcrypt.

    Source: https://prometheus.io/docs/prometheus/latest/configuration/https/
    """
    return text(
        {
            "tls_server_config": {"cert_file": f"{CERTIFICATE}/tls.crt", "key_file": f"{CERTIFICATE}/tls.key"},
            "http_server_config": {
                "headers": {
                    "Strict-Transport-Security": "max-age=31536000",
                    "X-Content-Type-Options": "nosniff",
                    "X-Frame-Options": "deny",
                }
            },
            "basic_auth_users": {USER: password_hash},
        }
    )


def client(host: str) -> Section:
    """Return how to ask Prometheus itself from inside its pod, in a configuration or in a file for ``promtool``."""
    return {
        "basic_auth": {"username": USER, "password_file": f"{WEB}/password"},
        # The file has the authority's certificate after its own.
        "tls_config": {"ca_file": f"{CERTIFICATE}/tls.crt", "server_name": host},
    }


def own_metrics(host: str) -> Section:
    """Return the job that scrapes Prometheus."""
    targets = [{"targets": [f"127.0.0.1:{PORT}"]}]
    return {"job_name": "prometheus", "scheme": "https", **client(host), "static_configs": targets}


def account_of_pod() -> Section:
    """Return how the cluster's own servers are asked: with the token of the pod's account."""
    return {
        "scheme": "https",
        "authorization": {"credentials_file": f"{ACCOUNT}/token"},
        "tls_config": {"ca_file": f"{ACCOUNT}/ca.crt"},
    }


def api_server(account: Section) -> Section:
    """Return the job of the API servers, each of which is an endpoint of the Service ``default/kubernetes``."""
    return {
        "job_name": "apiserver",
        **account,
        # Their certificates have this name everywhere, and their addresses mostly.
        "tls_config": {**account["tls_config"], "server_name": "kubernetes.default.svc"},
        "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"names": ["default"]}}],
        "relabel_configs": [
            {
                "source_labels": ["__meta_kubernetes_service_name", "__meta_kubernetes_endpointslice_port_name"],
                "regex": "kubernetes;https",
                "action": "keep",
            }
        ],
        "metric_relabel_configs": [drop(BULKY)],
    }


def kubelet(job: str, path: str, account: Section, *, dropped: str | None = None) -> Section:
    """Return the job of one of the pages that every kubelet has, less the metrics whose names match ``dropped``.

    They are its own page, those of the resources of containers, by itself and by cAdvisor, and that of its probes.
    """
    return {
        "job_name": job,
        **account,
        "metrics_path": path,
        "kubernetes_sd_configs": [{"role": "node"}],
        "metric_relabel_configs": [drop(dropped)] if dropped else [],
    }


def drop(names: str) -> Section:
    """Return the rule that forgets the metrics whose whole names match a regular expression."""
    return {"source_labels": ["__name__"], "regex": names, "action": "drop"}


def pods(job: str, selector: str) -> Section:
    """Return the job of the pods with the labels of ``selector`` that have a container port called ``metrics``."""

    def label(target: str, source: str) -> Section:
        return {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": target}

    return {
        "job_name": job,
        "kubernetes_sd_configs": [{"role": "pod", "selectors": [{"role": "pod", "label": selector}]}],
        "relabel_configs": [
            {
                "source_labels": ["__meta_kubernetes_pod_container_port_name"],
                "regex": "metrics",
                "action": "keep",
            },
            # What has ended keeps its address, and answers no more.
            {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Failed|Succeeded", "action": "drop"},
            label("namespace", "namespace"),
            label("pod", "pod_name"),
            label("app", "pod_label_app_kubernetes_io_name"),
        ],
    }


def in_bytes(quantity: str) -> int:
    """Return the number of bytes of a Kubernetes quantity: ``1.5Ki`` → 1536.

    Raises:
        ValueError: It is none.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([a-zA-Z]*)", quantity)
    if found is None or found[2] not in UNITS:
        raise ValueError(f"{quantity!r} isn't a size")
    return int(float(found[1]) * UNITS[found[2]])


def text(section: Section) -> str:
    """Return a configuration file with ``section``."""
    return json.dumps(section, indent=2)
