"""The addons that are charts of upstream's: what each registers, and in which order."""

from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from components.addons.catalogue import CATALOGUE
from tests.graph.recorder import DIGEST, Recording, run

READY = [{"name": "ready", "image": f"ghcr.io/me/ready@{DIGEST}"}]


def with_addons(preview: bool = False, **addons: Any) -> Recording:
    return run({"sites": READY, "addons": addons}, preview=preview)


def names(urns: frozenset[str]) -> set[str]:
    return {urn.rpartition("::")[2] for urn in urns}


def charts(recording: Recording, parent: str) -> dict[str, dict[str, Any]]:
    """The inputs of the charts of a component, by their names."""
    return {
        resource.name: resource.inputs
        for resource in recording.resources.values()
        if resource.type == "kubernetes:helm.sh/v4:Chart" and resource.parent.endswith(f"::{parent}")
    }


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("preview", [False, True])
def test_it_adds_only_itself_with_the_charts_of_the_catalogue(name: str, preview: bool) -> None:
    without, recording = with_addons(preview), with_addons(preview, **{name: True})
    new = {urn: each for urn, each in recording.resources.items() if urn not in without.resources}
    owners = {owner.name for urn in new if (owner := recording.component(urn))}
    assert owners == {name}
    assert recording.resources.keys() > without.resources.keys()
    if not preview:  # where unknown values equal nothing
        assert {urn: recording.resources[urn] for urn in without.resources} == without.resources
    product = CATALOGUE[name]
    assert charts(recording, name).keys() == {f"{name}-{key}" for key in product.releases}
    for key, release in product.releases.items():
        inputs = recording.find("Chart", f"{name}-{key}").inputs
        assert (inputs["name"], inputs["chart"], inputs["version"]) == (release.name, release.chart, release.version)
        assert inputs["repositoryOpts"] == {"repo": release.repository}
        assert inputs["namespace"] == product.namespace
        assert inputs["skipCrds"] is False
    labels = recording.find("Namespace", f"{name}-namespace").inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == product.pod_security


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("istio", ["istio-base", "istio-istiod", "istio-cni", "istio-ztunnel"]),
        ("linkerd", ["linkerd-crds", "linkerd-control-plane"]),
    ],
)
def test_charts_come_one_after_the_other(name: str, order: list[str]) -> None:
    recording = with_addons(**{name: True})
    for index, chart in enumerate(order):
        before = names(recording.find("Chart", chart).dependencies)
        assert before.isdisjoint(order[index:])
        if index:
            assert order[index - 1] in before
        # Of the same product, which has one namespace.
        assert f"{name}-namespace" in names(recording.find("Chart", chart).property_dependencies["namespace"])


def test_components_register_where_they_are() -> None:
    recording = with_addons(cilium=True, gpu=True, istio=True, linkerd=True)
    registered = {
        recording.resources[urn].type.rpartition(":")[2]: outputs
        for urn, outputs in recording.outputs.items()
        if recording.resources[urn].name in CATALOGUE
    }
    assert registered == {
        "Cilium": {"namespace": "cilium"},
        "GpuOperator": {"namespace": "gpu-operator"},
        "Istio": {"namespace": "istio-system"},
        "Linkerd": {"namespace": "linkerd"},
    }


def test_the_authority_of_linkerd_is_its_own() -> None:
    recording = with_addons(linkerd=True)
    anchor = recording.find("SelfSignedCert", "linkerd-anchor-certificate")
    issuer = recording.find("LocallySignedCert", "linkerd-issuer-certificate")
    assert names(anchor.property_dependencies["privateKeyPem"]) == {"linkerd-anchor-key"}
    assert names(issuer.property_dependencies["caCertPem"]) == {"linkerd-anchor-certificate"}
    assert names(issuer.property_dependencies["caPrivateKeyPem"]) == {"linkerd-anchor-key"}
    assert (anchor.inputs["isCaCertificate"], anchor.inputs["maxPathLength"]) == (True, 1)
    assert (issuer.inputs["isCaCertificate"], issuer.inputs["maxPathLength"]) == (True, 0)
    assert recording.find("CertRequest", "linkerd-issuer-request").inputs["dnsNames"] == [
        "identity.linkerd.cluster.local"
    ]
    keys = [each.inputs for each in recording.resources.values() if each.type == "tls:index/privateKey:PrivateKey"]
    assert all((key["algorithm"], key["ecdsaCurve"]) == ("ECDSA", "P256") for key in keys)
    secret = recording.find("Secret", "linkerd-issuer-secret").inputs
    assert (secret["metadata"]["name"], secret["type"]) == ("linkerd-identity-issuer", "kubernetes.io/tls")
    assert rpc.is_rpc_secret(secret["data"])
    assert rpc.unwrap_rpc_secret(secret["data"]).keys() == {"tls.crt", "tls.key", "ca.crt"}


