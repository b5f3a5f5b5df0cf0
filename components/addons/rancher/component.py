"""Rancher: manages clusters, this one first, in a web page."""

from typing import Any

import pulumi
from typing_extensions import override

from components.addons.addon import Context
from components.addons.rancher import NAMESPACE, RancherOptions
from components.chart import Charts, Product, Release
from components.kinds import Secret
from components.manifests import Manifest, opaque_secret
from components.page import random_password
from components.urls import url

# Privileged: it runs as root, and starts pods here whose demands the chart doesn't show.
PRODUCT = Product(
    NAMESPACE,
    "privileged",
    {"chart": Release("rancher", "rancher", "2.15.1", "https://releases.rancher.com/server-charts/stable")},
)
USER = "admin"

TLS_SECRET = "tls-rancher-ingress"  # noqa: S105 the name of a Secret
AUTHORITY_SECRET = "tls-ca"  # noqa: S105 the name of a Secret, which the chart knows


class Rancher(Charts[RancherOptions]):
    """Rancher with a certificate of the stack's authority, so that it needs no cert-manager.

    What Rancher makes by itself in the cluster (namespaces, definitions, its agents) isn't of the stack, and stays.
    """

    product = PRODUCT

    url: pulumi.Output[str]
    """Where a browser finds it; known when it is ready."""
    login: dict[str, pulumi.Input[str]]
    """How to sign in at first: ``user`` and ``password``, which is a secret. Rancher then asks for another one."""

    @override
    def values(self, options: RancherOptions, context: Context, ns: pulumi.Output[str]) -> dict[str, Manifest]:
        child = pulumi.ResourceOptions(parent=self)
        certificate = context.authority.issue(
            f"{self.name}-tls",
            {"hosts": [options.host], "secret_name": TLS_SECRET, "namespace": ns, "component": "rancher"},
            child,
        )
        trusted = Secret(
            f"{self.name}-authority",
            **opaque_secret(AUTHORITY_SECRET, ns, "rancher", {"cacerts.pem": context.authority.certificate}),
            opts=child,
        )
        self.after = [trusted]
        password: pulumi.Output[str] = pulumi.Output.secret(random_password(self.name, self).result)
        self.login = {"user": USER, "password": password}
        return {"chart": values(options, context.ingress.class_name, certificate.secret, password)}

    @override
    def results(self, options: RancherOptions, context: Context) -> dict[str, pulumi.Input[Any]]:
        address = url("https", options.host, context.ingress.options.https_port)
        self.url = self.namespace.apply(lambda _: address)
        return {"url": self.url, "login": self.login}


def values(
    options: RancherOptions,
    ingress_class: pulumi.Input[str],
    certificate: pulumi.Input[str],
    password: pulumi.Input[str],
) -> Manifest:
    """Return the values of the chart: ``certificate`` is the Secret of the server's, ``password`` the first one."""
    return {
        "hostname": options.host,
        "replicas": options.replicas,
        "bootstrapPassword": password,
        "ingress": {
            "ingressClassName": ingress_class,
            "tls": {"source": "secret", "secretName": certificate},
        },
        "privateCA": True,
        # A hook, which isn't run.
        "postDelete": {"enabled": False},
    }
