"""Configurations that together make every kind of resource that the program can make."""

from typing import Any

from components.addons import ADDONS
from tests.graph.recorder import READY

ACME = {"server": "https://ca.example.com/directory", "email": "me@example.com"}
RIGHTS = {"viewers": ["account:viewer"], "editors": ["alice"], "admins": ["group:ops"]}
NO_ADDONS = {addon.name: False for addon in ADDONS}
ALL_ADDONS: dict[str, Any] = {
    **{addon.name: True for addon in ADDONS},
    "cert": {"acme": ACME},
    "cilium": {"hubble": True},
    "rbac": RIGHTS,
}
SHOP: dict[str, Any] = {
    **READY[0],
    "name": "shop",
    "hosts": ["shop.example.com"],
    "redirects": [{"from": "www.example.com", "to": "shop.example.com"}],
    "tls": "acme",
    "basicAuth": {"user": "me", "password": "a password"},
    "env": {"LOG_LEVEL": "info"},
    "secretEnv": {"TOKEN": "a token"},
    "database": True,
    "egress": ["internet", "site:ready"],
    "autoscale": {"max": 4},
    "jobs": [{"name": "digest", "schedule": "@daily", "command": ["digest"]}],
}
"""A site with all options that go together."""
KEEPER = {**READY[0], "name": "keeper", "replicas": 1, "volumes": [{"name": "data", "path": "/data"}]}
CHART = {"name": "shop", "chart": "oci://example.com/shop", "version": "1.2.3"}

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "bare": {"sites": READY, "addons": NO_ADDONS},
    "a site with TLS": {"sites": [{"name": "inspiration", "tls": True}]},
    "node ports": {"addons": {"ingress": {"nodePorts": {"http": 30080, "https": 30443}}}},
    "embedded dashboard": {"addons": {"dashboard": {"kind": "kube-web-view"}}},
    "administrator": {"addons": {"dashboard": {"access": "admin"}}},
    "traefik's own kinds": {"addons": {"ingress": False, "prometheus": True}},
    "gateway": {
        "ingress": {"passthrough": "gateway", "gateway": "gateways/public"},
        "addons": {"ingress": False, "prometheus": True},
    },
    "routes of the Gateway API": {
        "ingress": {"routes": "gateway"},
        "sites": [{**READY[0], "hosts": ["a.com"], "redirects": [{"from": "b.com", "to": "a.com"}], "tls": True}],
    },
    "routes of a Gateway of somebody else": {
        "ingress": {"routes": "gateway", "gateway": "gateways/public"},
        "sites": READY,
    },
    "a registry for some": {"addons": {"registry": {"sourceRanges": ["192.0.2.0/24"]}}},
    "all addons": {"addons": ALL_ADDONS},
    "all addons by default": {"addons": {addon.name: True for addon in ADDONS}},
    "rights in one namespace": {"addons": {"rbac": {**RIGHTS, "namespaces": ["shop"]}}},
    "a chart": {"charts": [CHART]},
    "sites with options": {
        "sites": [*READY, SHOP, KEEPER],
        "addons": {"cert": {"acme": ACME}, "postgres": True, "metrics-server": True},
    },
}
"""By what they show. Each keeps the policies, too, on a cluster whose own controller is `TRAEFIK`'s."""

TRAEFIK = "traefik.io/ingress-controller"
"""Controller of the cluster's IngressClass where the addon is off: it has kinds of its own."""