def test_linkerd_starts_once_its_certificates_are_there() -> None:
    recording = with_addons(linkerd=True)
    chart = recording.find("Chart", "linkerd-control-plane")
    assert names(chart.property_dependencies["values"]) >= {
        "linkerd-anchor-certificate",
        "linkerd-issuer-secret",
        "linkerd-proxy-injector-tls-secret",
        "linkerd-sp-validator-tls-secret",
        "linkerd-policy-validator-tls-secret",
        "ca-certificate",
    }
    # The certificate is the server's name to the API server.
    hosts = recording.find("CertRequest", "linkerd-sp-validator-tls-request").inputs["dnsNames"]
    assert hosts == ["linkerd-sp-validator.linkerd.svc"]
    values = chart.inputs["values"]
    assert values["identityTrustAnchorsPEM"] == "certPem of linkerd-anchor-certificate\n"
    for webhook in ("proxyInjector", "profileValidator", "policyValidator"):
        assert values[webhook] == {"externalSecret": True, "caBundle": "certPem of ca-certificate\n"}
    assert "keyPEM" not in str(values)
    labels = recording.find("Namespace", "linkerd-namespace").inputs["metadata"]["labels"]
    assert labels["config.linkerd.io/admission-webhooks"] == "disabled"


def test_the_certificates_of_hubble_come_before_cilium() -> None:
    recording = with_addons(cilium={"hubble": True})
    chart = recording.find("Chart", "cilium-chart")
    assert names(chart.property_dependencies["values"]) >= {"cilium-server-tls-secret", "cilium-relay-tls-secret"}
    for part, host in (("server", "*.default.hubble-grpc.cilium.io"), ("relay", "*.hubble-relay.cilium.io")):
        assert recording.find("CertRequest", f"cilium-{part}-tls-request").inputs["dnsNames"] == [host]
        uses = recording.find("LocallySignedCert", f"cilium-{part}-tls-certificate").inputs["allowedUses"]
        assert {"server_auth", "client_auth"} < set(uses)
        data = rpc.unwrap_rpc_secret(recording.find("Secret", f"cilium-{part}-tls-secret").inputs["data"])
        assert data.keys() == {"tls.crt", "tls.key", "ca.crt"}


@pytest.mark.parametrize("mesh", ["istio", "linkerd"])
def test_cilium_leaves_room_for_a_mesh(mesh: str) -> None:
    alone = with_addons(cilium=True).find("Chart", "cilium-chart").inputs["values"]
    shared = with_addons(cilium=True, **{mesh: True}).find("Chart", "cilium-chart").inputs["values"]
    assert not alone.keys() & {"cni", "socketLB"}
    assert shared == {**alone, "cni": {"exclusive": False}, "socketLB": {"hostNamespaceOnly": True}}


def test_rancher_has_a_page_a_certificate_and_a_password() -> None:
    recording = run(
        {"sites": READY, "addons": {"rancher": {"host": "fleet.localhost"}}, "ingress": {"httpsPort": 8443}}
    )
    chart = recording.find("Chart", "rancher-chart")
    assert names(chart.property_dependencies["values"]) >= {
        "rancher-tls-secret",
        "rancher-password",
        "ingress-class",
        "ingress-daemonset",
    }
    assert "rancher-authority" in names(chart.dependencies)
    # The recorder marks all that a secret is in.
    assert rpc.is_rpc_secret(chart.inputs["values"])
    values = rpc.unwrap_rpc_secret(chart.inputs["values"])
    assert values["bootstrapPassword"] == "result of rancher-password\n"
    assert values["ingress"]["ingressClassName"] == "nginx"
    assert recording.find("CertRequest", "rancher-tls-request").inputs["dnsNames"] == ["fleet.localhost"]
    assert recording.stack_outputs["addon_urls"]["rancher"] == "https://fleet.localhost:8443/"
    login = recording.stack_outputs["rancher_login"]
    assert rpc.is_rpc_secret(login)
    assert rpc.unwrap_rpc_secret(login) == {"user": "admin", "password": "result of rancher-password\n"}


def test_the_first_preview_knows_what_needs_no_certificate() -> None:
    recording = with_addons(preview=True, istio=True, gpu=True, rancher=True)
    for chart in ("istio-base", "istio-ztunnel", "gpu-chart"):
        assert not isinstance(recording.find("Chart", chart).inputs["values"], pulumi.output.Unknown)
    values = rpc.unwrap_rpc_secret(recording.find("Chart", "rancher-chart").inputs["values"])
    assert isinstance(values["bootstrapPassword"], pulumi.output.Unknown)
    assert values["hostname"] == "rancher.localhost"
