"""Certificates for whoever asks the cluster for one: cert-manager, and who issues them."""

from typing import Annotated

from cryptography import x509
from pydantic import AfterValidator, Field

from components.addons.addon import Addon
from components.options import Allowed, Default, Model, problem

NAMESPACE = "cert-manager"

_READS_SECRETS = "Certificates and their keys, and the keys of issuers, are in Secrets of all namespaces."
_OF_THE_WEBHOOK = "The authority of the webhook's certificate is in a Secret that it makes itself."
_WITHOUT_PROBES = "Upstream's chart gives it none, and it serves nobody."
_READERS = (
    "cainjector",
    *(f"controller-{of}" for of in ("certificates", "challenges", "clusterissuers", "issuers", "orders")),
)
"""What the roles of cert-manager that read Secrets are called, after its name."""


def _certificates(text: str) -> str:
    try:
        x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise problem("can't be read; allowed: certificates, PEM") from None
    return text


class AcmeOptions(Model):
    """An authority that speaks ACME (RFC 8555): it issues certificates to who shows that a host name is theirs."""

    server: Annotated[str, Allowed("the URL of an ACME directory, https://…")] = Field(
        default="https://acme-v02.api.letsencrypt.org/directory",
        pattern=r"^https://[^\s/]+(/[^\s]*)?$",
        description="URL of its directory",
    )
    email: Annotated[str, Allowed("the e-mail address that the authority writes to")] = Field(
        max_length=254, pattern=r"^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$", description="address that the authority writes to"
    )
    ca_bundle: Annotated[
        str | None,
        AfterValidator(lambda text: None if text is None else _certificates(text)),
        Default("those that browsers trust"),
        Allowed("certificates, PEM"),
    ] = Field(default=None, description="certificates that its own one is checked by, where it is a private authority")


class CertOptions(Model):
    """Options of cert-manager."""

    acme: Annotated[AcmeOptions | None, Default("none")] = Field(
        default=None, description="a further authority, which asks each host for a proof over HTTP"
    )


CERT = Addon(
    name="cert",
    what="cert-manager",
    options=CertOptions,
    component="Cert",
    before_sites=True,
    namespaces=(NAMESPACE,),
    outputs={"cert_issuers": "issuers"},
    chart_exemptions={
        "liveness-probe": {"Deployment cert-manager/cert-manager-cainjector": _WITHOUT_PROBES},
        "rbac-secrets": {
            **{f"ClusterRole cert-manager-{name}": _READS_SECRETS for name in _READERS},
            **{f"ClusterRoleBinding cert-manager-{name}": _READS_SECRETS for name in _READERS},
            "Role cert-manager/cert-manager-webhook:dynamic-serving": _OF_THE_WEBHOOK,
            "RoleBinding cert-manager/cert-manager-webhook:dynamic-serving": _OF_THE_WEBHOOK,
        },
        "readiness-probe": {
            "Deployment cert-manager/cert-manager": _WITHOUT_PROBES,
            "Deployment cert-manager/cert-manager-cainjector": _WITHOUT_PROBES,
        },
        "service-account-token": {
            "Deployment cert-manager/cert-manager": "It watches Certificates, and issues them.",
            "Deployment cert-manager/cert-manager-cainjector": (
                "It tells the API server which authorities webhooks have."
            ),
            "Deployment cert-manager/cert-manager-webhook": "It asks the API server who may approve a request.",
            "Job cert-manager/cert-manager-startupapicheck": (
                "It asks the API server for a Certificate, to see if it can."
            ),
        },
    },
)
