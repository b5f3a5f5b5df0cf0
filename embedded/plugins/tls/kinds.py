"""The plugin's resources: their properties, as the official plugin documents them, and what makes them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import certificates, checks, keys
from .checks import Check
from .renewal import READY
from .values import Values, is_unknown


@dataclass(frozen=True)
class Property:
    """An input of a resource."""

    check: Check
    """Says what is wrong with a value, if anything."""
    required: bool = False
    default: Any = None
    secret: bool = False
    replaces: bool = True
    """Whether another value makes another resource."""


@dataclass(frozen=True)
class Kind:
    """A type of resource."""

    properties: Mapping[str, Property]
    make: Callable[[Values], tuple[str, Mapping[str, str | bool]]]
    """From complete inputs, the ID and the outputs of a new one."""
    outputs: frozenset[str]
    """What `make` finds out."""
    secret_outputs: frozenset[str] = frozenset()
    rules: Callable[[Values], Iterator[str]] = lambda _: iter(())
    """What is wrong between inputs."""

    @property
    def expires(self) -> bool:
        """Whether it is to be made anew when its time is up."""
        return READY in self.outputs

    def complete(self, inputs: Values) -> Values:
        """``inputs`` with the defaults of those that aren't given."""
        defaults = {name: each.default for name, each in self.properties.items() if each.default is not None}
        return defaults | inputs

    def problems(self, inputs: Values) -> Iterator[str]:
        """What is wrong with ``inputs``; what isn't known yet is right."""
        for name in sorted(inputs.keys() - self.properties.keys()):
            instead = name.removesuffix("Version").removesuffix("Wo")
            if name != instead and instead in self.properties:
                yield f"{name} is not supported by the embedded TLS plugin; use {instead}, which is kept as a secret"
            else:
                yield f"{name} is no property of it; allowed: {', '.join(self.properties)}"
        for name, each in self.properties.items():
            if name not in inputs:
                if each.required:
                    yield f"{name} is missing; give it"
            elif not is_unknown(inputs[name]):
                yield from (f"{name}{problem}" for problem in each.check(inputs[name]))
        yield from self.rules(self.complete(inputs))


def _self_signed_rules(inputs: Values) -> Iterator[str]:
    is_ca = inputs["isCaCertificate"]
    if is_ca is True and not inputs.get("subject"):
        yield "subject is missing, but a certificate authority needs one; give it a commonName"
    if inputs["setAuthorityKeyId"] is True and is_ca is False and inputs["setSubjectKeyId"] is False:
        yield "setAuthorityKeyId needs a subject key id in a self-signed certificate; set setSubjectKeyId too"


_KEY = Property(checks.readable(keys.load), required=True, secret=True)

_NAMES = {
    "subject": Property(checks.subject),
    "dnsNames": Property(checks.dns_names),
    "ipAddresses": Property(checks.ip_addresses),
    "uris": Property(checks.uris),
}

_VALIDITY = {
    "allowedUses": Property(checks.allowed_uses, required=True),
    "validityPeriodHours": Property(checks.whole_number(0, checks.MAX_HOURS), required=True),
    "earlyRenewalHours": Property(checks.whole_number(0, checks.MAX_HOURS), default=0, replaces=False),
    "isCaCertificate": Property(checks.boolean, default=False),
    "maxPathLength": Property(checks.whole_number(0, 255)),
    "setSubjectKeyId": Property(checks.boolean, default=False),
}

_CERTIFICATE = frozenset({"certPem", READY, "validityStartTime", "validityEndTime"})

_PRIVATE = frozenset({"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"})

KINDS = {
    "tls:index/privateKey:PrivateKey": Kind(
        {
            "algorithm": Property(checks.one_of(*keys.ALGORITHMS), required=True),
            "ecdsaCurve": Property(checks.one_of(*keys.CURVES), default="P224"),
            "rsaBits": Property(checks.whole_number(keys.MIN_RSA_BITS, 16384), default=2048),
        },
        keys.make,
        _PRIVATE | {"publicKeyPem", "publicKeyOpenssh", "publicKeyFingerprintMd5", "publicKeyFingerprintSha256"},
        secret_outputs=_PRIVATE,
    ),
    "tls:index/certRequest:CertRequest": Kind(
        {"privateKeyPem": _KEY, **_NAMES},
        certificates.request,
        frozenset({"certRequestPem", "keyAlgorithm"}),
    ),
    "tls:index/selfSignedCert:SelfSignedCert": Kind(
        {"privateKeyPem": _KEY, **_NAMES, **_VALIDITY, "setAuthorityKeyId": Property(checks.boolean, default=False)},
        certificates.self_signed,
        _CERTIFICATE | {"keyAlgorithm"},
        rules=_self_signed_rules,
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
