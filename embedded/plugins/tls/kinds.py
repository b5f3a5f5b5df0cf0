"""The plugin's resources: their properties, as the official plugin documents them, and what makes them."""

from collections.abc import Iterator

from ..shared.checks import boolean, one_of, whole_number
from ..shared.kinds import Kind, Property
from ..shared.values import Values
from . import certificates, checks, keys
from .renewal import READY


def _self_signed_rules(inputs: Values) -> Iterator[str]:
    is_ca = inputs["isCaCertificate"]
    if is_ca is True and not inputs.get("subject"):
        yield "subject is missing, but a certificate authority needs one; give it a commonName"
    if inputs["setAuthorityKeyId"] is True and is_ca is False and inputs["setSubjectKeyId"] is False:
        yield "setAuthorityKeyId needs a subject key id in a self-signed certificate; set setSubjectKeyId too"


_KEY = Property(checks.readable(keys.load), required=True, secret=True)

_NO_WRITE_ONLY = dict.fromkeys(
    ("privateKeyPemWo", "privateKeyPemWoVersion"),
    "is not supported by the embedded TLS plugin; use privateKeyPem, which is kept as a secret",
)

_NAMES = {
    "subject": Property(checks.subject),
    "dnsNames": Property(checks.dns_names),
    "ipAddresses": Property(checks.ip_addresses),
    "uris": Property(checks.uris),
}

_VALIDITY = {
    "allowedUses": Property(checks.allowed_uses, required=True),
    "validityPeriodHours": Property(whole_number(0, checks.MAX_HOURS), required=True),
    "earlyRenewalHours": Property(whole_number(0, checks.MAX_HOURS), default=0, replaces=False),
    "isCaCertificate": Property(boolean, default=False),
    "maxPathLength": Property(whole_number(0, 255)),
    "setSubjectKeyId": Property(boolean, default=False),
}

_CERTIFICATE = frozenset({"certPem", READY, "validityStartTime", "validityEndTime"})

_PRIVATE = frozenset({"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"})

KINDS = {
    "tls:index/privateKey:PrivateKey": Kind(
        {
            "algorithm": Property(one_of(*keys.ALGORITHMS), required=True),
            "ecdsaCurve": Property(one_of(*keys.CURVES), default="P224"),
            "rsaBits": Property(whole_number(keys.MIN_RSA_BITS, 16384), default=2048),
        },
        keys.make,
        _PRIVATE | {"publicKeyPem", "publicKeyOpenssh", "publicKeyFingerprintMd5", "publicKeyFingerprintSha256"},
        secret_outputs=_PRIVATE,
    ),
    "tls:index/certRequest:CertRequest": Kind(
        {"privateKeyPem": _KEY, **_NAMES},
        certificates.request,
        frozenset({"certRequestPem", "keyAlgorithm"}),
        refused=_NO_WRITE_ONLY,
    ),
    "tls:index/selfSignedCert:SelfSignedCert": Kind(
        {"privateKeyPem": _KEY, **_NAMES, **_VALIDITY, "setAuthorityKeyId": Property(boolean, default=False)},
        certificates.self_signed,
        _CERTIFICATE | {"keyAlgorithm"},
        rules=_self_signed_rules,
        refused=_NO_WRITE_ONLY,
    ),
    "tls:index/locallySignedCert:LocallySignedCert": Kind(
        {
            "caCertPem": Property(checks.readable(certificates.load_certificate), required=True),
            "caPrivateKeyPem": _KEY,
            "certRequestPem": Property(checks.readable(certificates.load_request), required=True),
            **_VALIDITY,
        },
        certificates.locally_signed,
        _CERTIFICATE | {"caKeyAlgorithm"},
    ),
}
"""The resources by their types."""
