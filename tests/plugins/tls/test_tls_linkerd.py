"""The identities of Linkerd's mesh, made by the real engine: what Linkerd checks of them when it starts."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from components.addons.linkerd.component import ISSUER
from tests.conftest import PROJECT
from tests.plugins.tls.conftest import TlsProject

PROGRAM = f"""
import sys
sys.path.insert(0, {str(PROJECT)!r})
from components.addons.linkerd.component import issue_identity
made = issue_identity("linkerd", Options())
for name in ("anchor", "certificate", "private_key"):
    pulumi.export(name, getattr(made, name))
"""
POD = "web.blog.serviceaccount.identity.linkerd.cluster.local"


def test_the_issuer_signs_what_the_trust_anchor_vouches_for(project: TlsProject) -> None:
    project.declare(PROGRAM)
    project.up()
    project.assert_no_change()
    outputs = project.outputs()
    anchor, issuer = (x509.load_pem_x509_certificate(outputs[name].encode()) for name in ("anchor", "certificate"))
    key = serialization.load_pem_private_key(outputs["private_key"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    names = issuer.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [ISSUER]

    now = datetime.datetime.now(datetime.UTC)
    pod = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(POD)]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    verifier = PolicyBuilder().store(Store([anchor])).time(now).build_server_verifier(x509.DNSName(POD))
    assert verifier.verify(pod, [issuer]) == [pod, issuer, anchor]
