"""The dashboard's objects, as data."""

from typing import Any

import pytest

from components import page
from components.addons.dashboard import component as dashboard
from components.addons.dashboard import headlamp, kube_web_view

PODS = {
    "headlamp": headlamp.pod("headlamp", "dashboard-tls"),
    "kube-web-view": kube_web_view.pod("dashboard", "dashboard-tls", "caddy"),
}
EVERY = pytest.mark.parametrize("kind", PODS)


def spec(kind: str) -> dict[str, Any]:
    return dashboard.deployment_args("dashboard", {}, PODS[kind])["spec"]["template"]["spec"]  # type: ignore[no-any-return]


@EVERY
def test_tls_ends_in_the_pod(kind: str) -> None:
    [port] = [port for each in spec(kind)["containers"] for port in each.get("ports", [])]
    assert port["name"] == "https"
    [service_port] = page.service_args("dashboard", "dashboard")["spec"]["ports"]
    assert service_port == {"name": "https", "port": 443, "targetPort": "https"}
    first = spec(kind)["containers"][0]
    assert {first[probe]["httpGet"]["scheme"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")} == {
        "HTTPS"
    }
    assert {"name": "certificate", "secret": {"secretName": "dashboard-tls", "defaultMode": 0o440}} in spec(kind)[
        "volumes"
    ]


@EVERY
def test_containers_mount_what_there_is(kind: str) -> None:
    volumes = {volume["name"] for volume in spec(kind)["volumes"]}
    assert {mount["name"] for each in spec(kind)["containers"] for mount in each["volumeMounts"]} == volumes


def test_headlamp_has_its_tls_flags() -> None:
    [container] = spec("headlamp")["containers"]
    assert {"-tls-cert-path=/headlamp-cert/tls.crt", "-tls-key-path=/headlamp-cert/tls.key"} <= set(container["args"])
    assert spec("headlamp")["serviceAccountName"] == "headlamp"


def test_only_kube_web_view_gets_the_token() -> None:
    pod = spec("kube-web-view")
    assert pod["automountServiceAccountToken"] is False
    holders = [each["name"] for each in pod["containers"] if "token" in {m["name"] for m in each["volumeMounts"]}]
    assert holders == ["kube-web-view"]


def test_kube_web_view_listens_on_loopback_only() -> None:
    [_, container] = spec("kube-web-view")["containers"]
    assert "host='127.0.0.1'" in container["command"][2]
    assert "ports" not in container


def test_caddy_asks_for_a_password_except_for_the_probes() -> None:
    text = kube_web_view.caddyfile("dashboard.localhost", "$2a$10$hash")
    before, _, after = text.partition("basic_auth")
    assert before.count("reverse_proxy") == 1
    assert "handle /health {" in before
    assert "admin $2a$10$hash" in after
    assert "header_up -Authorization" in after
