"""The addon dns: pods resolve Services, pods and names outside, and do so again after its pod's death."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from components.addons import dns
from components.addons.dns.component import IMAGE
from components.addons.storage.component import HELPER_IMAGE
from tests.checkout import Checkout
from tests.waiting import eventually

NAMESPACE = "dns-test"
OUTSIDE = "www.outside.example"
"""A name that nobody on the internet has (RFC 2606)."""
OUTSIDE_ADDRESS = "192.0.2.80"
SUBDOMAIN = "peers"
CLIENT = "client"
COREFILE = f""".:{dns.PORT} {{
    hosts {{
        {OUTSIDE_ADDRESS} {OUTSIDE}
    }}
    ready
}}
"""
ASK = "nslookup -type=a {} >/dev/null 2>&1"
SERVICE = "kubernetes.default.svc.cluster.local."


def objects() -> list[dict[str, Any]]:
    """A nameserver of another network, and a pod that asks, with a name in a headless Service."""
    server = {
        "name": "server",
        "image": IMAGE,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [{"containerPort": dns.PORT, "protocol": "UDP"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    # One line for each question, asked over and over.
    script = f"while true; do if {ASK.format(SERVICE)}; then echo answered; else echo lost; fi; sleep 0.1; done"
    client = {"name": CLIENT, "image": HELPER_IMAGE, "command": ["sh", "-c", script]}
    ports = [
        {"name": "dns", "port": 53, "targetPort": dns.PORT, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "targetPort": dns.PORT, "protocol": "TCP"},
    ]

    def named(kind: str, name: str, **fields: Any) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **fields}

    def pod(name: str, **spec: Any) -> dict[str, Any]:
        spec = {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0, **spec}
        made = named("Pod", name, spec=spec)
        made["metadata"]["labels"] = {"app": name}
        return made

    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        named("ConfigMap", "outside", data={"Corefile": COREFILE}),
        pod("outside", containers=[server], volumes=[{"name": "config", "configMap": {"name": "outside"}}]),
        named("Service", "outside", spec={"selector": {"app": "outside"}, "ports": ports}),
        pod(CLIENT, containers=[client], hostname=CLIENT, subdomain=SUBDOMAIN),
        named("Service", SUBDOMAIN, spec={"clusterIP": "None", "selector": {"app": CLIENT}, "ports": ports}),
    ]


@pytest.fixture
def asking(site: Checkout) -> Iterator[Checkout]:
    """The stack beside a pod that asks the cluster's DNS all the time."""
    file = site.state / "dns-test.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects()}))
    try:
        site.kubectl("apply", "-f", str(file))
        site.kubectl("wait", "pods", "--all", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=180s")
        yield site
    finally:
        site.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
        file.unlink()


def resolved(cluster: Checkout, name: str) -> list[str]:
    """The addresses that the pod gets for a name; none where there is no answer."""
    script = f"nslookup -type=a {name} || true"
    lines = cluster.kubectl("exec", "-n", NAMESPACE, CLIENT, "--", "sh", "-c", script).splitlines()
    # First comes the server that was asked.
    names = [index for index, line in enumerate(lines) if line.startswith("Name:")]
    return [line.split()[-1] for line in lines[names[0] :] if line.startswith("Address")] if names else []


def answers(cluster: Checkout) -> list[str]:
    """What became of each question, the latest last."""
    return cluster.kubectl("logs", "-n", NAMESPACE, CLIENT, "--tail=-1").split()


def test_pods_resolve_services_pods_and_names_outside_as_configured(asking: Checkout) -> None:
    service = asking.kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}")
    pod = asking.kubectl("get", "pod", CLIENT, "-n", NAMESPACE, "-o", "jsonpath={.status.podIP}")
    upstream = asking.kubectl("get", "service", "outside", "-n", NAMESPACE, "-o", "jsonpath={.spec.clusterIP}")

    assert eventually(lambda: resolved(asking, SERVICE) == [service])
    peer = f"{CLIENT}.{SUBDOMAIN}.{NAMESPACE}.svc.cluster.local."
    assert eventually(lambda: resolved(asking, peer) == [pod])
    assert resolved(asking, f"nobody.{SUBDOMAIN}.{NAMESPACE}.svc.cluster.local.") == []
    with asking.addon("dns", {"upstream[0]": upstream}):
        assert eventually(lambda: resolved(asking, f"{OUTSIDE}.") == [OUTSIDE_ADDRESS])
        assert resolved(asking, SERVICE) == [service]


def test_pods_get_answers_again_after_its_pod_s_death(asking: Checkout) -> None:
    assert eventually(lambda: answers(asking)[-10:] == ["answered"] * 10)
    before = asking.kubectl("get", "pods", "-n", dns.NAMESPACE, "-l", "app.kubernetes.io/name=coredns", "-o", "name")

    # One that was about to end may be gone.
    asking.kubectl("delete", "-n", dns.NAMESPACE, "--ignore-not-found", *before.split())
    asking.kubectl("rollout", "status", "deployment/coredns", "-n", dns.NAMESPACE, "--timeout=180s")

    asked = len(answers(asking))
    assert eventually(lambda: answers(asking)[asked:][-10:] == ["answered"] * 10)
