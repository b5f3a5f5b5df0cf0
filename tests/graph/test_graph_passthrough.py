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
    owner = recording.find("TlsPassthroughIngress", "dashboard-ingress").urn
    children = {r.type for r in recording.resources.values() if r.parent == owner and not r.read}
    assert children == kinds


def test_passthrough_by_a_gateway_reads_no_ingress_class() -> None:
    recording = run({**PASSTHROUGH, "ingress": {"passthrough": "gateway", "gateway": "infra/public"}})
    assert recording.find("TLSRoute", "dashboard-ingress-tls").inputs["spec"]["parentRefs"] == [
        {"namespace": "infra", "name": "public"}
    ]
    assert not any(
        resource.read and resource.type.endswith("IngressClass") for resource in recording.resources.values()
    )


def test_names_that_are_longer_than_labels_are_shortened_in_them() -> None:
    site = {"name": "a" * 62, "image": f"ghcr.io/me/site@sha256:{'0' * 64}", "tls": True}
    recording = run({"sites": [site], "ingress": {"className": f"{'b' * 61}.{'c' * 9}"}})
    metadata = [each.inputs.get("metadata") or {} for each in recording.resources.values() if not each.read]
    assert max(len(value) for each in metadata for value in each.get("labels", {}).values()) == 63


def test_pages_behind_a_gateway_are_not_for_the_ingress_controller_alone() -> None:
    config = {"ingress": {"passthrough": "gateway", "gateway": "infra/public"}, "addons": {"prometheus": True}}
    recording = run(config)
    assert recording.find("DaemonSet", "ingress-daemonset")
    for name in ("dashboard-policy", "prometheus-policy"):
        assert all("from" not in rule for rule in recording.find("NetworkPolicy", name).inputs["spec"]["ingress"]), name


@pytest.mark.parametrize(
    ("ingress", "controller", "error"),
    [
        (
            {},
            "example.com/other",
            "passthrough is auto, and the controller of the IngressClass, example.com/other, isn't known to pass TLS "
            "through; allowed: gateway, another IngressClass, or nginx, traefik or haproxy where it does as that one",
        ),
        (
            {"passthrough": "nginx"},
            "traefik.io/ingress-controller",
            "passthrough is nginx, which the controller of the IngressClass, traefik.io/ingress-controller, "
            "would ignore; allowed: auto, or another IngressClass",
        ),
        (
            {"passthrough": "nginx"},
            "nginx.org/ingress-controller",
            "passthrough is nginx, which the controller of the IngressClass, nginx.org/ingress-controller, "
            "would ignore; allowed: gateway, or another IngressClass",
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
