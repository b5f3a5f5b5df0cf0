"""The resources of the TLS plugin, with the real engine."""

import datetime
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from tests.plugins.tls.conftest import TlsProject

KEY = 'key = tls.PrivateKey("key", algorithm="ECDSA", ecdsa_curve="P256")\n'
CA = """
ca = tls.SelfSignedCert(
    "ca", private_key_pem=key.private_key_pem, subject={"common_name": "CA"}, is_ca_certificate=True,
    allowed_uses=["cert_signing", "crl_signing"], validity_period_hours=10, max_path_length=0,
)
"""
LEAF = """
leaf_key = tls.PrivateKey("leaf-key", algorithm="ECDSA", ecdsa_curve="P256")
request = tls.CertRequest(
    "request", private_key_pem=leaf_key.private_key_pem, dns_names=["a.test", "*.b.test"], ip_addresses=["127.0.0.1"],
    uris=["spiffe://test/a"],
)
leaf = tls.LocallySignedCert(
    "leaf", ca_cert_pem=ca.cert_pem, ca_private_key_pem=key.private_key_pem, cert_request_pem=request.cert_request_pem,
    allowed_uses=["digital_signature", "server_auth"], validity_period_hours=5,
)
"""


def certificate(outputs: dict[str, Any]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(outputs["cert_pem"].encode())


def test_a_client_that_trusts_the_authority_trusts_the_leaf(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF)
    assert "6 created" in " ".join(project.up().split())
    project.assert_no_change()
    outputs = project.outputs()
    ca, leaf = certificate(outputs["ca"]), certificate(outputs["leaf"])
    clients = PolicyBuilder().store(Store([ca])).max_chain_depth(0)
    for name in (x509.DNSName("a.test"), x509.DNSName("www.b.test"), x509.IPAddress(ip_address("127.0.0.1"))):
        assert clients.build_server_verifier(name).verify(leaf, [])[0] == leaf
    assert outputs["leaf"]["id"] == str(leaf.serial_number)
    assert outputs["leaf"]["ca_key_algorithm"] == outputs["request"]["key_algorithm"] == "ECDSA"
    request = x509.load_pem_x509_csr(outputs["request"]["cert_request_pem"].encode())
    assert request.is_signature_valid
    assert request.public_key() == leaf.public_key()


def test_extensions_are_those_that_were_asked_for(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF)
    project.up()
    outputs = project.outputs()
    ca, leaf = certificate(outputs["ca"]), certificate(outputs["leaf"])
    found = {type(each.value): (each.critical, each.value) for each in ca.extensions}
    identifier = x509.SubjectKeyIdentifier.from_public_key(ca.public_key())
    assert found.keys() == {x509.BasicConstraints, x509.KeyUsage, x509.SubjectKeyIdentifier}
    assert found[x509.BasicConstraints] == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert found[x509.SubjectKeyIdentifier] == (False, identifier)
    critical, usage = found[x509.KeyUsage]
    assert critical
    assert isinstance(usage, x509.KeyUsage)
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    assert {type(each.value): (each.critical, each.value) for each in leaf.extensions} == {
        x509.BasicConstraints: (True, x509.BasicConstraints(ca=False, path_length=None)),
        x509.KeyUsage: (True, x509.KeyUsage(True, *[False] * 8)),
        x509.ExtendedKeyUsage: (False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
        # Critical, since the subject is empty.
        x509.SubjectAlternativeName: (
            True,
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("a.test"),
                    x509.DNSName("*.b.test"),
                    x509.IPAddress(ip_address("127.0.0.1")),
                    x509.UniformResourceIdentifier("spiffe://test/a"),
                ]
            ),
        ),
        x509.AuthorityKeyIdentifier: (
            False,
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
        ),
    }


def test_validity_is_what_the_outputs_say(project: TlsProject) -> None:
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    project.declare(KEY, CA)
    project.up()
    outputs = project.outputs()["ca"]
    made = certificate(outputs)
    assert before <= made.not_valid_before_utc <= datetime.datetime.now(datetime.UTC)
    assert made.not_valid_after_utc - made.not_valid_before_utc == datetime.timedelta(hours=10)
    assert datetime.datetime.fromisoformat(outputs["validity_start_time"]) == made.not_valid_before_utc
    assert datetime.datetime.fromisoformat(outputs["validity_end_time"]) == made.not_valid_after_utc
    assert outputs["ready_for_renewal"] is False
    assert outputs["early_renewal_hours"] == 0


