"""The program under mocks: how sites are reached that have more than one host, redirects, passwords, ACME."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest

from tests.graph.recorder import READY, Recording, run

NGINX = "k8s.io/ingress-nginx"
TRAEFIK = "traefik.io/ingress-controller"
OTHERS = {"addons": {"ingress": False}}
REDIRECTS = [{"from": "www.ready.localhost", "to": "ready.localhost"}]
AUTH = {"user": "alice", "password": "correct horse"}
ACME = {"addons": {"cert": {"acme": {"email": "me@example.com"}}}}


def with_site(**options: Any) -> list[dict[str, Any]]:
    return [{**READY[0], **options}]


def protected(controller: str, ingress: dict[str, str] | None = None, *, preview: bool = False) -> Recording:
    config = {**OTHERS, "ingress": ingress or {}, "sites": with_site(basicAuth=AUTH)}
    return run(config, controller=controller, preview=preview, secrets=("sites",))


def added(recording: Recording, than: dict[str, Any]) -> set[str]:
    """Return what there is besides, by type and name."""
    beyond = recording.beyond(run(than))
    return {f"{resource.type.rpartition(':')[2]} {resource.name}" for resource in beyond}


def test_further_hosts_are_no_further_objects() -> None:
    more = run({"sites": with_site(hosts=["ready.example.com"], tls=True)})
    assert added(more, {"sites": with_site(tls=True)}) == set()
    assert more.find("CertRequest", "ready-tls-request").inputs["dnsNames"] == ["ready.localhost", "ready.example.com"]


def test_redirects_are_a_server_of_the_site() -> None:
    redirected = run({"sites": with_site(redirects=REDIRECTS)})
    assert added(redirected, {"sites": READY}) == {
        "ConfigMap ready-redirects-config",
        "NetworkPolicy ready-redirects-policy",
        "Deployment ready-redirects-deployment",
        "PodDisruptionBudget ready-redirects-budget",
        "Service ready-redirects-service",
        "Ingress ready-redirects-ingress",
    }
    site = redirected.find("Site", "ready").urn
    assert redirected.find("Ingress", "ready-redirects-ingress").parent == site
    assert "ready-redirects-policy" in redirected.find("Deployment", "ready-redirects-deployment").after
    assert "ready-redirects-service" in redirected.find("Ingress", "ready-redirects-ingress").made_of("spec")


@pytest.mark.parametrize(
    ("site", "ingress", "target"),
    [
        ({}, {}, "http://ready.localhost$request_uri"),
        ({}, {"httpPort": 8080}, "http://ready.localhost:8080$request_uri"),
        ({"tls": True}, {}, "https://ready.localhost$request_uri"),
        ({"tls": True}, {"httpsPort": 8443}, "https://ready.localhost:8443$request_uri"),
    ],
)
def test_redirects_lead_to_where_the_sites_url_leads(
    site: dict[str, Any], ingress: dict[str, Any], target: str
) -> None:
    recording = run({"sites": with_site(redirects=REDIRECTS, **site), "ingress": ingress})
    configured = recording.find("ConfigMap", "ready-redirects-config").inputs["data"]["nginx.conf"]
    assert f"return 301 {target};" in configured
    assert recording.outputs_of("Site", "ready")["url"] == target.replace("$request_uri", "/")


def test_hosts_that_are_redirected_are_in_the_certificate() -> None:
    recording = run({"sites": with_site(redirects=REDIRECTS, tls=True)})
    request = recording.find("CertRequest", "ready-tls-request").inputs
    assert request["dnsNames"] == ["ready.localhost", "www.ready.localhost"]
    [tls] = recording.find("Ingress", "ready-redirects-ingress").inputs["spec"]["tls"]
    assert tls == {"hosts": ["www.ready.localhost"], "secretName": "ready-tls"}


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(
    ("controller", "told", "kinds"),
    [
        (NGINX, {"nginx.ingress.kubernetes.io/auth-secret": "ready-auth"}, {"Secret"}),
        ("haproxy.org/ingress-controller", {"haproxy.org/auth-secret": "ready-auth"}, {"Secret"}),
        (
            TRAEFIK,
            {"traefik.ingress.kubernetes.io/router.middlewares": "ready-ready-auth@kubernetescrd"},
            {"Secret", "Middleware"},
        ),
    ],
)
def test_controllers_are_told_of_a_password_in_their_way(
    controller: str, told: dict[str, str], kinds: set[str], preview: bool
) -> None:
    recording = protected(controller, preview=preview)
    [site] = [each for each in recording.resources.values() if each.type == "inspiration:index:Site"]
    children = {each.type.rpartition(":")[2] for each in recording.resources.values() if each.parent == site.urn}
    plain = {"Namespace", "ServiceAccount", "NetworkPolicy", "Deployment", "PodDisruptionBudget", "Service", "Ingress"}
    assert children - plain - {"IngressClass"} == kinds
    if not (preview and "Middleware" in kinds):  # its name isn't known before it is there
        annotations = recording.find("Ingress", "ready-ingress").inputs["metadata"]["annotations"]
        assert told.items() <= annotations.items()


def test_the_addons_controller_is_told_of_a_password_without_asking_for_its_class() -> None:
    recording = run({"sites": with_site(basicAuth=AUTH)}, secrets=("sites",))
    assert not any(each.read and each.type.endswith(":IngressClass") for each in recording.resources.values())
    annotations = recording.find("Ingress", "ready-ingress").inputs["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/auth-type"] == "basic"


def test_the_hosts_that_are_redirected_ask_for_no_password() -> None:
    recording = run({"sites": with_site(basicAuth=AUTH, redirects=REDIRECTS)}, secrets=("sites",))
    annotations = recording.find("Ingress", "ready-redirects-ingress").inputs["metadata"]["annotations"]
    assert not any("auth" in annotation for annotation in annotations)


def test_a_password_that_nobody_would_ask_for_is_an_error_of_the_preview() -> None:
    with pytest.raises(pulumi.RunError, match=re.escape("basicAuth of the site ready: the controller of the Ingress")):
        protected("example.com/other", preview=True)


@pytest.mark.parametrize("preview", [False, True])
def test_an_acme_certificate_is_there_before_the_ingress_has_it(preview: bool) -> None:
    recording = run({**ACME, "sites": with_site(tls="acme", redirects=REDIRECTS)}, preview=preview)
    certificate = recording.find("Certificate", "ready-acme")
    assert certificate.inputs["spec"]["dnsNames"] == ["ready.localhost", "www.ready.localhost"]
    assert "cert-acme-issuer" in certificate.made_of("spec")
    for ingress in ("ready-ingress", "ready-redirects-ingress"):
        assert "ready-acme" in recording.find("Ingress", ingress).made_of("spec")
    assert recording.outputs_of("Site", "ready")["url"] == "https://ready.localhost/"


def test_acme_without_an_issuer_is_an_error_of_the_configuration() -> None:
    with pytest.raises(pulumi.RunError, match=r"sites\[0\]\.tls: acme given"):
        run({"sites": with_site(tls="acme")})
