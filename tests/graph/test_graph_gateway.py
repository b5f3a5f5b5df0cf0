"""The program under mocks: sites that are routed by the Gateway API, and new versions that are tried first."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from settings.cluster_facts import ClusterFacts
from settings.releases import CONTENT
from tests.graph.recorder import DIGEST, READY, Recording, run

GATEWAY = {"routes": "gateway"}
LIVE = f"localhost:32000/inspiration@sha256:{'7' * 64}"


def routed(ingress: dict[str, Any] | None = None, **options: Any) -> Recording:
    return run({"ingress": {**GATEWAY, **(ingress or {})}, "sites": [{**READY[0], **options}]})


def parents(recording: Recording, route: str) -> list[tuple[str | None, str]]:
    spec = recording.find("HTTPRoute", route).inputs["spec"]
    return [(each.get("namespace"), each["name"]) for each in spec["parentRefs"]]


def test_a_site_has_a_route_in_place_of_its_ingress() -> None:
    recording = routed(hosts=["a.com"], path="/docs")
    kinds = {resource.type.rpartition(":")[2] for resource in recording.resources.values() if "ready" in resource.name}
    assert ("HTTPRoute" in kinds, "Ingress" in kinds) == (True, False)
    spec = recording.find("HTTPRoute", "ready-route").inputs["spec"]
    assert spec["hostnames"] == ["ready.localhost", "a.com"]
    [rule] = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/docs"}}]
    assert [(each["name"], each["port"]) for each in rule["backendRefs"]] == [("ready", 80)]
    assert parents(recording, "ready-route") == [("ingress", "traefik")]
    assert "ready-service" in recording.find("HTTPRoute", "ready-route").made_of("spec")


def test_traefik_starts_when_the_definitions_are_there() -> None:
    recording = routed()
    after = recording.find("DaemonSet", "ingress-daemonset").after
    assert {"ingress-gateways", "ingress-httproutes", "ingress-startup-route", "ingress-startup"} <= after
    assert "ingress-httproutes" in recording.find("HTTPRoute", "ingress-startup-route").after


def test_definitions_that_the_cluster_has_are_left_alone() -> None:
    recording = run({"ingress": GATEWAY, "sites": READY, "addons": {"ingress": {"auto": True, "gatewayAPI": False}}})
    assert not any(kind.endswith(":CustomResourceDefinition") for kind in recording.types())
    assert recording.find("Gateway", "ingress-gateway")


def test_https_is_a_gateway_of_the_sites_own() -> None:
    recording = routed(tls=True, redirects=[{"from": "www.com", "to": "ready.localhost"}])
    [listener] = recording.find("Gateway", "ready-gateway").inputs["spec"]["listeners"]
    assert (listener["protocol"], listener["tls"]["certificateRefs"]) == ("HTTPS", [{"name": "ready-tls"}])
    own, plain = (None, "ready"), ("ingress", "traefik")
    assert parents(recording, "ready-route") == [own]
    assert parents(recording, "ready-https-route") == [plain]
    assert parents(recording, "ready-to-ready.localhost-route") == [plain, own]
    assert recording.outputs_of("Site", "ready")["url"] == "https://ready.localhost/"


def test_a_gateway_of_somebody_else_lets_anybody_in() -> None:
    recording = routed({"gateway": "infra/public"})
    assert parents(recording, "ready-route") == [("infra", "public")]
    [rule] = recording.find("NetworkPolicy", "ready-policy").inputs["spec"]["ingress"]
    assert "from" not in rule
    assert not any(kind.endswith((":Gateway", ":GatewayClass")) for kind in recording.types())


def test_without_the_addon_somebody_has_to_have_a_gateway() -> None:
    with pytest.raises(pulumi.RunError, match=r"ingress\.gateway: none given, and inspiration:addons\.ingress is off"):
        run({"ingress": GATEWAY, "sites": READY, "addons": {"ingress": False, "dashboard": False}})


def tried(content: str = "0" * 16, **options: Any) -> Recording:
    """Return what is registered where the site has run something else before."""
    facts = ClusterFacts("test", recorded={"inspiration": {CONTENT: content}}, images={"inspiration": LIVE})
    site = {"name": "inspiration", "canary": 10, **options}
    return run({"ingress": GATEWAY, "sites": [site]}, facts=facts)


def image(recording: Recording, deployment: str) -> str:
    pods = recording.find("Deployment", deployment).inputs["spec"]["template"]["spec"]
    return str(pods["containers"][0]["image"])


def test_a_new_version_gets_its_part_of_the_requests() -> None:
    recording = tried()
    assert image(recording, "inspiration-deployment") == LIVE
    assert image(recording, "inspiration-canary-deployment").endswith(DIGEST)
    annotations = recording.find("Deployment", "inspiration-deployment").inputs["metadata"]["annotations"]
    assert annotations[CONTENT] == "0" * 16
    [rule] = recording.find("HTTPRoute", "inspiration-route").inputs["spec"]["rules"]
    weights = {each["name"]: each["weight"] for each in rule["backendRefs"]}
    assert weights == {"inspiration": 90, "inspiration-canary": 10}
    # No pod runs unconfined, and the ingress controller knows the pods before it sends anybody to them.
    assert {"inspiration-canary-policy", "inspiration-canary-service"} <= set(
        recording.find("Deployment", "inspiration-canary-deployment").after
    )
    assert "inspiration-canary-deployment" in recording.find("HTTPRoute", "inspiration-route").after


def test_where_there_is_nothing_to_try_one_version_gets_all() -> None:
    trial = tried().find("Deployment", "inspiration-canary-deployment").inputs["metadata"]["annotations"]
    first = run({"ingress": GATEWAY, "sites": [{"name": "inspiration", "canary": 10}]})
    for recording in (first, tried(trial[CONTENT]), tried(promoted=trial[CONTENT])):
        assert not any("canary" in resource.name for resource in recording.resources.values())
        assert image(recording, "inspiration-deployment").endswith(DIGEST)
