"""The program under mocks: charts, the configuration's and those of addons, and what they are given."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from tests.charts import write_chart
from tests.graph.configurations import ALL_ADDONS, CHART
from tests.graph.recorder import READY, Recording, run


def values(recording: Recording, chart: str) -> Any:
    return rpc.unwrap_rpc_secret(recording.find("Chart", chart).inputs["values"])


def run_with(preview: bool = False, **addons: Any) -> Recording:
    return run({"sites": READY, "addons": addons}, preview=preview)


def test_a_chart_is_installed_in_a_namespace_of_its_own(recording: Recording) -> None:
    charted = run({"charts": [CHART]})
    new = charted.beyond(recording)
    kinds = {"shop": "ChartAddon", "shop-namespace": "Namespace", "shop-chart": "Chart"}
    assert {each.name: each.type.rpartition(":")[2] for each in new} == kinds
    chart = charted.find("Chart", "shop-chart")
    assert chart.made_of("namespace") == {"shop-namespace"}
    # Its volumes are made, and removed, by what is there before and after it.
    assert {"storage-class", "storage-deployment"} <= chart.after
    assert charted.outputs_of("ChartAddon", "shop") == {"namespace": "shop"}
    assert charted.stack_outputs == recording.stack_outputs


@pytest.mark.parametrize("secrets", [(), ("charts",)])
def test_the_values_of_a_chart_are_secret_if_the_configuration_says_so(secrets: tuple[str, ...]) -> None:
    charted = run({"charts": [{**CHART, "values": {"password": "x"}}]}, secrets=secrets)
    assert rpc.is_rpc_secret(charted.find("Chart", "shop-chart").inputs["values"]) == bool(secrets)
    assert values(charted, "shop-chart") == {"password": "x"}


@pytest.mark.parametrize("name", ["cert", "cilium", "gpu", "istio", "linkerd", "rancher"])
def test_the_charts_of_an_addon_are_those_of_its_product(everything: Recording, name: str) -> None:
    product = import_module(f"components.addons.{name}.component").PRODUCT
    for key, release in product.releases.items():
        inputs = everything.find("Chart", f"{name}-{key}").inputs
        assert (inputs["name"], inputs["chart"], inputs["version"]) == (release.name, release.chart, release.version)
        assert inputs.get("repositoryOpts") == ({"repo": release.repository} if release.repository else None)
        assert inputs["namespace"] == product.namespace
        assert inputs["skipCrds"] is not release.crds
    labels = everything.find("Namespace", f"{name}-namespace").inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == product.pod_security


def test_a_chart_on_this_machine_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = import_module("components.addons.cert.component").VERSION
    folder = write_chart(tmp_path / "quay.io/jetstack/charts/cert-manager", {}, version=version)
    monkeypatch.setenv("INSPIRATION_CHARTS", str(tmp_path))
    assert run_with(cert=True).find("Chart", "cert-chart").inputs["chart"] == str(folder)


def test_the_authority_of_cert_manager_is_the_stacks_and_its_key_a_secret(everything: Recording) -> None:
    stored = everything.find("Secret", "cert-authority").inputs
    assert rpc.is_rpc_secret(stored["data"])
    assert stored["metadata"]["namespace"] == "cert-manager"
    assert run_with(cert=True).stack_outputs["cert_issuers"] == ["inspiration-ca"]


def test_the_authority_of_linkerd_is_its_own(everything: Recording) -> None:
    anchor = everything.find("SelfSignedCert", "linkerd-anchor-certificate").inputs
    issuer = everything.find("LocallySignedCert", "linkerd-issuer-certificate").inputs
    assert (anchor["isCaCertificate"], anchor["maxPathLength"]) == (True, 1)
    assert (issuer["isCaCertificate"], issuer["maxPathLength"]) == (True, 0)
    hosts = everything.find("CertRequest", "linkerd-issuer-request").inputs["dnsNames"]
    assert hosts == ["identity.linkerd.cluster.local"]
    keys = [each.inputs for each in everything.resources.values() if each.type == "tls:index/privateKey:PrivateKey"]
    assert all((key["algorithm"], key["ecdsaCurve"]) == ("ECDSA", "P256") for key in keys)
    secret = everything.find("Secret", "linkerd-issuer-secret").inputs
    assert (secret["metadata"]["name"], secret["type"]) == ("linkerd-identity-issuer", "kubernetes.io/tls")
    assert rpc.is_rpc_secret(secret["data"])
    assert rpc.unwrap_rpc_secret(secret["data"]).keys() == {"tls.crt", "tls.key", "ca.crt"}


def test_the_webhooks_of_linkerd_have_certificates_of_the_stack(everything: Recording) -> None:
    # The certificate is the server's name to the API server.
    hosts = everything.find("CertRequest", "linkerd-sp-validator-tls-request").inputs["dnsNames"]
    assert hosts == ["linkerd-sp-validator.linkerd.svc"]
    given = values(everything, "linkerd-control-plane")
    assert given["identityTrustAnchorsPEM"] == "certPem of linkerd-anchor-certificate\n"
    for webhook in ("proxyInjector", "profileValidator", "policyValidator"):
        assert given[webhook] == {"externalSecret": True, "caBundle": "certPem of ca-certificate\n"}
    assert "keyPEM" not in str(given)
    labels = everything.find("Namespace", "linkerd-namespace").inputs["metadata"]["labels"]
    assert labels["config.linkerd.io/admission-webhooks"] == "disabled"


def test_the_certificates_of_hubble_are_for_servers_and_clients(everything: Recording) -> None:
    for part, host in (("server", "*.default.hubble-grpc.cilium.io"), ("relay", "*.hubble-relay.cilium.io")):
        assert everything.find("CertRequest", f"cilium-{part}-tls-request").inputs["dnsNames"] == [host]
        uses = everything.find("LocallySignedCert", f"cilium-{part}-tls-certificate").inputs["allowedUses"]
        assert {"server_auth", "client_auth"} < set(uses)
        data = rpc.unwrap_rpc_secret(everything.find("Secret", f"cilium-{part}-tls-secret").inputs["data"])
        assert data.keys() == {"tls.crt", "tls.key", "ca.crt"}


@pytest.mark.parametrize("mesh", ["istio", "linkerd"])
def test_cilium_leaves_room_for_a_mesh(mesh: str) -> None:
    alone = values(run_with(cilium=True), "cilium-chart")
    shared = values(run_with(cilium=True, **{mesh: True}), "cilium-chart")
    assert not alone.keys() & {"cni", "socketLB"}
    assert shared == {**alone, "cni": {"exclusive": False}, "socketLB": {"hostNamespaceOnly": True}}


def test_rancher_has_a_page_and_a_password(everything: Recording) -> None:
    # The recorder marks all that a secret is in.
    assert rpc.is_rpc_secret(everything.find("Chart", "rancher-chart").inputs["values"])
    given = values(everything, "rancher-chart")
    assert given["bootstrapPassword"] == "result of rancher-password\n"
    assert given["ingress"]["ingressClassName"] == "nginx"
    assert everything.find("CertRequest", "rancher-tls-request").inputs["dnsNames"] == ["rancher.localhost"]


def test_the_first_preview_knows_what_needs_no_certificate(everything: Recording) -> None:
    preview = run({"addons": ALL_ADDONS}, preview=True)
    assert preview.resources.keys() == everything.resources.keys()
    for chart in ("istio-base", "istio-ztunnel", "gpu-chart"):
        assert not isinstance(values(preview, chart), pulumi.output.Unknown)
    given = values(preview, "rancher-chart")
    assert isinstance(given["bootstrapPassword"], pulumi.output.Unknown)
    assert given["hostname"] == "rancher.localhost"
    assert isinstance(preview.stack_outputs["cert_issuers"], pulumi.output.Unknown)
