"""Prometheus' objects and its configuration, as data."""

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

import pulumi
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.addons.prometheus import PrometheusOptions, config, objects
from components.addons.prometheus.component import config_files
from components.addons.prometheus.rules import rules

HOST = "prometheus.localhost"
VOLUMES: dict[str, dict[str, Any]] = {name: {"emptyDir": {}} for name in ("config", "web", "certificate", "data")}


def files(sites: Sequence[str] = ("blog",), **options: Any) -> dict[str, str]:
    return config_files(PrometheusOptions(**{"host": HOST, **options}), sites)


def loaded(**options: Any) -> dict[str, Any]:
    return json.loads(files(**options)["prometheus.yml"])  # type: ignore[no-any-return]


def jobs(**options: Any) -> dict[str, dict[str, Any]]:
    return {job["job_name"]: job for job in loaded(**options)["scrape_configs"]}


def template(**options: Any) -> dict[str, Any]:
    made = objects.stateful_set("prometheus", "prometheus", VOLUMES, files(**options), "https://x/", "2Gi")
    return made["spec"]["template"]  # type: ignore[no-any-return]


def container() -> dict[str, Any]:
    [only] = template()["spec"]["containers"]
    return only  # type: ignore[no-any-return]


def test_every_file_that_is_named_is_mounted() -> None:
    there = {f"{config.CONFIG}/{name}" for name in files()}
    there |= {f"{config.WEB}/{name}" for name in ("web.yml", "password")}
    there |= {f"{config.CERTIFICATE}/{name}" for name in ("tls.crt", "tls.key")}
    texts = [*files().values(), config.web("$2a$10$hash"), json.dumps(container())]
    named = {path for text in texts for path in re.findall(r"/etc/prometheus[\w-]*/[\w.-]+", text)}
    assert named <= there
    # prometheus.yml and web.yml are named in the arguments, all others in these.
    assert there <= named


def test_its_memory_has_a_limit_that_can_be_raised() -> None:
    assert container()["resources"] == {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}}
    with pytest.raises(ValidationError, match="memory 128Mi is less than what is reserved for it; allowed: 256Mi or"):
        PrometheusOptions(host=HOST, memory="128Mi")


def test_no_request_is_answered_without_the_password() -> None:
    web = json.loads(config.web("$2a$10$hash"))
    assert web["basic_auth_users"] == {"admin": "$2a$10$hash"}
    assert web["tls_server_config"].keys() == {"cert_file", "key_file"}
    assert f"--web.config.file={config.WEB}/web.yml" in container()["args"]
    assert not [argument for argument in container()["args"] if "enable-admin" in argument or "lifecycle" in argument]


def test_the_password_is_in_no_object_but_a_secret() -> None:
    probes = [container()[f"{kind}Probe"]["exec"]["command"] for kind in ("startup", "readiness", "liveness")]
    assert {tuple(probe[:3]) for probe in probes} == {
        ("/bin/promtool", "check", "ready"),
        ("/bin/promtool", "check", "healthy"),
    }
    assert {probe[-1] for probe in probes} == {f"--http.config.file={config.CONFIG}/client.yml"}
    client = json.loads(files()["client.yml"])
    assert client["basic_auth"] == {"username": "admin", "password_file": f"{config.WEB}/password"}


def test_the_secret_has_the_hash_for_visitors_and_the_password_for_itself() -> None:
    async def make() -> dict[str, Any]:  # Pulumi's outputs need an event loop
        return objects.web_secret("prometheus", pulumi.Output.from_input("hash"), pulumi.Output.from_input("password"))

    made = asyncio.run(make())
    assert made["type"] == "Opaque"
    assert made["data"].keys() == {"web.yml", "password"}


def test_certificates_are_verified() -> None:
    for name in ("prometheus", "apiserver", "kubelet", "resource", "cadvisor", "probes"):
        job = jobs()[name]
        assert job["scheme"] == "https"
        assert "ca_file" in job["tls_config"]
        assert "insecure_skip_verify" not in job["tls_config"]
    assert jobs()["prometheus"]["tls_config"]["server_name"] == HOST
    assert jobs()["apiserver"]["tls_config"]["server_name"] == "kubernetes.default.svc"


