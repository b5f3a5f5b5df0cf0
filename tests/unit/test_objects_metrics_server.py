"""The metrics server's objects, as data and as the engine would be told of them."""

import base64
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components.addons import metrics_server
from components.addons.metrics_server import MetricsServer
from components.certificate_authority import CertificateAuthority
from components.manifests import CONTAINER_SECURITY
from tests.graph.recorder import Cloud, Recording, record

FILES = (("cert-file", "crt"), ("private-key-file", "key"))
"""Flags of a server's certificate, and the endings of the files."""


def spec(*, kubelet_insecure_tls: bool = False) -> dict[str, Any]:
    made = metrics_server.deployment("metrics-server", "metrics-server-tls", kubelet_insecure_tls)
    found: dict[str, Any] = made["spec"]["template"]["spec"]
    return found


def program() -> None:
    cluster = pulumi_kubernetes.Provider("cluster")
    authority = CertificateAuthority("ca", {"common_name": "test CA"})
    opts = pulumi.ResourceOptions(providers=[cluster])
    pulumi.export("api", MetricsServer("metrics-server", {"authority": authority}, opts).api)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record(program, Cloud(preview=False))


def test_the_pod_is_restricted() -> None:
    assert spec()["securityContext"]["runAsNonRoot"] is True
    [container] = spec()["containers"]
    assert container["securityContext"] == CONTAINER_SECURITY
    assert container["resources"]["limits"]["memory"]


def test_the_image_has_a_complete_name_and_a_fixed_version() -> None:
    name, _, tag = metrics_server.IMAGE.rpartition(":")
    assert name.count("/") == 2
    assert tag.lstrip("v").count(".") == 2


def test_probes_ask_over_tls_whether_it_lives_and_has_metrics() -> None:
    [container] = spec()["containers"]
    assert {each: container[each]["httpGet"] for each in ("startupProbe", "livenessProbe", "readinessProbe")} == {
        "startupProbe": {"path": "/livez", "port": "https", "scheme": "HTTPS"},
        "livenessProbe": {"path": "/livez", "port": "https", "scheme": "HTTPS"},
        "readinessProbe": {"path": "/readyz", "port": "https", "scheme": "HTTPS"},
    }
    assert container["ports"] == [{"name": "https", "containerPort": 10250}]


def test_it_serves_the_certificate_that_is_mounted() -> None:
    [container] = spec()["containers"]
    [mount] = container["volumeMounts"]
    assert {f"--tls-{flag}={mount['mountPath']}/tls.{suffix}" for flag, suffix in FILES} <= set(container["args"])
    assert spec()["volumes"] == [
        {"name": mount["name"], "secret": {"secretName": "metrics-server-tls", "defaultMode": 0o440}}
    ]


def test_certificates_of_kubelets_are_verified_unless_told_otherwise() -> None:
    insecure = "--kubelet-insecure-tls"
    assert insecure not in spec()["containers"][0]["args"]
    assert insecure in spec(kubelet_insecure_tls=True)["containers"][0]["args"]


def test_it_may_read_metrics_pods_and_nodes_and_no_more() -> None:
    rights = {
        (verb, resource)
        for rule in metrics_server.cluster_role()["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }
    watched = {(verb, resource) for verb in ("get", "list", "watch") for resource in ("pods", "nodes")}
    assert rights == watched | {("get", "nodes/metrics")}


def test_who_may_view_a_namespace_may_see_its_metrics() -> None:
    role = metrics_server.reader()
    roles = ("view", "edit", "admin")
    assert {f"rbac.authorization.k8s.io/aggregate-to-{name}" for name in roles} <= role["metadata"]["labels"].keys()
    assert role["rules"] == [
        {"apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]}
    ]


def test_the_api_server_verifies_the_certificate(recording: Recording) -> None:
    registered = recording.find("APIService", "metrics-server-api").inputs
    assert registered["metadata"]["name"] == "v1beta1.metrics.k8s.io"
    authority = base64.b64encode(b"certPem of ca-certificate\n").decode()
    assert registered["spec"] == {
        "group": "metrics.k8s.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "service": {"name": "metrics-server", "namespace": "kube-system", "port": 443},
        "caBundle": authority,
    }
    request = recording.find("CertRequest", "metrics-server-tls-request").inputs
    assert request["dnsNames"] == ["metrics-server.kube-system.svc"]


def test_the_api_comes_last_and_so_goes_first(recording: Recording) -> None:
    api = recording.find("APIService", "metrics-server-api")
    deployed = recording.find("Deployment", "metrics-server-deployment")
    exposed = recording.find("Service", "metrics-server-service")
    assert {deployed.urn, exposed.urn} <= api.dependencies
    grants = {
        recording.find(kind, f"metrics-server-{part}").urn
        for kind, part in (
            ("ClusterRoleBinding", "binding"),
            ("ClusterRoleBinding", "delegation"),
            ("RoleBinding", "authentication"),
        )
    }
    assert grants <= deployed.dependencies
    assert recording.find("Secret", "metrics-server-tls-secret").urn in deployed.property_dependencies["spec"]


def test_the_outputs(recording: Recording) -> None:
    assert recording.stack_outputs == {"api": "v1beta1.metrics.k8s.io"}
    component = recording.find("MetricsServer", "metrics-server")
    assert recording.outputs[component.urn] == {"api": "v1beta1.metrics.k8s.io"}


def test_everything_is_a_part_of_the_component_and_says_so(recording: Recording) -> None:
    component = recording.find("MetricsServer", "metrics-server")
    objects = [each for each in recording.resources.values() if each.type.startswith("kubernetes:")]
    assert {each.parent for each in objects} == {component.urn}
    labels = [each.inputs["metadata"]["labels"] for each in objects]
    assert {each["app.kubernetes.io/component"] for each in labels} == {"metrics-server"}
