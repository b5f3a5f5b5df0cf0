"""The objects that tell each ingress controller to pass TLS through, as data."""

from typing import Any

import pytest

from components import tls_passthrough
from components.manifests import Manifest
from components.tls_passthrough import NGINX_ANNOTATIONS, TlsPassthroughIngressArgs, haproxy_annotations

ARGS: TlsPassthroughIngressArgs = {
    "host": "dashboard.localhost",
    "namespace": "dashboard",
    "service": "dashboard",
    "port": 443,
    "component": "dashboard",
    "ingress_class": "public",
}
ALTERNATIVE: TlsPassthroughIngressArgs = {**ARGS, "https_port": 8443}


@pytest.mark.parametrize(
    ("annotations", "prefix", "redirect"),
    [
        (NGINX_ANNOTATIONS, "nginx.ingress.kubernetes.io", "force-ssl-redirect"),
        (haproxy_annotations("haproxy.org/ingress-controller/haproxy"), "haproxy.org", "ssl-redirect"),
        (haproxy_annotations("haproxy-ingress.github.io/controller"), "haproxy-ingress.github.io", "ssl-redirect"),
        (haproxy_annotations("example.com/fork"), "haproxy.org", "ssl-redirect"),
    ],
)
def test_controllers_that_read_annotations(annotations: dict[str, str], prefix: str, redirect: str) -> None:
    made = tls_passthrough.ingress(ARGS, annotations)
    told = {f"{prefix}/ssl-passthrough": "true", f"{prefix}/{redirect}": "true"}
    assert told.items() <= made["metadata"]["annotations"].items()
    assert made["spec"]["ingressClassName"] == "public"
    [rule] = made["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert (rule["host"], path["path"]) == ("dashboard.localhost", "/")
    assert path["backend"] == {"service": {"name": "dashboard", "port": {"number": 443}}}


def test_traefik_passes_tls_through_by_way_of_the_service() -> None:
    spec = tls_passthrough.ingress_route_tcp(ARGS)["spec"]
    assert (spec["entryPoints"], spec["tls"]) == (["websecure"], {"passthrough": True})
    [route] = spec["routes"]
    assert route["match"] == "HostSNI(`dashboard.localhost`)"
    # The Service itself doesn't lead to pods that end.
    assert route["services"] == [{"name": "dashboard", "port": 443, "nativeLB": True}]


@pytest.mark.parametrize(("args", "port"), [(ARGS, "443"), (ALTERNATIVE, "8443")])
def test_traefik_redirects_to_the_port_of_https(args: TlsPassthroughIngressArgs, port: str) -> None:
    middleware, spec = tls_passthrough.redirect_middleware(args), tls_passthrough.ingress_route(args)["spec"]
    assert middleware["spec"]["redirectScheme"] == {"scheme": "https", "port": port, "permanent": True}
    [route] = spec["routes"]
    assert (spec["entryPoints"], route["match"]) == (["web"], "Host(`dashboard.localhost`)")
    assert route["middlewares"] == [{"name": middleware["metadata"]["name"]}]


def test_the_gateway_api() -> None:
    tls, http = tls_passthrough.tls_route(ARGS, "infra/public"), tls_passthrough.http_route(ALTERNATIVE, "infra/public")

    def rule(route: Manifest) -> dict[str, Any]:
        assert route["spec"]["parentRefs"] == [{"namespace": "infra", "name": "public"}]
        assert route["spec"]["hostnames"] == ["dashboard.localhost"]
        [only] = route["spec"]["rules"]
        return only  # type: ignore[no-any-return]

    assert rule(tls)["backendRefs"] == [{"name": "dashboard", "port": 443}]
    [redirect] = rule(http)["filters"]
    assert redirect["requestRedirect"] == {"scheme": "https", "port": 8443, "statusCode": 301}
