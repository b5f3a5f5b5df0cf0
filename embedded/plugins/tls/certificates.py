"""Certificate requests and certificates, with the extensions that the official plugin gives them."""

import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import BasicConstraints, SubjectAlternativeName, SubjectKeyIdentifier

from ..shared.errors import PluginError
from . import keys, names

Inputs = dict[str, Any]
Outputs = dict[str, str | bool]


def load_certificate(pem: str) -> x509.Certificate:
    """Read a certificate in PEM, the first one if there are several.

    Raises:
        PluginError: It isn't one.
    """
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise PluginError("not a certificate; allowed: a certificate in PEM") from None


def load_request(pem: str) -> x509.CertificateSigningRequest:
    """Read a certificate request in PEM.

    Raises:
        PluginError: It isn't one.
    """
    try:
        return x509.load_pem_x509_csr(pem.encode())
    except ValueError:
        raise PluginError("not a certificate request; allowed: a certificate request in PEM") from None


def request(inputs: Inputs) -> tuple[str, Outputs]:
    """The ID and the outputs of a new `CertRequest`."""
    key = keys.load(inputs["privateKeyPem"])
    builder = x509.CertificateSigningRequestBuilder().subject_name(names.subject(inputs.get("subject") or {}))
    if alternatives := _alternatives(inputs):
        builder = builder.add_extension(SubjectAlternativeName(alternatives), critical=False)
    made = builder.sign(key, keys.signature_hash(key))
    return keys.identifier(made.public_bytes(Encoding.DER)), {
        "certRequestPem": made.public_bytes(Encoding.PEM).decode(),
        "keyAlgorithm": keys.algorithm(key),
    }


def self_signed(inputs: Inputs) -> tuple[str, Outputs]:
    """The ID and the outputs of a new `SelfSignedCert`."""
    key = keys.load(inputs["privateKeyPem"])
    name = names.subject(inputs.get("subject") or {})
    builder = _builder(inputs, name, _alternatives(inputs), key.public_key()).issuer_name(name)
    if inputs["setAuthorityKeyId"]:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    made = builder.sign(key, keys.signature_hash(key))
    return str(made.serial_number), _outputs(made) | {"keyAlgorithm": keys.algorithm(key)}


def locally_signed(inputs: Inputs) -> tuple[str, Outputs]:
    """The ID and the outputs of a new `LocallySignedCert`.

    Raises:
        PluginError: The certificate authority's key isn't that of its certificate, or nothing says whose certificate
            this is to be.
    """
    ca = load_certificate(inputs["caCertPem"])
    ca_key = keys.load(inputs["caPrivateKeyPem"])
    if ca.public_key() != ca_key.public_key():
        raise PluginError("caPrivateKeyPem is not the key of caCertPem; give both of the same certificate authority")
    asked = load_request(inputs["certRequestPem"])
    if inputs["isCaCertificate"] and not asked.subject.rdns:
        raise PluginError("certRequestPem has no subject, but a certificate authority needs one; give the request one")
    builder = _builder(inputs, asked.subject, _requested(asked), asked.public_key()).issuer_name(ca.subject)
    if identifier := subject_key_identifier(ca):
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
    made = builder.sign(ca_key, keys.signature_hash(ca_key))
    return str(made.serial_number), _outputs(made) | {"caKeyAlgorithm": keys.algorithm(ca_key)}


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether ``certificate`` says that its key signs other certificates."""
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def subject_key_identifier(certificate: x509.Certificate) -> SubjectKeyIdentifier | None:
    """The name that ``certificate`` gives its key, if any."""
    try:
        return certificate.extensions.get_extension_for_class(SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return None


def _builder(
    inputs: Inputs, name: x509.Name, alternatives: list[x509.GeneralName], public_key: Any
) -> x509.CertificateBuilder:
    start = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    is_ca = inputs["isCaCertificate"]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(hours=inputs["validityPeriodHours"]))
        .add_extension(BasicConstraints(is_ca, inputs.get("maxPathLength") if is_ca else None), critical=True)
    )
    if usage := names.key_usage(inputs["allowedUses"]):
        builder = builder.add_extension(usage, critical=True)
    if extended := names.extended_key_usage(inputs["allowedUses"]):
        builder = builder.add_extension(extended, critical=False)
    if alternatives:
        # RFC 5280, 4.2.1.6: they are all that says whose certificate it is where the subject is empty.
        builder = builder.add_extension(SubjectAlternativeName(alternatives), critical=not name.rdns)
    if is_ca or inputs["setSubjectKeyId"]:
        builder = builder.add_extension(SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    return builder


def _alternatives(inputs: Inputs) -> list[x509.GeneralName]:
    return names.alternative_names(*(inputs.get(key) or () for key in ("dnsNames", "ipAddresses", "uris")))


def _requested(asked: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    try:
        found = asked.extensions.get_extension_for_class(SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    taken = (x509.DNSName, x509.IPAddress, x509.UniformResourceIdentifier)
    return [name for name in found if isinstance(name, taken)]


def _outputs(certificate: x509.Certificate) -> Outputs:
    return {
        "certPem": certificate.public_bytes(Encoding.PEM).decode(),
        "readyForRenewal": False,
        "validityStartTime": certificate.not_valid_before_utc.isoformat(),
        "validityEndTime": certificate.not_valid_after_utc.isoformat(),
    }
