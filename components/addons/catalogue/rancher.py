"""Rancher: manages clusters, this one first, in a web page."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from components.addons.catalogue import CATALOGUE
from components.addons.chart import home, install
from components.certificate_authority import CertificateAuthority
from components.manifests import Manifest, opaque_secret
from components.page import random_password
from components.urls import url

PRODUCT = CATALOGUE["rancher"]
USER = "admin"

TLS_SECRET = "tls-rancher-ingress"  # noqa: S105 the name of a Secret
AUTHORITY_SECRET = "tls-ca"  # noqa: S105 the name of a Secret, which the chart knows


class RancherArgs(TypedDict):
    """Rancher."""

    authority: CertificateAuthority
    """Who issues its certificate."""
    host: str
    """Host name of its URL."""
    ingress_class: pulumi.Input[str]
    """IngressClass of its Ingress."""
    replicas: NotRequired[int]
    """Pods to run, ≥ 1; default 1."""
    https_port: NotRequired[int]
    """Port of the ingress controller for HTTPS, for the URL; default 443."""


class Rancher(pulumi.ComponentResource):
    """Rancher with a certificate of the stack's authority, so that it needs no cert-manager.

    What Rancher makes by itself in the cluster (namespaces, definitions, its agents) isn't of the stack, and stays.
    """

    url: pulumi.Output[str]
    """Where a browser finds it; known when it is ready."""
    login: dict[str, pulumi.Input[str]]
    """How to sign in at first: ``user`` and ``password``, which is a secret. Rancher then asks for another one."""

    def __init__(self, name: str, args: RancherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Rancher", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        ns = home(name, PRODUCT, self).metadata.name
        certificate = args["authority"].issue(
            f"{name}-tls",
            {"hosts": [args["host"]], "secret_name": TLS_SECRET, "namespace": ns, "component": "rancher"},
            child,
        )
        trusted = Secret(
            f"{name}-authority",
            **opaque_secret(AUTHORITY_SECRET, ns, "rancher", {"cacerts.pem": args["authority"].certificate}),
            opts=child,
        )
        password: pulumi.Output[str] = pulumi.Output.secret(random_password(name, self).result)
        chosen = values(args, certificate.secret, password)
        ready = install(name, PRODUCT, ns, {"chart": chosen}, self, after=[trusted])
        address = url("https", args["host"], args.get("https_port", 443))
        self.url = ready.apply(lambda _: address)
        self.login = {"user": USER, "password": password}
        self.register_outputs({"url": self.url, "login": self.login})


def values(args: RancherArgs, certificate: pulumi.Input[str], password: pulumi.Input[str]) -> Manifest:
    """Return the values of the chart: ``certificate`` is the Secret of the server's, ``password`` the first one."""
    return {
        "hostname": args["host"],
        "replicas": args.get("replicas", 1),
        "bootstrapPassword": password,
        "ingress": {
            "ingressClassName": args["ingress_class"],
            "tls": {"source": "secret", "secretName": certificate},
        },
        "privateCA": True,
        # A hook, which isn't run.
        "postDelete": {"enabled": False},
    }
