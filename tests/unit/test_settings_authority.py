"""A certificate authority of one's own, which has to be one."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from settings import SettingsError
from tests.unit.test_settings import load
from tests.unit.test_settings import project as project

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.now(UTC)


def certificate(*, ca: bool | None = True, ends: datetime = NOW + timedelta(days=10)) -> str:
    """A self-signed certificate of `KEY`; without basic constraints where ``ca`` is ``None``."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mine")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=20))
        .not_valid_after(ends)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def pem(key: ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption | None = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def test_an_authority_of_one_s_own() -> None:
    own = {"certificate": certificate(), "privateKey": pem(KEY)}
    loaded = load({"certificateAuthority": own}, secrets=("certificateAuthority",)).certificate_authority
    assert (loaded.certificate, loaded.private_key) == (own["certificate"], own["privateKey"])


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (lambda: ("x", pem(KEY)), "certificate can't be read; allowed: one certificate, PEM"),
        (lambda: (certificate(), "x"), "privateKey can't be read; allowed: an unencrypted key, PEM"),
        (
            lambda: (certificate(), pem(KEY, BestAvailableEncryption(b"word"))),
            "privateKey is encrypted; allowed: an unencrypted key, PEM, set with --secret",
        ),
        (
            lambda: (certificate(), pem(OTHER)),
            "privateKey isn't the key of certificate; allowed: a certificate and its own key",
        ),
        (
            lambda: (certificate(ca=False), pem(KEY)),
            "certificate may not issue others (its basic constraints don't say CA); allowed: that of an authority",
        ),
        (
            lambda: (certificate(ca=None), pem(KEY)),
            "certificate may not issue others (its basic constraints don't say CA); allowed: that of an authority",
        ),
        (
            lambda: (certificate(ends=NOW - timedelta(days=1)), pem(KEY)),
            f"certificate ended on {NOW - timedelta(days=1):%Y-%m-%d}; allowed: one that is valid",
        ),
    ],
)
def test_what_cannot_issue_certificates_is_an_error(own: Callable[[], tuple[str, str]], expected: str) -> None:
    given, key = own()
    with pytest.raises(SettingsError) as caught:
        load(
            {"certificateAuthority": {"certificate": given, "privateKey": key}},
            secrets=("certificateAuthority",),
        )
    assert caught.value.problems == [f"inspiration:certificateAuthority: {expected}"]


def test_nothing_of_a_key_is_in_an_error() -> None:
    key = pem(KEY)
    with pytest.raises(SettingsError) as caught:
        load({"certificateAuthority": {"privateKey": key, "certifcate": 3}}, secrets=("certificateAuthority",))
    assert json.dumps(key)[1:40] not in str(caught.value)
    assert key.splitlines()[1] not in str(caught.value)