def test_only_the_kubelets_certificates_may_go_unverified() -> None:
    insecure = [
        name
        for name, job in jobs(kubelet_insecure_tls=True).items()
        if job.get("tls_config", {}).get("insecure_skip_verify")
    ]
    assert insecure == ["kubelet", "resource", "cadvisor", "probes"]


def test_pods_are_scraped_once() -> None:
    selectors = {
        name: jobs()[name]["kubernetes_sd_configs"][0]["selectors"][0]["label"] for name in ("traefik", "stack")
    }
    assert selectors == {
        "traefik": "app.kubernetes.io/name=traefik",
        "stack": "app.kubernetes.io/part-of=inspiration,app.kubernetes.io/name!=traefik",
    }
    for name in selectors:
        assert jobs()[name]["relabel_configs"][0]["regex"] == "metrics"


def test_how_long_samples_are_kept() -> None:
    assert loaded()["storage"]["tsdb"]["retention"] == {"time": "7d", "size": f"{8 * 2**30 * 8 // 10}B"}
    assert loaded(retention="36h", size="1G")["storage"]["tsdb"]["retention"] == {"time": "36h", "size": "800000000B"}


@pytest.mark.parametrize(
    ("quantity", "octets"), [("1", 1), ("1.5Ki", 1536), ("500M", 500_000_000), ("8Gi", 8 << 30), ("2T", 2 * 10**12)]
)
def test_sizes(quantity: str, octets: int) -> None:
    assert config.in_bytes(quantity) == octets


@pytest.mark.parametrize("quantity", ["", "Gi", "100m", "8 Gi", "-1Gi", "1e3"])
def test_what_is_no_size(quantity: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{quantity!r} isn't a size")):
        config.in_bytes(quantity)


def test_a_new_configuration_makes_a_new_pod() -> None:
    assert template()["metadata"]["annotations"] == template()["metadata"]["annotations"]
    changes: list[dict[str, Any]] = [{"sites": []}, {"retention": "8d"}, {"host": "other.localhost"}]
    for options in changes:
        assert template(**options)["metadata"]["annotations"] != template()["metadata"]["annotations"]


def test_each_site_has_its_rules() -> None:
    first, *others = rules(["blog", "shop"])["groups"]
    assert [(rule.get("alert") or rule["record"], rule["labels"]["site"]) for rule in first["rules"]] == [
        ("site:traefik_service_requests:rate5m", "blog"),
        ("site:traefik_service_requests:rate5m", "shop"),
        ("SiteDown", "blog"),
        ("SiteDown", "shop"),
    ]
    assert [rule["alert"] for group in others for rule in group["rules"]] == ["CertificateExpires", "TargetDown"]
    assert all(rule["annotations"]["summary"] for group in others for rule in group["rules"])


SITE_NAMES = st.from_regex(r"[a-c](-?[a-c]){0,3}", fullmatch=True)


@given(SITE_NAMES, SITE_NAMES)
@example("b-b", "b-b-b")
@example("b-b-b", "b-b")
def test_a_site_is_not_taken_for_another(site: str, other: str) -> None:
    """What Traefik calls the Service of a site: its provider of nginx' Ingresses, and that of plain ones."""
    [rate, _] = rules([site])["groups"][0]["rules"]
    [pattern] = re.findall(r'service=~"([^"]+)"', rate["expr"])
    named = [f"{other}-{other}-{other}-http@kubernetesingressnginx", f"{other}-{other}-http@kubernetes"]
    assert [bool(re.fullmatch(pattern, name)) for name in named] == [site == other] * 2


def test_its_role_reads_metrics_and_runs_nothing() -> None:
    """Who may get `nodes/proxy` may run commands in all pods of a node."""
    rules = [rule for rule in objects.cluster_role()["rules"] if "resources" in rule]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert "nodes/proxy" not in {name for rule in rules for name in rule["resources"]}
