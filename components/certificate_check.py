"""Whether a certificate authority of one's own can issue certificates."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def unusable(certificate: str, private_key: str) -> str | None:
    """Return what is wrong with a CA's certificate and key, both PEM, and what is allowed; ``None`` if nothing is.

    Nothing of the key is in the text.
    """
    try:
        parsed = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        return "certificate can't be read; allowed: one certificate, PEM"
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except TypeError:
        return "privateKey is encrypted; allowed: an unencrypted key, PEM, set with --secret"
    except (ValueError, UnsupportedAlgorithm):
        return "privateKey can't be read; allowed: an unencrypted key, PEM"
    encoding = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*encoding) != parsed.public_key().public_bytes(*encoding):
        return "privateKey isn't the key of certificate; allowed: a certificate and its own key"
    try:
        authority = parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    if not authority:
        return "certificate may not issue others (its basic constraints don't say CA); allowed: that of an authority"
    if parsed.not_valid_after_utc <= datetime.now(UTC):
        return f"certificate ended on {parsed.not_valid_after_utc:%Y-%m-%d}; allowed: one that is valid"
    return None
