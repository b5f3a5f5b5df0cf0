"""Certificates for whoever asks the cluster for one: cert-manager, and who issues them."""

import base64
from collections.abc import Mapping

import pulumi

from components.addons.addon import Context
from components.addons.cert import NAMESPACE, AcmeOptions, CertOptions
from components.chart import Product, Release, declare_namespace, install
from components.kinds import KubernetesObject
from components.manifests import Manifest, metadata

VERSION = "v1.21.2"
PRODUCT = Product(
    NAMESPACE,
    "restricted",
    {"chart": Release("cert-manager", "oci://quay.io/jetstack/charts/cert-manager", VERSION)},
)

ISSUER = "inspiration-ca"
"""Name of the ClusterIssuer of the stack's authority."""
ACME_ISSUER = "inspiration-acme"
"""Name of the ClusterIssuer of an authority on the internet."""


class Cert(pulumi.ComponentResource):
    """cert-manager, by upstream's chart, and a ClusterIssuer for each authority.

    Source of the issuers: https://cert-manager.io/docs/configuration/
    """

    issuers: pulumi.Output[list[str]]
    """Names of the ClusterIssuers, known once they exist; the first is that of the stack's authority."""
    acme_issuer: pulumi.Output[str] | None = None
    """Name of the ClusterIssuer of the ACME authority, known once it exists; ``None``: there is none."""

    def __init__(
        self, name: str, options: CertOptions, context: Context, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Cert", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        product = context.located(PRODUCT)
        ns = declare_namespace(name, product, self).metadata["name"]
        key = context.authority.delegate(
            f"{name}-authority",
            {"secret_name": f"{ISSUER}-key", "namespace": ns, "component": "cert"},
            child,
        )
        ready = install(name, product, ns, {"chart": values()}, self)
        issuers = {ISSUER: KubernetesObject(f"{name}-issuer", **ca_issuer(_after(key, ready)), opts=child)}
        if acme := options.acme:
            shown_by = _after(context.ingress.class_name, ready)
            issuers[ACME_ISSUER] = KubernetesObject(f"{name}-acme-issuer", **acme_issuer(acme, shown_by), opts=child)
            self.acme_issuer = issuers[ACME_ISSUER].id.apply(lambda _: ACME_ISSUER)
        made = pulumi.Output.all(*(issuer.id for issuer in issuers.values()))
        self.issuers = made.apply(lambda _: list(issuers))
        self.register_outputs({"issuers": self.issuers})


def values() -> Manifest:
    """Return what differs from the chart's own ``values.yaml``.

    Source: https://github.com/cert-manager/cert-manager/blob/v1.21.2/deploy/charts/cert-manager/values.yaml
    """
    # Only the pods that need a token get one.
    account: Manifest = {"automountServiceAccountToken": False}
    return {
        # Upstream's chart leaves its definitions, and so all Certificates, when it is removed.
        "crds": {"enabled": True, "keep": False},
        # And with a Certificate goes its Secret, which nobody would renew.
        "enableCertificateOwnerRef": True,
        "global": {"leaderElection": {"namespace": NAMESPACE}},
        "automountServiceAccountToken": True,
        "serviceAccount": account,
        "resources": _resources("64Mi", "256Mi"),
        "webhook": {
            "automountServiceAccountToken": True,
            "serviceAccount": account,
            "resources": _resources("32Mi", "128Mi"),
        },
        "cainjector": {
            "automountServiceAccountToken": True,
            "serviceAccount": account,
            "resources": _resources("64Mi", "256Mi"),
        },
        # The Job that ends when cert-manager's API answers is a hook in the chart, and the provider leaves hooks out.
        # Without the annotations of one, it is an object like the others, and awaited as they are.
        "startupapicheck": {
            "timeout": "5m",
            "jobAnnotations": None,
            "rbac": {"annotations": None},
            "automountServiceAccountToken": True,
            "serviceAccount": account | {"annotations": None},
            "resources": _resources("16Mi", "64Mi"),
        },
    }


def _resources(request: str, limit: str) -> Mapping[str, Mapping[str, str]]:
    return {"requests": {"cpu": "10m", "memory": request}, "limits": {"memory": limit}}


def ca_issuer(secret: pulumi.Input[str]) -> Manifest:
    """Return the ClusterIssuer that signs with the key in ``secret``, a Secret of cert-manager's namespace."""
    return _issuer(ISSUER, {"ca": {"secretName": secret}})


def acme_issuer(acme: AcmeOptions, ingress_class: pulumi.Input[str]) -> Manifest:
    """Return the ClusterIssuer of an ACME authority, which shows that a host is ours by an Ingress (HTTP-01)."""
    spec = {
        "server": acme.server,
        "email": acme.email,
        **({"caBundle": base64.b64encode(acme.ca_bundle.encode()).decode()} if acme.ca_bundle else {}),
        "privateKeySecretRef": {"name": f"{ACME_ISSUER}-account"},
        "solvers": [{"http01": {"ingress": {"ingressClassName": ingress_class}}}],
    }
    return _issuer(ACME_ISSUER, {"acme": spec})


def _issuer(name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "ClusterIssuer",
        "metadata": metadata(name, None, "cert", NAMESPACE),
        "spec": spec,
    }


def _after(value: pulumi.Input[str], ready: pulumi.Output[str]) -> pulumi.Output[str]:
    """Return ``value``, known when cert-manager is ``ready``: its webhook has to answer for every issuer."""
    return pulumi.Output.all(value, ready).apply(lambda known: str(known[0]))
