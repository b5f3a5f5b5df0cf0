"""The program under mocks: the ingress controller is told of TLS passthrough in the way that it knows."""

import re

import pulumi
import pytest

from tests.graph.recorder import READY, run

PASSTHROUGH = {"addons": {"ingress": False}, "sites": READY}


@pytest.mark.parametrize(
    ("controller", "kinds"),
    [
        ("k8s.io/ingress-nginx", {"kubernetes:networking.k8s.io/v1:Ingress"}),
        ("haproxy.org/ingress-controller/haproxy", {"kubernetes:networking.k8s.io/v1:Ingress"}),
        (
            "traefik.io/ingress-controller",
            {
                "kubernetes:traefik.io/v1alpha1:IngressRouteTCP",
                "kubernetes:traefik.io/v1alpha1:IngressRoute",
                "kubernetes:traefik.io/v1alpha1:Middleware",
            },
        ),
    ],
)
@pytest.mark.parametrize("preview", [False, True])
def test_passthrough_is_told_as_the_ingress_class_says(controller: str, kinds: set[str], preview: bool) -> None:
    recording = run(PASSTHROUGH, controller=controller, preview=preview)
    owner = recording.find("TlsPassthroughIngress", "dashboard-ingress")
    children = {r.type for r in recording.resources.values() if r.parent == owner.urn and not r.read}
    assert children == kinds


def test_passthrough_by_a_gateway_reads_no_ingress_class() -> None:
    recording = run({**PASSTHROUGH, "ingress": {"passthrough": "gateway", "gateway": "infra/public"}})
    assert recording.find("TLSRoute", "dashboard-ingress-tls").inputs["spec"]["parentRefs"] == [
        {"namespace": "infra", "name": "public"}
    ]
    assert not any(
        resource.read and resource.type.endswith("IngressClass") for resource in recording.resources.values()
    )


@pytest.mark.parametrize(
    ("ingress", "controller", "error"),
    [
        (
            {},
            "example.com/other",
            "inspiration:ingress.passthrough: auto given, and the controller of inspiration:ingress.className, "
            "example.com/other, isn't known to pass TLS through; allowed: gateway, another className, "
            "or nginx, traefik or haproxy where it does as that one",
        ),
        (
            {"passthrough": "nginx"},
            "traefik.io/ingress-controller",
            "inspiration:ingress.passthrough: nginx given, which the controller of inspiration:ingress.className, "
            "traefik.io/ingress-controller, would ignore; allowed: auto, or another className",
        ),
        (
            {"passthrough": "nginx"},
            "nginx.org/ingress-controller",
            "inspiration:ingress.passthrough: nginx given, which the controller of inspiration:ingress.className, "
            "nginx.org/ingress-controller, would ignore; allowed: gateway, or another className",
        ),
    ],
)
def test_what_a_controller_would_ignore_is_an_error(ingress: dict[str, str], controller: str, error: str) -> None:
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(error)}$"):
        run({**PASSTHROUGH, "ingress": ingress}, controller=controller)


def test_a_controller_that_is_not_known_is_told_what_the_configuration_says() -> None:
    recording = run({**PASSTHROUGH, "ingress": {"passthrough": "nginx"}}, controller="example.com/nginx-fork")
    annotations = recording.find("Ingress", "dashboard-ingress-ingress").inputs["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/ssl-passthrough"] == "true"
