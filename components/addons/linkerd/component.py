"""Linkerd: a service mesh of sidecars that know each other by certificates."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_tls as tls
from typing_extensions import override

from components.addons.addon import Context
from components.addons.linkerd import NAMESPACE, LinkerdOptions
from components.certificate_authority import (
    AUTHORITY_DAYS,
    AUTHORITY_RENEWAL_DAYS,
    DAY,
    LEAF_DAYS,
    LEAF_RENEWAL_DAYS,
)
from components.chart import Charts, Product, Release
from components.kinds import Secret
from components.manifests import Manifest, encoded, metadata

VERSION = "2026.9.1"
REPOSITORY = "https://helm.linkerd.io/edge"
# Privileged: an init container of each pod, the control plane's too, writes iptables rules (NET_ADMIN, NET_RAW).
PRODUCT = Product(
    NAMESPACE,
    "privileged",
    {
        "crds": Release("linkerd-crds", "linkerd-crds", VERSION, REPOSITORY),
        "control-plane": Release("linkerd-control-plane", "linkerd-control-plane", VERSION, REPOSITORY),
    },
)
LABELS = {
    "linkerd.io/is-control-plane": "true",
    "linkerd.io/control-plane-ns": NAMESPACE,
    # Its webhooks leave its own pods alone: they could neither start without each other.
    "config.linkerd.io/admission-webhooks": "disabled",
}
"""What Linkerd asks of its namespace, as `linkerd install` labels it."""

ISSUER = "identity.linkerd.cluster.local"
"""The name that the issuer's certificate has to have."""
ISSUER_SECRET = "linkerd-identity-issuer"  # noqa: S105 the name of a Secret
WEBHOOKS = {
    "proxyInjector": "linkerd-proxy-injector",
    "profileValidator": "linkerd-sp-validator",
    "policyValidator": "linkerd-policy-validator",
}
"""The Services of the webhooks, by their part of the chart's values."""


class Linkerd(Charts[LinkerdOptions]):
    """Linkerd's definitions and control plane, with an authority of its own for the identities of pods.

    The stack's authority isn't that: it issues leaves only, and browsers that trust it needn't trust a mesh.
    """

    product = PRODUCT
    labels = LABELS

    @override
    def values(self, options: LinkerdOptions, context: Context, ns: pulumi.Output[str]) -> dict[str, Manifest]:
        child = pulumi.ResourceOptions(parent=self)
        identity = issue_identity(self.name, child)
        issuer = Secret(f"{self.name}-issuer-secret", **issuer_secret(ns, identity), opts=child)
        bundles: dict[str, pulumi.Input[str]] = {}
        for part, service in WEBHOOKS.items():
            certificate = context.authority.issue(
                f"{self.name}-{service.removeprefix('linkerd-')}-tls",
                {
                    "hosts": [f"{service}.{NAMESPACE}.svc"],
                    "secret_name": f"{service}-k8s-tls",
                    "namespace": ns,
                    "component": "linkerd",
                },
                child,
            )
            bundles[part] = _once_there(context.authority.certificate, certificate.secret)
        return values(options, _once_there(identity.anchor, issuer.metadata["name"]), bundles)


@dataclass(frozen=True)
class Identity:
    """By what pods of the mesh know each other."""

    anchor: pulumi.Output[str]
    """Certificate of the trust anchor, PEM, which all of them trust."""
    certificate: pulumi.Output[str]
    """Certificate of the issuer, PEM, which signs theirs; by the trust anchor."""
    private_key: pulumi.Output[str]
    """Private key of the issuer, PEM (PKCS #8)."""


