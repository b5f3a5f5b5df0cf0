"""The Gateway API as data: the ingress controller's part, and the routes of sites."""

from __future__ import annotations

from typing import Any

import pytest

from components.addons.ingress import component, gateway
from components.ingress import Gateway, IngressOptions
from components.manifests import COMPONENT
from components.site import http_routes
from components.site.options import SiteOptions
from components.site.workload import Pods, canary_name, canary_options, deployment_args

SITE = {"name": "shop", "host": "shop.example.com"}
FILE = """
kind: CustomResourceDefinition
apiVersion: apiextensions.k8s.io/v1
metadata:
  name: gateways.gateway.networking.k8s.io
  annotations:
    gateway.networking.k8s.io/bundle-version: v9.9.9
spec: {names: {plural: gateways}}
---
---
kind: ValidatingAdmissionPolicy
metadata: {name: safe-upgrades.gateway.networking.k8s.io}
"""


def test_the_definitions_are_upstreams_with_our_labels() -> None:
    [(plural, made)] = gateway.definitions(FILE)
    assert (plural, made["spec"]) == ("gateways", {"names": {"plural": "gateways"}})
    assert made["metadata"]["name"] == "gateways.gateway.networking.k8s.io"
    assert made["metadata"]["annotations"] == {"gateway.networking.k8s.io/bundle-version": "v9.9.9"}
    assert made["metadata"]["labels"]["app.kubernetes.io/part-of"] == "inspiration"


@pytest.mark.parametrize(("routes", "may"), [("ingress", False), ("gateway", True)])
def test_traefik_knows_of_the_gateway_api_where_it_routes(routes: Any, may: bool) -> None:
    options = IngressOptions(routes=routes, address="10.0.0.1")
    told = "--providers.kubernetesGateway=true" in component.arguments(options)
    groups = {group for rule in component.cluster_role(routes=may)["rules"] for group in rule["apiGroups"]}
    assert (told, "gateway.networking.k8s.io" in groups) == (may, may)


def test_a_gateway_of_somebody_else_is_not_traefiks() -> None:
    options = IngressOptions(routes="gateway", gateway="infra/public")
    assert options.own_gateway == Gateway("infra", "public")
    assert "--providers.kubernetesGateway=true" not in component.arguments(options)


def test_listeners_are_where_traefik_listens() -> None:
    [listener] = gateway.gateway("ingress", "traefik")["spec"]["listeners"]
    told = component.arguments(IngressOptions())
    assert f"--entryPoints.web.address=:{listener['port']}" in told
    assert f"--entryPoints.websecure.address=:{gateway.HTTPS_PORT}" in told


@pytest.mark.parametrize(
    ("https", "ports", "host", "target"),
    [
        (False, {}, "a.com", {"scheme": "http", "hostname": "a.com"}),
        (False, {"http_port": 8080}, "a.com", {"scheme": "http", "hostname": "a.com", "port": 8080}),
        (True, {}, None, {"scheme": "https"}),
        (True, {"https_port": 8443}, "a.com", {"scheme": "https", "hostname": "a.com", "port": 8443}),
    ],
)
def test_a_redirect_leads_to_where_clients_connect(
    https: bool, ports: dict[str, int], host: str | None, target: dict[str, Any]
) -> None:
    [made] = http_routes.moved(https, IngressOptions(**ports), host)["filters"]  # type: ignore[arg-type]
    assert made == {"type": "RequestRedirect", "requestRedirect": {"statusCode": 301, **target}}


def test_redirects_are_grouped_by_where_they_lead() -> None:
    hosts = {"a.com": "one.com", "b.com": "two.com", "c.com": "one.com"}
    options = SiteOptions.model_validate(
        {**SITE, "hosts": ["one.com", "two.com"], "redirects": [{"from": a, "to": b} for a, b in hosts.items()]}
    )
    assert list(http_routes.by_target(options.redirects)) == [("one.com", ["a.com", "c.com"]), ("two.com", ["b.com"])]


def test_a_certificate_needs_a_class_of_gateways() -> None:
    with pytest.raises(ValueError, match="the site shop needs a GatewayClass"):
        http_routes.https_gateway("shop", "shop", "shop-tls", Gateway("infra", "public"))


@pytest.mark.parametrize(
    ("options", "pods"),
    [({"replicas": 2}, 1), ({"replicas": 20}, 2), ({"replicas": 34}, 3), ({"autoscale": {"max": 50}}, 5)],
)
def test_a_canary_has_as_many_pods_as_its_part_of_the_requests(options: dict[str, Any], pods: int) -> None:
    site = SiteOptions.model_validate({**SITE, "canary": 10, **options})
    made = deployment_args(Pods(canary_name("shop"), "shop", "shop", "image", component="canary"), canary_options(site))
    assert made["spec"]["replicas"] == pods
    # Its policy is deleted when its pods are gone, and no sooner.
    assert "pulumi.com/deletionPropagationPolicy" not in made["metadata"]["annotations"]
    # Not the site's own: they would be behind its Service, and taken for it.
    for each in (made["metadata"], made["spec"]["template"]["metadata"]):
        assert (each["labels"][COMPONENT], each["labels"]["app.kubernetes.io/name"]) == ("canary", "shop-canary")


def test_the_name_of_the_longest_sites_canary_is_that_of_a_service() -> None:
    assert len(canary_name("a" * 63)) == 63