def test_a_subject_has_all_its_parts(project: TlsProject) -> None:
    project.declare(
        KEY,
        """
        subject = {
            "common_name": "CN", "organization": "O", "organizational_unit": "OU", "street_addresses": ["S1", "S2"],
            "locality": "L", "province": "ST", "country": "NL", "postal_code": "PC", "serial_number": "1",
            "email_address": "a@b.test",
        }
        ca = tls.SelfSignedCert(
            "ca", private_key_pem=key.private_key_pem, subject=subject, allowed_uses=[], validity_period_hours=1,
            set_subject_key_id=True, set_authority_key_id=True,
        )
        request = tls.CertRequest("request", private_key_pem=key.private_key_pem, subject=subject)
        """,
    )
    project.up()
    outputs = project.outputs()
    made = certificate(outputs["ca"])
    assert made.subject == made.issuer
    assert made.subject == x509.load_pem_x509_csr(outputs["request"]["cert_request_pem"].encode()).subject
    assert [(part.rfc4514_attribute_name, part.value) for part in made.subject] == [
        ("C", "NL"),
        ("O", "O"),
        ("OU", "OU"),
        ("L", "L"),
        ("ST", "ST"),
        ("STREET", "S1"),
        ("STREET", "S2"),
        ("2.5.4.17", "PC"),
        ("CN", "CN"),
        ("2.5.4.5", "1"),
        ("1.2.840.113549.1.9.1", "a@b.test"),
    ]
    kinds = {type(each.value) for each in made.extensions}
    assert kinds == {x509.BasicConstraints, x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier}
    project.assert_no_change()


def test_private_keys_are_secrets_everywhere(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF)
    shown = project.preview() + project.up() + project.preview() + project.pulumi("stack", "output", "--json")
    stored = "".join(path.read_text() for path in project.backend.rglob("*.json"))
    outputs = project.outputs()
    for name in ("private_key_pem", "private_key_pem_pkcs8", "private_key_openssh"):
        middle = outputs["key"][name].splitlines()[1]
        assert middle not in shown + stored
    assert outputs["ca"]["cert_pem"].splitlines()[1] in stored
    for type_, secret in (("SelfSignedCert", "privateKeyPem"), ("LocallySignedCert", "caPrivateKeyPem")):
        state = project.state(type_)
        assert "ciphertext" in state["inputs"][secret]
        assert "ciphertext" in state["outputs"][secret]


def test_another_input_makes_another_one_and_what_depends_on_it(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF)
    project.up()
    before = project.outputs()
    project.declare(KEY, CA.replace('"CA"', '"New CA"'), LEAF)
    shown = project.preview()
    assert "+-tls:index/selfSignedCert:SelfSignedCert: (replace)" in shown
    assert '~ commonName: "CA" => "New CA"' in shown
    assert "+-tls:index/locallySignedCert:LocallySignedCert: (replace)" in shown
    assert "+-2 to replace" in shown
    project.up()
    after = project.outputs()
    assert certificate(after["leaf"]).issuer.rfc4514_string() == "CN=New CA"
    assert after["key"] == before["key"]
    assert after["request"] == before["request"]


def test_saying_what_is_the_default_is_no_change(project: TlsProject) -> None:
    project.declare(KEY, CA)
    project.up()
    project.declare(
        KEY.replace(")", ", rsa_bits=2048)"),
        CA.replace("max_path_length=0,", "max_path_length=0, set_subject_key_id=False, dns_names=[],"),
    )
    project.assert_no_change()


def test_a_first_preview_knows_nothing_and_says_so(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF, "leaf.cert_pem.apply(lambda pem: print('known:', pem))")
    shown = project.preview()
    assert "+ 6 to create" in shown
    assert "caCertPem          : [unknown]" in shown
    assert "known:" not in shown


def test_what_another_stack_has_made_can_be_read(project: TlsProject) -> None:
    project.declare(KEY, CA)
    project.up()
    pem = project.outputs()["ca"]["cert_pem"]
    project.declare(f'ca = tls.SelfSignedCert.get("mine", "1", cert_pem={pem!r})')
    project.up()
    assert project.outputs()["ca"]["cert_pem"] == pem
    project.assert_no_change()


def test_destroy_leaves_nothing(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF)
    project.up()
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.resources() == []
