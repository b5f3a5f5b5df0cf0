"""The objects that tell each ingress controller to pass TLS through, as data."""

from typing import Any

import pytest

from components import tls_passthrough
from components.tls_passthrough import NGINX_ANNOTATIONS, TlsPassthroughIngressArgs

ARGS: TlsPassthroughIngressArgs = {
    "host": "dashboard.localhost",
    "namespace": "dashboard",
    "service": "dashboard",
    "port": 443,
    "component": "dashboard",
    "ingress_class": "public",
}
METADATA = {
    "name": "dashboard",
    "namespace": "dashboard",
    "labels": {
        "app.kubernetes.io/name": "dashboard",
        "app.kubernetes.io/component": "dashboard",
        "app.kubernetes.io/instance": "stack",
        "app.kubernetes.io/part-of": "inspiration",
        "app.kubernetes.io/managed-by": "pulumi",
    },
}
INGRESS = {
    "ingressClassName": "public",
    "rules": [
        {
            "host": "dashboard.localhost",
            "http": {
                "paths": [
                    {
                        "path": "/",
                        "pathType": "Prefix",
                        "backend": {"service": {"name": "dashboard", "port": {"number": 443}}},
                    }
                ]
            },
        }
    ],
}


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        (
            NGINX_ANNOTATIONS,
            {
                "nginx.ingress.kubernetes.io/ssl-passthrough": "true",
                "nginx.ingress.kubernetes.io/force-ssl-redirect": "true",
                "nginx.ingress.kubernetes.io/service-upstream": "true",
            },
        ),
        (
            tls_passthrough.haproxy_annotations("haproxy.org/ingress-controller/haproxy"),
            {"haproxy.org/ssl-passthrough": "true", "haproxy.org/ssl-redirect": "true"},
        ),
        (
            tls_passthrough.haproxy_annotations("haproxy-ingress.github.io/controller"),
            {"haproxy-ingress.github.io/ssl-passthrough": "true", "haproxy-ingress.github.io/ssl-redirect": "true"},
        ),
        (
            tls_passthrough.haproxy_annotations("example.com/fork"),
            {"haproxy.org/ssl-passthrough": "true", "haproxy.org/ssl-redirect": "true"},
        ),
    ],
)
def test_controllers_that_read_annotations(annotations: dict[str, str], expected: dict[str, str]) -> None:
    assert tls_passthrough.ingress(ARGS, annotations) == {
        "metadata": {**METADATA, "annotations": {**expected, "pulumi.com/timeoutSeconds": "180"}},
        "spec": INGRESS,
    }


def test_traefik() -> None:
    assert tls_passthrough.ingress_route_tcp(ARGS) == {
        "api_version": "traefik.io/v1alpha1",
        "kind": "IngressRouteTCP",
        "metadata": METADATA,
        "spec": {
            "entryPoints": ["websecure"],
            "routes": [
                {
                    "match": "HostSNI(`dashboard.localhost`)",
                    "services": [{"name": "dashboard", "port": 443, "nativeLB": True}],
                },
            ],
            "tls": {"passthrough": True},
        },
    }
    assert tls_passthrough.ingress_route(ARGS) == {
        "api_version": "traefik.io/v1alpha1",
        "kind": "IngressRoute",
        "metadata": METADATA,
        "spec": {
            "entryPoints": ["web"],
            "routes": [
                {
                    "kind": "Rule",
                    "match": "Host(`dashboard.localhost`)",
                    "middlewares": [{"name": "dashboard"}],
                    "services": [{"kind": "TraefikService", "name": "noop@internal"}],
                }
            ],
        },
    }


@pytest.mark.parametrize(("port", "shown"), [(None, "443"), (8443, "8443")])
def test_traefik_redirects_to_the_port_of_https(port: int | None, shown: str) -> None:
    args: Any = ARGS if port is None else {**ARGS, "https_port": port}
    assert tls_passthrough.redirect_middleware(args) == {
        "api_version": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": METADATA,
        "spec": {"redirectScheme": {"scheme": "https", "port": shown, "permanent": True}},
    }


def test_the_gateway_api() -> None:
    assert tls_passthrough.tls_route(ARGS, "infra/public") == {
        "api_version": "gateway.networking.k8s.io/v1",
        "kind": "TLSRoute",
        "metadata": METADATA,
        "spec": {
            "parentRefs": [{"namespace": "infra", "name": "public"}],
            "hostnames": ["dashboard.localhost"],
            "rules": [{"backendRefs": [{"name": "dashboard", "port": 443}]}],
        },
    }
    redirect = {"scheme": "https", "port": 8443, "statusCode": 301}
    assert tls_passthrough.http_route({**ARGS, "https_port": 8443}, "infra/public") == {
        "api_version": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": METADATA,
        "spec": {
            "parentRefs": [{"namespace": "infra", "name": "public"}],
            "hostnames": ["dashboard.localhost"],
            "rules": [{"filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]}],
        },
    }
