"""The certificate authority of the stack, and the certificates that it issues."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

import pulumi
import pulumi_tls as tls

from components.certificate_authority_options import CertificateAuthorityOptions
from components.kinds import Secret
from components.manifests import Manifest, encoded, metadata

DAY = 24
"""Hours."""

AUTHORITY_DAYS = 3650
LEAF_DAYS = 365
"""Days that a certificate is valid. Systems refuse leaves of more than 825 days, whoever signed them."""

AUTHORITY_RENEWAL_DAYS = 730
"""Days before its end from which on ``pulumi up`` makes the authority's certificate anew, with the same key.

More than a leaf is valid for, so that no leaf outlives the authority.
"""

LEAF_RENEWAL_DAYS = 90
"""Days before its end from which on ``pulumi up`` makes a leaf anew, with the same key."""


class SecretArgs(TypedDict):
    """Where a certificate and its key are."""

    secret_name: str
    """Name of the Secret."""
    namespace: pulumi.Input[str]
    """Namespace of the Secret."""
    component: str
    """The part that who uses it plays in the stack, such as ``site``; a label of the Secret."""


class CertificateArgs(SecretArgs):
    """A certificate of a server, or of a client that servers know by it."""

    hosts: list[str]
    """DNS names that it is valid for, ≥ 1; ``*.`` stands for one label."""
    peers: NotRequired[bool]
    """Whether programs know each other by it: then it is good for clients too, and the Secret has the authority's
    certificate as ``ca.crt``. Default ``False``."""


@dataclass(frozen=True)
class Certificate:
    """A server's certificate that was issued."""

    pem: pulumi.Output[str]
    """The certificate, without its authority's."""
    secret: pulumi.Output[str]
    """Name of the ``kubernetes.io/tls`` Secret with it and its key; known once that exists."""


class CertificateAuthority(pulumi.ComponentResource):
    """A certificate authority; who trusts its certificate trusts all that it issues."""

    certificate: pulumi.Output[str]
    """Its certificate, PEM: what a browser has to trust."""

    def __init__(
        self, name: str, options: CertificateAuthorityOptions, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:CertificateAuthority", name, None, opts)
        given, given_key = options.certificate, options.private_key
        provider = tls.Provider(f"{name}-tls", opts=pulumi.ResourceOptions(parent=self))
        self._with_provider = pulumi.ResourceOptions(provider=provider)
        if given is not None and given_key is not None:
            self.certificate = pulumi.Output.from_input(given)
            self._key: pulumi.Output[str] = pulumi.Output.secret(given_key)
        else:
            child = pulumi.ResourceOptions(parent=self, provider=provider)
            key = tls.PrivateKey(f"{name}-key", algorithm="ECDSA", ecdsa_curve="P256", opts=child)
            made = tls.SelfSignedCert(
                f"{name}-certificate",
                private_key_pem=key.private_key_pem,
                subject={"common_name": options.common_name},
                is_ca_certificate=True,
                max_path_length=0,  # it issues leaves only
                allowed_uses=["cert_signing", "crl_signing"],
                validity_period_hours=AUTHORITY_DAYS * DAY,
                early_renewal_hours=AUTHORITY_RENEWAL_DAYS * DAY,
                opts=child,
            )
            self.certificate, self._key = made.cert_pem, key.private_key_pem
        self.register_outputs({"certificate": self.certificate})

    def issue(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions) -> Certificate:
        """Issue a certificate, which ``pulumi up`` renews in time, and put it into a Secret.

        Args:
            name: What the names of its resources begin with.
            args: What it is for.
            opts: The component whose server uses it, as ``parent``; its Kubernetes provider makes the Secret.
        """
        child = pulumi.ResourceOptions.merge(opts, self._with_provider)
        key = tls.PrivateKey(f"{name}-key", algorithm="ECDSA", ecdsa_curve="P256", opts=child)
        # Without a subject: clients look at the names only, and a common name is too short for some hosts.
        request = tls.CertRequest(
            f"{name}-request", private_key_pem=key.private_key_pem, dns_names=args["hosts"], opts=child
        )
        uses = ["digital_signature", "server_auth"] + (["client_auth"] if args.get("peers") else [])
        leaf = tls.LocallySignedCert(
            f"{name}-certificate",
            ca_cert_pem=self.certificate,
            ca_private_key_pem=self._key,
            cert_request_pem=request.cert_request_pem,
            allowed_uses=uses,
            validity_period_hours=LEAF_DAYS * DAY,
            early_renewal_hours=LEAF_RENEWAL_DAYS * DAY,
            opts=child,
        )
        chain = pulumi.Output.concat(leaf.cert_pem, self.certificate)
        authority = self.certificate if args.get("peers") else None
        stored = Secret(f"{name}-secret", **secret(args, chain, key.private_key_pem_pkcs8, authority), opts=opts)
        return Certificate(leaf.cert_pem, stored.metadata["name"])

    def delegate(self, name: str, args: SecretArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
        """Put the authority itself into a Secret, for a program of the cluster that issues certificates in its name.

        Whoever can read that Secret can issue any certificate.

        Args:
            name: Name of the resource.
            args: Where to put it.
            opts: The component that the program belongs to, as ``parent``.

        Returns:
            Name of the Secret; known once it exists.
        """
        return Secret(name, **secret(args, self.certificate, self._key), opts=opts).metadata["name"]


def secret(
    args: SecretArgs,
    chain: pulumi.Output[str],
    key: pulumi.Output[str],
    authority: pulumi.Output[str] | None = None,
) -> Manifest:
    """Return the Secret of a certificate, as ``kubectl create secret tls`` makes it.

    Args:
        args: Where it is put.
        chain: The certificate, then its authority's, which may be an intermediate one; PEM.
        key: Its private key, PEM.
        authority: The authority's certificate, PEM, where the Secret is to have it as ``ca.crt``.
    """
    files = {"tls.crt": chain, "tls.key": key} | ({"ca.crt": authority} if authority is not None else {})
    return {
        "metadata": metadata(args["secret_name"], args["namespace"], args["component"]),
        "type": "kubernetes.io/tls",
        "data": encoded(files),
    }
