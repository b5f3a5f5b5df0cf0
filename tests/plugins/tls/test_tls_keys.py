"""Keys of every algorithm, without the engine."""

import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from embedded.plugins.tls.kinds import KINDS

PRIVATE_KEY = KINDS["tls:index/privateKey:PrivateKey"]
SELF_SIGNED = KINDS["tls:index/selfSignedCert:SelfSignedCert"]

each_algorithm = pytest.mark.parametrize(
    ("inputs", "kind", "size", "form", "digest"),
    [
        ({"algorithm": "RSA"}, rsa.RSAPrivateKey, 2048, "RSA PRIVATE KEY", "sha256"),
        ({"algorithm": "RSA", "rsaBits": 3072}, rsa.RSAPrivateKey, 3072, "RSA PRIVATE KEY", "sha256"),
        ({"algorithm": "ECDSA"}, ec.EllipticCurvePrivateKey, 224, "EC PRIVATE KEY", "sha256"),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P256"}, ec.EllipticCurvePrivateKey, 256, "EC PRIVATE KEY", "sha256"),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P384"}, ec.EllipticCurvePrivateKey, 384, "EC PRIVATE KEY", "sha384"),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P521"}, ec.EllipticCurvePrivateKey, 521, "EC PRIVATE KEY", "sha512"),
        ({"algorithm": "ED25519"}, ed25519.Ed25519PrivateKey, None, "PRIVATE KEY", None),
    ],
)


def private_key(pem: Any) -> Any:
    return serialization.load_pem_private_key(pem.encode(), None)


@each_algorithm
def test_a_key_in_all_its_forms(
    inputs: dict[str, Any], kind: Any, size: int | None, form: str, digest: str | None
) -> None:
    resource_id, outputs = PRIVATE_KEY.make(PRIVATE_KEY.complete(inputs))
    made = {name: str(value) for name, value in outputs.items()}
    assert made.keys() == PRIVATE_KEY.outputs
    key = private_key(made["privateKeyPem"])
    assert isinstance(key, kind)
    assert getattr(key, "key_size", None) == size
    assert made["privateKeyPem"].startswith(f"-----BEGIN {form}-----\n")
    assert made["privateKeyPemPkcs8"].startswith("-----BEGIN PRIVATE KEY-----\n")
    public = key.public_key()
    assert private_key(made["privateKeyPemPkcs8"]).public_key() == public
    assert serialization.load_pem_public_key(made["publicKeyPem"].encode()) == public
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert resource_id == hashlib.sha1(der).hexdigest()
    if size == 224:  # unknown to OpenSSH
        assert {value for name, value in made.items() if "Pem" not in name} == {""}
    else:
        assert serialization.load_ssh_private_key(made["privateKeyOpenssh"].encode(), None).public_key() == public
        assert serialization.load_ssh_public_key(made["publicKeyOpenssh"].encode()) == public
        md5 = serialization.ssh_key_fingerprint(public, hashes.MD5())
        assert made["publicKeyFingerprintMd5"] == md5.hex(":")
        assert made["publicKeyFingerprintSha256"].startswith("SHA256:")


@each_algorithm
def test_a_key_signs_certificates(
    inputs: dict[str, Any], kind: Any, size: int | None, form: str, digest: str | None
) -> None:
    key = PRIVATE_KEY.make(PRIVATE_KEY.complete(inputs))[1]["privateKeyPem"]
    asked: dict[str, Any] = {
        "privateKeyPem": key,
        "allowedUses": [],
        "validityPeriodHours": 1,
        "subject": {"commonName": "me"},
    }
    _, outputs = SELF_SIGNED.make(SELF_SIGNED.complete(asked))
    assert outputs.keys() == SELF_SIGNED.outputs
    assert outputs["keyAlgorithm"] == inputs["algorithm"]
    made = x509.load_pem_x509_certificate(str(outputs["certPem"]).encode())
    made.verify_directly_issued_by(made)
    assert made.public_key() == private_key(key).public_key()
    assert (made.signature_hash_algorithm.name if made.signature_hash_algorithm else None) == digest