def issue_identity(name: str, child: pulumi.ResourceOptions) -> Identity:
    """Declare the trust anchor of the mesh, and the issuer that signs the certificates of pods.

    Source: https://linkerd.io/2-edge/tasks/generate-certificates/

    Args:
        name: What the names of the resources begin with.
        child: The component that they are a part of, as ``parent``.
    """
    with_provider = pulumi.ResourceOptions.merge(
        child, pulumi.ResourceOptions(provider=tls.Provider(f"{name}-tls", opts=child))
    )
    root = tls.PrivateKey(f"{name}-anchor-key", algorithm="ECDSA", ecdsa_curve="P256", opts=with_provider)
    anchor = tls.SelfSignedCert(
        f"{name}-anchor-certificate",
        private_key_pem=root.private_key_pem,
        subject={"common_name": "root.linkerd.cluster.local"},
        is_ca_certificate=True,
        max_path_length=1,
        allowed_uses=["cert_signing", "crl_signing"],
        validity_period_hours=AUTHORITY_DAYS * DAY,
        early_renewal_hours=AUTHORITY_RENEWAL_DAYS * DAY,
        opts=with_provider,
    )
    key = tls.PrivateKey(f"{name}-issuer-key", algorithm="ECDSA", ecdsa_curve="P256", opts=with_provider)
    request = tls.CertRequest(
        f"{name}-issuer-request",
        private_key_pem=key.private_key_pem,
        subject={"common_name": ISSUER},
        dns_names=[ISSUER],
        opts=with_provider,
    )
    issuer = tls.LocallySignedCert(
        f"{name}-issuer-certificate",
        ca_cert_pem=anchor.cert_pem,
        ca_private_key_pem=root.private_key_pem,
        cert_request_pem=request.cert_request_pem,
        is_ca_certificate=True,
        max_path_length=0,
        allowed_uses=["cert_signing", "crl_signing", "server_auth", "client_auth"],
        validity_period_hours=LEAF_DAYS * DAY,
        early_renewal_hours=LEAF_RENEWAL_DAYS * DAY,
        opts=with_provider,
    )
    return Identity(anchor.cert_pem, issuer.cert_pem, key.private_key_pem_pkcs8)


def issuer_secret(ns: pulumi.Input[str], identity: Identity) -> Manifest:
    """Return the Secret from which Linkerd takes the issuer, and takes it again when it is renewed."""
    files = {"tls.crt": identity.certificate, "tls.key": identity.private_key, "ca.crt": identity.anchor}
    return {
        "metadata": metadata(ISSUER_SECRET, ns, "linkerd"),
        "type": "kubernetes.io/tls",
        "data": encoded(files),
    }


def values(
    options: LinkerdOptions, anchor: pulumi.Input[str], bundles: Mapping[str, pulumi.Input[str]]
) -> dict[str, Manifest]:
    """Return the values of the charts.

    Args:
        options: The options.
        anchor: Certificate of the trust anchor, PEM.
        bundles: The certificate by which the API server knows each webhook, PEM, by the webhook's part of the values.
    """
    available: Manifest = {
        "highAvailability": True,
        "controllerReplicas": 3,
        "enablePodAntiAffinity": True,
        "enablePodDisruptionBudget": True,
        "webhookFailurePolicy": "Fail",
    }
    return {
        "crds": {"installGatewayAPI": options.gateway_api},
        "control-plane": {
            "identityTrustAnchorsPEM": anchor,
            # Takes the issuer from its Secret, so that its key is in no values.
            "identity": {"issuer": {"scheme": "kubernetes.io/tls"}},
            # By itself, the chart makes new certificates whenever it is rendered: each preview would show changes.
            **{part: {"externalSecret": True, "caBundle": bundle} for part, bundle in bundles.items()},
            # It tells upstream every day which version runs where.
            "disableHeartBeat": True,
            **(available if options.high_availability else {}),
        },
    }


def _once_there(value: pulumi.Input[str], what: pulumi.Output[str]) -> pulumi.Output[str]:
    """Return ``value``, known when ``what`` is: the chart finds Secrets by names that it doesn't ask for."""
    return pulumi.Output.all(value, what).apply(lambda known: str(known[0]))
