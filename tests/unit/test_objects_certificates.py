"""The certificate authority and its certificates, as the engine would be told of them."""

import base64
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest
from pulumi.runtime import rpc

from components.certificate_authority import (
    AUTHORITY_RENEWAL_DAYS,
    LEAF_DAYS,
    LEAF_RENEWAL_DAYS,
    Certificate,
    CertificateArgs,
    CertificateAuthority,
    SecretArgs,
)
from components.certificate_authority_options import CertificateAuthorityOptions
from tests.graph.recorder import Cloud, Recording, Resource, record

MADE = CertificateAuthorityOptions(common_name="test CA")
# Unchecked: it has no real ones.
OWN = CertificateAuthorityOptions.model_construct(certificate="mine\n", private_key="my key\n")
LEAF: CertificateArgs = {
    "hosts": ["dashboard.localhost", "dashboard.example.com"],
    "secret_name": "dashboard-tls",
    "namespace": "dashboard",
    "component": "dashboard",
}
DEPUTY: SecretArgs = {"secret_name": "ca-key", "namespace": "deputies", "component": "deputy"}


class Server(pulumi.ComponentResource):
    """A component whose server has a certificate."""

    def __init__(self, name: str, authority: CertificateAuthority, opts: pulumi.ResourceOptions) -> None:
        super().__init__("inspiration:index:Server", name, None, opts)
        self.certificate: Certificate = authority.issue(f"{name}-tls", LEAF, pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


def program(options: CertificateAuthorityOptions = MADE) -> Callable[[], None]:
    """A program with an authority and one certificate."""

    def run() -> None:
        cluster = pulumi_kubernetes.Provider("cluster-kubernetes")
        authority = CertificateAuthority("ca", options)
        server = Server("dashboard", authority, pulumi.ResourceOptions(providers=[cluster]))
        pulumi.export("ca", authority.certificate)
        pulumi.export("pem", server.certificate.pem)
        pulumi.export("secret", server.certificate.secret)

    return run


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record(program(), Cloud(preview=False))


def revealed(value: Any) -> Any:
    """The content of a secret, which ``value`` has to be."""
    assert rpc.is_rpc_secret(value)
    return rpc.unwrap_rpc_secret(value)


def decoded(value: str) -> str:
    return base64.b64decode(value).decode()


def names(recording: Recording, resource: Resource, field: str) -> set[str]:
    """The resources that a field comes from."""
    return {recording.resources[urn].name for urn in resource.property_dependencies[field]}


def test_the_authority_is_a_root_that_issues_leaves_only(recording: Recording) -> None:
    inputs = recording.find("SelfSignedCert", "ca-certificate").inputs
    assert revealed(inputs.pop("privateKeyPem")) == "privateKeyPem of ca-key\n"
    assert inputs == {
        "subject": {"commonName": "test CA"},
        "isCaCertificate": True,
        "maxPathLength": 0,
        "allowedUses": ["cert_signing", "crl_signing"],
        "validityPeriodHours": 87600,
        "earlyRenewalHours": 17520,
    }


def test_a_leaf_is_a_server_s_for_its_hosts(recording: Recording) -> None:
    request = recording.find("CertRequest", "dashboard-tls-request").inputs
    leaf = recording.find("LocallySignedCert", "dashboard-tls-certificate").inputs
    assert revealed(request.pop("privateKeyPem")) == "privateKeyPem of dashboard-tls-key\n"
    assert request == {"dnsNames": ["dashboard.localhost", "dashboard.example.com"]}
    assert revealed(leaf.pop("caPrivateKeyPem")) == "privateKeyPem of ca-key\n"
    assert leaf == {
        "caCertPem": "certPem of ca-certificate\n",
        "certRequestPem": "certRequestPem of dashboard-tls-request\n",
        "allowedUses": ["digital_signature", "server_auth"],
        "validityPeriodHours": 8760,
        "earlyRenewalHours": 2160,
    }


def test_no_leaf_outlives_its_authority_and_none_is_renewed_at_once() -> None:
    assert LEAF_RENEWAL_DAYS < LEAF_DAYS < AUTHORITY_RENEWAL_DAYS


def test_the_secret_is_what_servers_read(recording: Recording) -> None:
    inputs = recording.find("Secret", "dashboard-tls-secret").inputs
    data = revealed(inputs["data"])
    assert inputs["type"] == "kubernetes.io/tls"
    assert inputs["metadata"]["name"] == "dashboard-tls"
    assert inputs["metadata"]["namespace"] == "dashboard"
    assert decoded(data["tls.crt"]) == "certPem of dashboard-tls-certificate\ncertPem of ca-certificate\n"
    assert decoded(data["tls.key"]) == "privateKeyPemPkcs8 of dashboard-tls-key\n"


def test_certificates_are_public(recording: Recording) -> None:
    assert recording.stack_outputs == {
        "ca": "certPem of ca-certificate\n",
        "pem": "certPem of dashboard-tls-certificate\n",
        "secret": "dashboard-tls",
    }


def test_data_edges(recording: Recording) -> None:
    leaf = recording.find("LocallySignedCert", "dashboard-tls-certificate")
    assert names(recording, leaf, "caCertPem") == {"ca-certificate"}
    assert names(recording, leaf, "caPrivateKeyPem") == {"ca-key"}
    assert names(recording, leaf, "certRequestPem") == {"dashboard-tls-request"}
    stored = recording.find("Secret", "dashboard-tls-secret")
    assert {"dashboard-tls-certificate", "dashboard-tls-key"} <= names(recording, stored, "data")


def test_the_first_preview_registers_what_up_registers(recording: Recording) -> None:
    preview = record(program(), Cloud(preview=True))
    assert preview.resources.keys() == recording.resources.keys()
    assert isinstance(preview.stack_outputs["ca"], pulumi.output.Unknown)


def test_an_authority_of_one_s_own_makes_none() -> None:
    recording = record(program(OWN), Cloud(preview=False))
    assert not any(r.name in ("ca-key", "ca-certificate") for r in recording.resources.values())
    leaf = recording.find("LocallySignedCert", "dashboard-tls-certificate").inputs
    assert leaf["caCertPem"] == recording.stack_outputs["ca"] == "mine\n"
    assert revealed(leaf["caPrivateKeyPem"]) == "my key\n"


@pytest.mark.parametrize(
    ("options", "certificate", "key"),
    [(MADE, "certPem of ca-certificate\n", "privateKeyPem of ca-key\n"), (OWN, "mine\n", "my key\n")],
)
def test_a_deputy_has_the_key_of_the_authority(
    options: CertificateAuthorityOptions, certificate: str, key: str
) -> None:
    def deputed() -> None:
        cluster = pulumi_kubernetes.Provider("cluster-kubernetes")
        authority = CertificateAuthority("ca", options)
        pulumi.export("secret", authority.delegate("deputy", DEPUTY, pulumi.ResourceOptions(provider=cluster)))

    recording = record(deputed, Cloud(preview=False))
    inputs = recording.find("Secret", "deputy").inputs
    data = revealed(inputs["data"])
    assert inputs["type"] == "kubernetes.io/tls"
    assert inputs["metadata"]["namespace"] == "deputies"
    assert (decoded(data["tls.crt"]), decoded(data["tls.key"])) == (certificate, key)
    assert recording.stack_outputs["secret"] == "ca-key"
