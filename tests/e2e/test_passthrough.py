"""TLS passthrough by Traefik's own kinds, for real: a second Traefik, as MicroK8s and k3s have theirs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from components.addons.ingress.component import IMAGE
from tests.checkout import Checkout
from tests.plugins.language.project import Project, install_plugins
from tests.tls import fingerprint
from tests.waiting import eventually

NAMESPACE = "passthrough-test"
CLASS = "passthrough-test"
DEAF = "passthrough-test-deaf"
HOST = "crd.localhost"
KINDS = (
    "IngressRoute",
    "IngressRouteTCP",
    "IngressRouteUDP",
    "Middleware",
    "MiddlewareTCP",
    "ServersTransport",
    "ServersTransportTCP",
    "TLSOption",
    "TLSStore",
    "TraefikService",
)
"""What Traefik's provider of custom resources watches, all of them or none."""

PROGRAM = f"""
import pulumi
import pulumi_kubernetes as kubernetes
from components.tls_passthrough import TlsPassthroughIngress

TlsPassthroughIngress(
    "dashboard",
    {{
        "host": "{HOST}",
        "namespace": "dashboard",
        "service": "dashboard",
        "port": 443,
        "component": "dashboard",
        "ingress_class": pulumi.Config().require("class"),
    }},
    pulumi.ResourceOptions(providers=[kubernetes.Provider("cluster")]),
)
"""


def crd(kind: str) -> dict[str, Any]:
    """A definition that lets everything pass: what Traefik makes of it is the test."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.traefik.io"},
        "spec": {
            "group": "traefik.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [version],
        },
    }


def ingress_class(name: str, controller: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name},
        "spec": {"controller": controller},
    }


def way_in() -> dict[str, Any]:
    """Lets the second Traefik in to the dashboard, whose own NetworkPolicy has the stack's only."""
    source = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": NAMESPACE, "namespace": "dashboard"},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "dashboard"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [source], "ports": [{"port": "https", "protocol": "TCP"}]}],
        },
    }


def traefik() -> list[dict[str, Any]]:
    """A Traefik that knows its own kinds only."""
    meta = {"name": NAMESPACE, "namespace": NAMESPACE}
    watch = ["get", "list", "watch"]
    rbac = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["services", "secrets", "nodes", "namespaces", "configmaps"], "verbs": watch},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": watch},
        {"apiGroups": ["traefik.io"], "resources": [f"{kind.lower()}s" for kind in KINDS], "verbs": watch},
    ]
    arguments = [
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
        "--entryPoints.web.address=:8000",
        "--entryPoints.websecure.address=:8443",
        "--providers.kubernetesCRD=true",
    ]
    container = {"name": "traefik", "image": IMAGE, "args": arguments, "imagePullPolicy": "Never"}
    labels = {"app": NAMESPACE}
    pod = {"serviceAccountName": NAMESPACE, "containers": [container]}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": NAMESPACE}, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAMESPACE},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": NAMESPACE},
            "subjects": [{"kind": "ServiceAccount", **meta}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]


@pytest.fixture(scope="module")
def controller(site: Checkout) -> Iterator[Checkout]:
    """The second Traefik with its kinds and its IngressClass, and a class of a controller that nobody knows."""
    classes = [ingress_class(CLASS, "traefik.io/ingress-controller"), ingress_class(DEAF, "example.com/deaf")]
    objects = {"apiVersion": "v1", "kind": "List", "items": [*map(crd, KINDS), *classes, way_in(), *traefik()]}
    file = site.path / "traefik.json"
    file.write_text(json.dumps(objects))
    try:
        site.kubectl("apply", "-f", str(file))
        site.kubectl("rollout", "status", f"deployment/{NAMESPACE}", "-n", NAMESPACE, "--timeout=180s")
        yield site
    finally:
        site.kubectl("delete", "--ignore-not-found", "--wait", "-f", str(file))
        file.unlink()


@pytest.fixture(scope="module")
def project(controller: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A program with nothing but the component, which finds out by itself what the controller understands."""
    variables = install_plugins(tmp_path_factory.mktemp("pulumi")) | {"PYTHONPATH": str(controller.path)}
    project = Project(tmp_path_factory.mktemp("passthrough") / "project", variables)
    project.write("__main__.py", PROGRAM)
    project.pulumi("config", "set", "class", CLASS)
    yield project
    project.pulumi("destroy", "--yes", "--skip-preview")


@contextlib.contextmanager
def forwarded(port: int, environment: Mapping[str, str]) -> Iterator[int]:
    """Forward a port of the second Traefik to a free one on loopback, and yield that."""
    command = ["kubectl", "port-forward", "-n", NAMESPACE, f"deployment/{NAMESPACE}", f":{port}"]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout is not None
        try:
            found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+)", forward.stdout.readline())
            assert found
            yield int(found[1])
        finally:
            forward.terminate()


def test_an_ingress_route_tcp_passes_the_certificate_of_the_pod_through(project: Project, controller: Checkout) -> None:
    previewed = json.loads(project.pulumi("preview", "--json"))["steps"]
    kinds = {step["urn"].rpartition("::")[0].rpartition("$")[2] for step in previewed if step["op"] == "create"}
    assert {kind for kind in kinds if "traefik" in kind} == {
        "kubernetes:traefik.io/v1alpha1:IngressRouteTCP",
        "kubernetes:traefik.io/v1alpha1:IngressRoute",
        "kubernetes:traefik.io/v1alpha1:Middleware",
    }
    project.up()
    project.pulumi("preview", "--expect-no-changes")

    in_the_pod = fingerprint("dashboard.localhost")
    environment = controller.environment()
    with forwarded(8443, environment) as https:

        def passed_through() -> bool:
            try:
                return fingerprint(HOST, https) == in_the_pod
            except OSError:  # a connection that nobody takes yet is closed
                return False

        assert eventually(passed_through)
        assert fingerprint("other.localhost", https) != in_the_pod
    with forwarded(8000, environment) as http:

        def redirected() -> tuple[int, str | None]:
            answer = httpx.get(f"http://127.0.0.1:{http}/clusters", headers={"Host": HOST}, timeout=30)
            return answer.status_code, answer.headers.get("location")

        # The routes of the two entry points needn't be there at the same moment.
        assert eventually(lambda: redirected() == (301, f"https://{HOST}/clusters")), redirected()


def test_a_controller_that_would_ignore_it_is_an_error_in_preview(project: Project) -> None:
    project.pulumi("config", "set", "class", DEAF)
    try:
        shown = project.pulumi("preview", fails=True)
    finally:
        project.pulumi("config", "set", "class", CLASS)
    assert (
        "passthrough is auto, and the controller of the IngressClass, example.com/deaf, isn't known to pass TLS through"
    ) in shown
    assert "Traceback" not in shown
