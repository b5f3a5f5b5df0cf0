"""What the TLS plugin refuses, and how it says so; with the real engine."""

import pytest

from tests.plugins.tls.conftest import TlsProject
from tests.plugins.tls.test_tls_resources import CA, KEY, LEAF


def errors(shown: str) -> list[str]:
    """The messages of a failed run, each in the one line that it has to be."""
    return [line.strip().removeprefix("error: ") for line in shown.splitlines() if "error: " in line]


def test_errors_are_one_line_each_and_show_no_secret(project: TlsProject) -> None:
    project.declare('tls.CertRequest("request", private_key_pem="top secret", dns_names=["", "ä"])')
    shown = project.preview(fails=True)
    start = "tls:index/certRequest:CertRequest resource 'request' has a problem: "
    assert errors(shown)[:3] == [
        f"{start}privateKeyPem: not a private key; allowed: an unencrypted RSA, ECDSA, ED25519 key in PEM",
        f"{start}dnsNames[0]: '' given; allowed: a DNS name in ASCII (other scripts as xn--…)",
        f"{start}dnsNames[1]: 'ä' given; allowed: a DNS name in ASCII (other scripts as xn--…)",
    ]
    assert "top secret" not in shown
    assert "Traceback" not in shown


def test_another_authority_s_key_is_refused(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF.replace("ca_private_key_pem=key", "ca_private_key_pem=leaf_key"))
    shown = project.up(fails=True)
    text = "caPrivateKeyPem is not the key of caCertPem; give both of the same certificate authority"
    assert any(line.endswith(text) for line in shown.splitlines()), shown
    assert "Traceback" not in shown


def test_an_authority_without_a_subject_is_refused(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF.replace("validity_period", "is_ca_certificate=True, validity_period"))
    text = "certRequestPem has no subject, but a certificate authority needs one; give the request one"
    assert text in project.up(fails=True)


def test_signing_with_what_is_no_authority_is_warned_of(project: TlsProject) -> None:
    project.declare(KEY, CA.replace("is_ca_certificate=True", "is_ca_certificate=False"), LEAF)
    text = "warning: caCertPem is not the certificate of a certificate authority: clients may refuse this one"
    assert text in project.up()


@pytest.mark.parametrize("type_", ["privateKey:PrivateKey", "certRequest:CertRequest", "selfSignedCert:SelfSignedCert"])
def test_import_is_refused(project: TlsProject, type_: str) -> None:
    project.declare()
    project.up()
    shown = project.pulumi("import", f"tls:index/{type_}", "mine", "1", "--yes", fails=True)
    text = (
        f"tls:index/{type_} '1' can't be imported: it exists only in the state of the stack that made it; "
        "declare it without import, and run pulumi up to make a new one"
    )
    assert text in shown


@pytest.mark.parametrize(
    ("call", "token"),
    [
        ('tls.get_public_key(private_key_pem="")', "tls:index/getPublicKey:getPublicKey"),
        ('tls.get_certificate(url="https://localhost")', "tls:index/getCertificate:getCertificate"),
    ],
)
def test_functions_are_refused_by_name(project: TlsProject, call: str, token: str) -> None:
    project.declare(call)
    shown = project.preview(fails=True)
    assert f"{token} is not supported by the embedded TLS plugin; install the official plugin" in shown


def test_other_resources_are_refused_by_name(project: TlsProject) -> None:
    project.declare('pulumi.CustomResource("tls:index/x:X", "x", opts=Options(version=tls._utilities.get_version()))')
    assert "tls:index/x:X is not supported by the embedded TLS plugin; install the official plugin" in project.preview(
        fails=True
    )


def test_a_proxy_is_refused(project: TlsProject) -> None:
    project.declare('provider = tls.Provider("provider", proxy={"url": "http://localhost"})')
    text = "provider option proxy is not supported by the embedded TLS plugin, which connects to nothing; remove it"
    assert text in project.preview(fails=True)
