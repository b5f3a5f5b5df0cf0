"""Private keys: how they are made, read and written."""

import base64
import hashlib
from typing import Any, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ..shared.errors import PluginError

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

CURVES: dict[str, ec.EllipticCurve] = {
    "P224": ec.SECP224R1(),
    "P256": ec.SECP256R1(),
    "P384": ec.SECP384R1(),
    "P521": ec.SECP521R1(),
}
"""Elliptic curves of ECDSA, by Pulumi's names."""

ALGORITHMS = ("RSA", "ECDSA", "ED25519")

MIN_RSA_BITS = 1024
"""What cryptography, and Go with the official plugin, make at least."""


def generate(algorithm: str, rsa_bits: int, curve: str) -> Key:
    """Make a key; ``rsa_bits`` counts for RSA only, and ``curve`` for ECDSA only."""
    if algorithm == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
    if algorithm == "ECDSA":
        return ec.generate_private_key(CURVES[curve])
    return ed25519.Ed25519PrivateKey.generate()


def load(pem: str) -> Key:
    """Read a key in PEM: PKCS #1, SEC 1 or PKCS #8.

    Raises:
        PluginError: It isn't one, is encrypted, or is of another algorithm. Never shows any of it.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # a TypeError asks for the password
        key = None
    if not isinstance(key, Key):
        raise PluginError(f"not a private key; allowed: an unencrypted {', '.join(ALGORITHMS)} key in PEM")
    return key


def algorithm(key: Key) -> str:
    """The name of a key's algorithm."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "ED25519"


def signature_hash(key: Key) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """What ``key`` signs the digest of: as strong as the key itself, as Go chooses it for the official plugin."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size == 384 else hashes.SHA512()
    return hashes.SHA256()


def identifier(der: bytes) -> str:
    """The ID of a resource that has no number of its own: the SHA-1 checksum of its content."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


def private_outputs(key: Key) -> dict[str, str]:
    """All forms of ``key``; the one of OpenSSH is empty for P224, which OpenSSH doesn't have."""
    # PKCS #1 and SEC 1 where they exist, as documented: Ed25519 has only PKCS #8.
    old = PrivateFormat.PKCS8 if isinstance(key, ed25519.Ed25519PrivateKey) else PrivateFormat.TraditionalOpenSSL
    return {
        "privateKeyPem": _private_pem(key, old),
        "privateKeyPemPkcs8": _private_pem(key, PrivateFormat.PKCS8),
        "privateKeyOpenssh": _private_pem(key, PrivateFormat.OpenSSH) if _is_known_to_openssh(key) else "",
    }


def public_outputs(key: Key) -> dict[str, str]:
    """The public key of ``key`` in all forms; those of OpenSSH are empty for P224."""
    public = key.public_key()
    outputs = {
        "publicKeyPem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "publicKeyOpenssh": "",
        "publicKeyFingerprintMd5": "",
        "publicKeyFingerprintSha256": "",
    }
    if _is_known_to_openssh(key):
        line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        blob = base64.b64decode(line.split()[1])
        md5 = hashlib.md5(blob, usedforsecurity=False).digest()
        sha256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        outputs["publicKeyOpenssh"] = f"{line}\n"
        outputs["publicKeyFingerprintMd5"] = md5.hex(":")
        outputs["publicKeyFingerprintSha256"] = f"SHA256:{sha256}"
    return outputs


def make(inputs: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The ID and the outputs of a new `PrivateKey`."""
    key = generate(inputs["algorithm"], inputs["rsaBits"], inputs["ecdsaCurve"])
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return identifier(der), private_outputs(key) | public_outputs(key)


def _private_pem(key: Key, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def _is_known_to_openssh(key: Key) -> bool:
    return not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP224R1))
