"""A program of somebody else, with two of the components and nothing else of the project that they come from.

It has no configuration. The cluster and its ingress controller are there already.
"""

import sys
from pathlib import Path

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import Service

# Another project has them in a folder or package of its own.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from components.ingress import IngressArgs, IngressOptions
from components.site.component import Site
from components.site.options import SiteOptions
from components.tls_passthrough import TlsPassthroughIngress

in_cluster = pulumi.ResourceOptions(providers=[Provider("staging", context="staging")])

shop = Site(
    "shop",
    SiteOptions(name="shop", host="shop.example.com", port=3000, replicas=3),
    {
        "image": f"ghcr.io/storefront/shop@sha256:{'7' * 64}",
        "ingress": IngressArgs("public", namespace="ingress-nginx", options=IngressOptions(http_port=8080)),
    },
    in_cluster,
)
vault = Service(
    "vault",
    metadata={"name": "vault", "namespace": shop.namespace},
    spec={"selector": {"app": "vault"}, "ports": [{"port": 8200}]},
    opts=pulumi.ResourceOptions.merge(in_cluster, pulumi.ResourceOptions(depends_on=[shop])),
)
TlsPassthroughIngress(
    "vault",
    {
        "host": "vault.example.com",
        "namespace": shop.namespace,
        "service": vault.metadata.name,
        "port": 8200,
        "component": "vault",
        "ingress_class": "public",
    },
    in_cluster,
)
pulumi.export("url", shop.url)
