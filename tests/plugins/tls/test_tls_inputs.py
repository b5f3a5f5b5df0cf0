"""What the TLS plugin takes and refuses, without the engine."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from pulumi.runtime.rpc import UNKNOWN

from embedded.plugins.tls import keys
from embedded.plugins.tls.kinds import KINDS

KEY = keys.make({"algorithm": "ED25519", "rsaBits": 2048, "ecdsaCurve": "P224"})[1]["privateKeyPem"]
SELF_SIGNED = {"privateKeyPem": KEY, "allowedUses": ["server_auth"], "validityPeriodHours": 1}
USES = (
    "any_extended, cert_signing, client_auth, code_signing, content_commitment, crl_signing, data_encipherment, "
    "decipher_only, digital_signature, email_protection, encipher_only, ipsec_end_system, ipsec_tunnel, ipsec_user, "
    "key_agreement, key_encipherment, microsoft_commercial_code_signing, microsoft_kernel_code_signing, "
    "microsoft_server_gated_crypto, netscape_server_gated_crypto, ocsp_signing, server_auth, timestamping"
)
SUBJECT = (
    "country, organization, organizationalUnit, locality, province, streetAddresses, postalCode, commonName, "
    "serialNumber, emailAddress"
)
NO_KEY = "not a private key; allowed: an unencrypted RSA, ECDSA, ED25519 key in PEM"


def problems(type_: str, inputs: dict[str, Any]) -> list[str]:
    [kind] = [kind for name, kind in KINDS.items() if name.endswith(f":{type_}")]
    return list(kind.problems(inputs))


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({}, "algorithm is missing; give it"),
        ({"algorithm": "DSA"}, "algorithm: 'DSA' given; allowed: RSA, ECDSA, ED25519"),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P192"}, "ecdsaCurve: 'P192' given; allowed: P224, P256, P384, P521"),
        ({"algorithm": "RSA", "rsaBits": 512}, "rsaBits: 512 given; allowed: a whole number from 1024 to 16384"),
        ({"algorithm": "RSA", "rsaBits": 2048.5}, "rsaBits: 2048.5 given; allowed: a whole number from 1024 to 16384"),
        (
            {"algorithm": "RSA", "bits": 4096},
            "bits is no property of it; allowed: algorithm, ecdsaCurve, rsaBits",
        ),
    ],
)
def test_private_keys_that_are_refused(inputs: dict[str, Any], problem: str) -> None:
    assert problems("PrivateKey", inputs) == [problem]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"privateKeyPem": "top secret"}, f"privateKeyPem: {NO_KEY}"),
        ({"privateKeyPem": 3}, f"privateKeyPem: {NO_KEY}"),
        (
            {"privateKeyPemWo": KEY},
            "privateKeyPemWo is not supported by the embedded TLS plugin; use privateKeyPem, which is kept as a secret",
        ),
        (
            {"privateKeyPemWoVersion": 1},
            "privateKeyPemWoVersion is not supported by the embedded TLS plugin; use privateKeyPem, which is kept as a "
            "secret",
        ),
        ({"allowedUses": ["server"]}, f"allowedUses[0]: 'server' given; allowed: {USES}"),
        ({"allowedUses": "server_auth"}, "allowedUses: 'server_auth' given; allowed: a list"),
        (
            {"allowedUses": ["encipher_only"]},
            "allowedUses: encipher_only says something about key_agreement only; add key_agreement",
        ),
        ({"validityPeriodHours": -1}, "validityPeriodHours: -1 given; allowed: a whole number from 0 to 8760000"),
        ({"validityPeriodHours": True}, "validityPeriodHours: True given; allowed: a whole number from 0 to 8760000"),
        ({"maxPathLength": -1}, "maxPathLength: -1 given; allowed: a whole number from 0 to 255"),
        ({"earlyRenewalHours": 0.5}, "earlyRenewalHours: 0.5 given; allowed: a whole number from 0 to 8760000"),
        ({"isCaCertificate": "yes"}, "isCaCertificate: 'yes' given; allowed: true or false"),
        (
            {"isCaCertificate": True},
            "subject is missing, but a certificate authority needs one; give it a commonName",
        ),
        (
            {"setAuthorityKeyId": True},
            "setAuthorityKeyId needs a subject key id in a self-signed certificate; set setSubjectKeyId too",
        ),
        ({"dnsNames": ["bücher.test"]}, "dnsNames[0]: 'bücher.test' given; allowed: a DNS name in ASCII (other scripts "
         "as xn--…)"),
        ({"ipAddresses": ["::1", "fe80::1%eth0"]}, "ipAddresses[1]: 'fe80::1%eth0' given; allowed: an IP address "
         "without a zone"),
        ({"ipAddresses": ["10.0.0"]}, "ipAddresses[0]: '10.0.0' given; allowed: an IP address without a zone"),
        ({"uris": ["bücher:1"]}, "uris[0]: 'bücher:1' given; allowed: a URI in ASCII"),
        ({"subject": {"cn": "me"}}, f"subject.cn is no part of a subject; allowed: {SUBJECT}"),
        ({"subject": "me"}, f"subject: 'me' given; allowed: a map of {SUBJECT}"),
        (
            {"subject": {"country": "Germany"}},
            "subject.country: 'Germany' can't be in a certificate: "
            "Attribute's length must be >= 2 and <= 2, but it was 7",
        ),
    ],
)  # fmt: skip
def test_certificates_that_are_refused(changed: dict[str, Any], problem: str) -> None:
    assert problems("SelfSignedCert", SELF_SIGNED | changed) == [problem]


def test_all_problems_are_told_at_once() -> None:
    assert problems("LocallySignedCert", {"caCertPem": "no", "certRequestPem": "no", "caPrivateKeyPem": "no"}) == [
        "caCertPem: not a certificate; allowed: a certificate in PEM",
        f"caPrivateKeyPem: {NO_KEY}",
        "certRequestPem: not a certificate request; allowed: a certificate request in PEM",
        "allowedUses is missing; give it",
        "validityPeriodHours is missing; give it",
    ]


@pytest.mark.parametrize("name", SELF_SIGNED)
def test_what_is_not_known_yet_is_right(name: str) -> None:
    unknown = {"isCaCertificate": UNKNOWN, "subject": {"commonName": UNKNOWN}, "dnsNames": ["a.test", UNKNOWN]}
    assert problems("SelfSignedCert", SELF_SIGNED | unknown | {name: UNKNOWN}) == []


@pytest.mark.parametrize(
    "pem",
    [
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass")
        ),
        x25519.X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
    ids=["encrypted", "another algorithm"],
)
def test_keys_that_cannot_sign_are_refused(pem: bytes) -> None:
    assert problems("CertRequest", {"privateKeyPem": pem.decode()}) == [f"privateKeyPem: {NO_KEY}"]
