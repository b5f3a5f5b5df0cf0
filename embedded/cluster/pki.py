"""The cluster's certificates: made once, renewed in time, each component with an identity of its own.

Identities follow Kubernetes' "PKI certificates and requirements" page: the names that RBAC's built-in bindings and the
Node authorizer know. Only the administrator is in ``system:masters``.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from embedded.cluster import plan
from embedded.errors import Failure

YEAR = datetime.timedelta(days=365)
CA_LIFETIME = 20 * YEAR
LEAF_LIFETIME = 10 * YEAR
BACKDATED = datetime.timedelta(hours=1)
"""Certificates are valid from so long ago: a clock that is set back a little does no harm."""
RENEW_BEFORE = YEAR
"""A certificate with less than this left is made anew at the next start."""


@dataclass(frozen=True)
class Identity:
    """What one certificate says: who it is, which of the CAs vouches, and what it may be used for."""

    file: str
    common_name: str
    ca: str = "ca"
    organization: str | None = None
    server_names: Sequence[str] = ()
    """DNS names and IP addresses that it serves as; without any it is a client's."""


IDENTITIES = (
    Identity(
        "kube-apiserver",
        "kube-apiserver",
        server_names=(
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
            "127.0.0.1",
            plan.API_SERVICE_ADDRESS,
            plan.NODE_ADDRESS,
        ),
    ),
    Identity("kube-apiserver-kubelet-client", "kube-apiserver-kubelet-client"),
    Identity("kube-controller-manager", "system:kube-controller-manager", server_names=("localhost", "127.0.0.1")),
    Identity("kube-scheduler", "system:kube-scheduler", server_names=("localhost", "127.0.0.1")),
    Identity("kube-proxy", "system:kube-proxy"),
    Identity("kube-router", "inspiration:kube-router"),
    Identity(
        "kubelet", f"system:node:{plan.NODE}", organization="system:nodes", server_names=(plan.NODE, plan.NODE_ADDRESS)
    ),
    Identity("admin", "admin", organization="system:masters"),
    Identity("etcd-server", "etcd", ca="etcd-ca", server_names=("localhost", "127.0.0.1")),
    Identity("etcd-client", "kube-apiserver", ca="etcd-ca"),
    Identity("front-proxy-client", "front-proxy-client", ca="front-proxy-ca"),
)


PROXIES, ROUTERS = "inspiration:kube-proxies", "inspiration:kube-routers"
"""Groups of those of the further nodes, whose names tell the node."""


def provide(folder: Path) -> bool:
    """Make what is missing or soon to expire in ``folder``, which holds ``NAME.crt`` and ``NAME.key`` files in PEM.

    Returns:
        Whether anything was made, so that running components must be started anew.

    Raises:
        Failure: The machine's clock is before the certificates' time.
    """
    _check_clock(folder / "ca.crt")
    new_cas = [ca for ca in ("ca", "etcd-ca", "front-proxy-ca") if not _is_valid(folder / f"{ca}.crt")]
    for ca in new_cas:
        _write_ca(folder, ca)
    stale = [
        identity for identity in IDENTITIES if identity.ca in new_cas or not _is_valid(folder / f"{identity.file}.crt")
    ]
    for identity in stale:
        _write_leaf(folder, identity)
    changed = bool(stale)
    if not (folder / "service-accounts.key").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / "service-accounts.pub", _public_pem(key))
        _write(folder / "service-accounts.key", _private_pem(key))
        changed = True
    return changed


def provide_node(folder: Path, authority: Path, node: plan.Node) -> bool:
    """Do the same for a further node, as if it were another machine: it has the cluster's CA, without its key.

    The kubelet gets its certificates by itself: see :mod:`embedded.cluster.joining`.

    Args:
        folder: The node's.
        authority: The cluster's.
        node: The node.

    Returns:
        Whether anything was made.
    """
    ca = (authority / "ca.crt").read_bytes()
    if not (folder / "ca.crt").exists() or (folder / "ca.crt").read_bytes() != ca:
        for path in folder.iterdir():
            path.unlink()  # of another authority
        _write(folder / "ca.crt", ca)
    identities = (
        Identity("kube-proxy", f"inspiration:kube-proxy:{node.name}", organization=PROXIES),
        Identity("kube-router", f"inspiration:kube-router:{node.name}", organization=ROUTERS),
    )
    stale = [identity for identity in identities if not _is_valid(folder / f"{identity.file}.crt")]
    for identity in stale:
        _write_leaf(folder, identity, authority)
    return bool(stale)


def _check_clock(certificate: Path) -> None:
    """Refuse to go on with a clock that was set back: nothing would be trusted, and what is made now expires early."""
    if not certificate.exists():
        return
    begin, now = _parsed(certificate).not_valid_before_utc, datetime.datetime.now(datetime.UTC)
    if now < begin:
        raise Failure(
            f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC, before the cluster's certificates begin, "
            f"{begin:%Y-%m-%d %H:%M} UTC",
            fix="set the clock, and run script/up again",
        )


def _parsed(certificate: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.read_bytes())


def _is_valid(certificate: Path) -> bool:
    if not certificate.exists() or not certificate.with_suffix(".key").exists():
        return False
    return _parsed(certificate).not_valid_after_utc - datetime.datetime.now(datetime.UTC) > RENEW_BEFORE


def _write_ca(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"inspiration {name}")])
    certificate = (
        _builder(subject, subject, key, CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / f"{name}.key", _private_pem(key))
    _write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _write_leaf(folder: Path, identity: Identity, authority: Path | None = None) -> None:
    issuer = (authority or folder) / f"{identity.ca}.crt"
    ca, ca_key = _parsed(issuer), serialization.load_pem_private_key(issuer.with_suffix(".key").read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - only _write_ca writes this file
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.COMMON_NAME, identity.common_name)]
    if identity.organization:
        names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.organization))
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if identity.server_names:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    builder = (
        _builder(x509.Name(names), ca.subject, key, LEAF_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if identity.server_names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in identity.server_names]), critical=False
        )
    _write(folder / f"{identity.file}.key", _private_pem(key))
    _write(
        folder / f"{identity.file}.crt",
        builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # The controller manager reads its signing keys in the SEC 1 form only.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _write(path: Path, content: bytes) -> None:
    # Renamed into place, so that an interruption leaves the old file or the new one.
    partial = path.with_suffix(path.suffix + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    partial.replace(path)
