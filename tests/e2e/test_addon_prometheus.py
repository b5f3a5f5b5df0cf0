"""The addon prometheus: it measures what there is, says when a site is down, and shows it to those who sign in."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, Page

from components.addons.prometheus.rules import DAYS_LEFT, REQUEST_RATE, rules
from tests.checkout import Checkout
from tests.tls import fingerprint, fingerprint_of
from tests.traffic import Traffic
from tests.waiting import eventually

pytestmark = pytest.mark.heavy

HOST = "prometheus.localhost"
URL = f"https://{HOST}/"
SITE = "inspiration"
"""Its name, and that of its namespace and its Deployment."""
EXPIRING = "expiring.localhost"
KINDS = "namespace,clusterrole,clusterrolebinding,persistentvolume,ingress,secret,statefulset,pod"
NAMESPACE = "prometheus-test"


class Server:
    """Prometheus as its users reach it: by its name over TLS that they verify."""

    def __init__(self, cluster: Checkout) -> None:
        self.cluster = cluster
        outputs = cluster.outputs(secrets=True)
        login = outputs["prometheus_login"]
        self.login = (str(login["user"]), str(login["password"]))
        self.authority = str(outputs["ca_certificate"])

    def get(self, path: str, login: tuple[str, str] | None, **parameters: str) -> httpx.Response:
        """Ask for a path."""
        with httpx.Client(verify=ssl.create_default_context(cadata=self.authority), headers={"Host": HOST}) as client:
            return client.get(
                f"https://127.0.0.1/{path}", params=parameters, auth=login, extensions={"sni_hostname": HOST}
            )

    def api(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the API."""
        answer = self.get(f"api/v1/{path}", self.login, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def firing(self, alert: str) -> list[dict[str, str]]:
        """Return the labels of each alert of that name that fires."""
        alerts = self.api("alerts")["alerts"]
        return [each["labels"] for each in alerts if each["labels"]["alertname"] == alert and each["state"] == "firing"]


@pytest.fixture(scope="module")
def measured(site: Checkout) -> Iterator[Checkout]:
    """The stack with the addon."""
    with site.addon("prometheus"):
        yield site


@pytest.fixture(scope="module")
def server(measured: Checkout) -> Server:
    return Server(measured)


def test_its_url_is_an_output(measured: Checkout) -> None:
    assert measured.outputs()["addon_urls"]["prometheus"] == URL


def test_without_the_password_there_is_nothing_not_even_its_own_metrics(server: Server) -> None:
    for login in (None, ("admin", "wrong"), ("", "")):
        for path in ("", "query", "metrics", "api/v1/query?query=up", "-/ready", "assets/index.js"):
            answer = server.get(path, login)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"].startswith("Basic")
    answer = server.get("-/ready", server.login)
    assert answer.status_code == 200
    assert answer.headers["x-frame-options"] == "deny"


def test_the_ingress_controller_passes_its_certificate_through(server: Server) -> None:
    text = server.cluster.kubectl(
        "get", "secret", "prometheus-tls", "-n", "prometheus", "-o", r"jsonpath={.data.tls\.crt}"
    )
    leaf = base64.b64decode(text).decode().split("-----END CERTIFICATE-----")[0]
    stored = fingerprint_of(ssl.PEM_cert_to_DER_cert(f"{leaf}-----END CERTIFICATE-----\n"))
    assert fingerprint(HOST, trusted=server.authority) == stored


def test_all_that_should_be_measured_is_found_and_answers(server: Server) -> None:
    wanted = {"prometheus", "apiserver", "kubelet", "resource", "cadvisor", "probes", "traefik", "stack"}

    def health() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for target in server.api("targets", state="active")["activeTargets"]:
            found.setdefault(target["labels"]["job"], set()).add(target["health"])
        return found

    assert eventually(lambda: health() == {job: {"up"} for job in wanted}), health()
    for query in (
        'container_memory_working_set_bytes{namespace="inspiration",container="site"}',
        'apiserver_request_total{verb="LIST"}',
        "kubelet_running_pods > 1",
        'coredns_build_info{app="coredns"}',
    ):
        assert eventually(lambda query=query: bool(server.api("query", query=query)["result"])), query  # type: ignore[misc]


def test_all_nodes_are_measured(server: Server) -> None:
    """By each page of their kubelets, and by the Traefik that each has."""
    nodes = {name.removeprefix("node/") for name in server.cluster.nodes()}
    pods = server.cluster.kubectl(
        "get", "pods", "-A", "-l", "app.kubernetes.io/name=traefik", "-o", "jsonpath={.items[*].metadata.name}"
    ).split()
    assert len(pods) == len(nodes)
    for job, label, wanted in (
        *((job, "instance", nodes) for job in ("kubelet", "resource", "cadvisor", "probes")),
        ("traefik", "pod", set(pods)),
    ):

        def answering(job: str = job, label: str = label) -> set[str]:
            return {each["metric"][label] for each in server.api("query", query=f'up{{job="{job}"}} == 1')["result"]}

        assert eventually(lambda answering=answering, wanted=wanted: answering() == wanted), (job, answering())  # type: ignore[misc]


def test_requests_are_counted_under_the_name_of_their_site(server: Server) -> None:
    query = f'{REQUEST_RATE}{{site="{SITE}",code="200"}} > 1'
    with Traffic(f"{SITE}.localhost", requests_per_second=20) as traffic:
        assert eventually(lambda: bool(server.api("query", query=query)["result"]), 180)
    assert traffic.failures == []


def test_its_pages_open_in_a_browser_and_answer_a_query(server: Server, browser: Browser, artifacts: Path) -> None:
    user, password = server.login
    context = browser.new_context(
        http_credentials={"username": user, "password": password}, viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("requestfailed", lambda request: errors.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(URL)
    page.wait_for_url("**/query*")
    assert "Prometheus" in page.title()
    ask(page, 'up{job="traefik"}')
    page.get_by_text('job="traefik"').last.wait_for()
    page.screenshot(path=artifacts / "prometheus.png")

    page.goto(f"{URL}alerts")
    page.get_by_text("SiteDown").first.wait_for()
    page.goto(f"{URL}targets")
    page.get_by_text("cadvisor", exact=True).first.wait_for()
    page.screenshot(path=artifacts / "prometheus-targets.png")
    # A page that is left gives up what it was still waiting for.
    assert [error for error in errors if "/api/v1/notifications/live" not in error] == []
    context.close()


def ask(page: Page, expression: str) -> None:
    page.locator(".cm-content").first.click()
    page.keyboard.insert_text(expression)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Execute").click()


def test_alerts_fire_when_they_should(measured: Checkout, tmp_path: Path) -> None:
    """Upstream's own tool runs the rules over made-up samples: minutes and years pass in no time."""
    (tmp_path / "rules.yml").write_text(json.dumps(rules([SITE])))
    file = tmp_path / "rules-test.yml"
    file.write_text(
        json.dumps(
            {
                "rule_files": ["rules.yml"],
                "evaluation_interval": "15s",
                "tests": [site_stops(), kubelet_stops(), certificates(), target_stops()],
            }
        )
    )
    done = measured.run("promtool", "test", "rules", str(file), environment=measured.environment())
    assert done.returncode == 0, done.stdout + done.stderr


PROBED = f'prober_probe_total{{namespace="{SITE}",container="site",probe_type="Readiness",result="%s",pod="%s"}}'
PROBES_UP = {"series": 'up{job="probes"}', "values": "1x40"}


def site_stops() -> dict[str, Any]:
    """One pod stops to answer after a minute, the other one after five minutes; it is back after eight."""
    fires = {
        "exp_labels": {"severity": "critical", "site": SITE},
        "exp_annotations": {
            "summary": f"No pod of the site {SITE} answers.",
            "description": f"See kubectl get events --namespace {SITE}",
        },
    }
    return {
        "interval": "15s",
        "input_series": [
            {"series": PROBED % ("successful", "a"), "values": "0+3x4 12x36"},
            {"series": PROBED % ("successful", "b"), "values": "0+3x20 60x11 stale 0+3x7"},
            {"series": PROBED % ("failed", "b"), "values": "0x20 0+3x20"},
            PROBES_UP,
        ],
        "alert_rule_test": [
            {"eval_time": "4m", "alertname": "SiteDown", "exp_alerts": []},
            {"eval_time": "7m30s", "alertname": "SiteDown", "exp_alerts": [fires]},
            {"eval_time": "9m30s", "alertname": "SiteDown", "exp_alerts": []},
        ],
    }


def kubelet_stops() -> dict[str, Any]:
    """A kubelet that can't be asked is no reason to say that a site is down."""
    return {
        "interval": "15s",
        "input_series": [{"series": 'up{job="probes"}', "values": "0x40"}],
        "alert_rule_test": [{"eval_time": "10m", "alertname": "SiteDown", "exp_alerts": []}],
    }


def certificates() -> dict[str, Any]:
    """One ends in time to be told of, one later; one has been renewed, and one is Traefik's own."""

    def until(days: int, **names: str) -> dict[str, str]:
        labels = ",".join(f'{name}="{value}"' for name, value in {"cn": "", **names}.items())
        return {"series": f"traefik_tls_certs_not_after{{{labels}}}", "values": f"{days * 86400}x4"}

    fires = {
        "exp_labels": {"severity": "warning", "sans": "soon.localhost"},
        "exp_annotations": {
            "summary": f"The certificate for soon.localhost ends in {DAYS_LEFT - 2}d 23h 59m 0s.",
            "description": "Run pulumi up, which renews it. Of a host that is gone Traefik tells until it restarts.",
        },
    }
    return {
        "interval": "15s",
        "input_series": [
            until(DAYS_LEFT - 1, sans="soon.localhost", serial="1"),
            until(DAYS_LEFT + 1, sans="later.localhost", serial="2"),
            until(1, sans="renewed.localhost", serial="3"),
            until(365, sans="renewed.localhost", serial="4"),
            until(1, sans="", serial="5", cn="TRAEFIK DEFAULT CERT"),
        ],
        "alert_rule_test": [{"eval_time": "1m", "alertname": "CertificateExpires", "exp_alerts": [fires]}],
    }


def target_stops() -> dict[str, Any]:
    labels = {"job": "stack", "instance": "10.0.0.1:9153"}
    fires = {
        "exp_labels": {"severity": "warning", **labels},
        "exp_annotations": {
            "summary": "stack at 10.0.0.1:9153 doesn't answer.",
            "description": "The page Status, Targets says why.",
        },
    }
    return {
        "interval": "15s",
        "input_series": [{"series": 'up{job="stack",instance="10.0.0.1:9153"}', "values": "1x4 0x40"}],
        "alert_rule_test": [
            {"eval_time": "6m", "alertname": "TargetDown", "exp_alerts": []},
            {"eval_time": "6m30s", "alertname": "TargetDown", "exp_alerts": [fires]},
        ],
    }


def test_the_certificate_of_an_ingress_that_ends_soon_is_told_of(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "expiring.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": expiring()}))
    server.cluster.kubectl("apply", "-f", str(file))
    try:
        assert eventually(lambda: bool(server.firing("CertificateExpires"))), server.api("alerts")
        assert server.firing("CertificateExpires") == [
            {"alertname": "CertificateExpires", "severity": "warning", "sans": EXPIRING}
        ]
    finally:
        server.cluster.kubectl("delete", "-f", str(file), "--wait")


def expiring() -> list[dict[str, Any]]:
    """An Ingress in a namespace of its own, with a certificate that ends in five days."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=5))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(EXPIRING)]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    meta = {"name": NAMESPACE, "namespace": NAMESPACE}
    backend = {"service": {"name": NAMESPACE, "port": {"number": 80}}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}]}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta,
            "type": "kubernetes.io/tls",
            "stringData": {
                "tls.crt": certificate.public_bytes(serialization.Encoding.PEM).decode(),
                "tls.key": pem.decode(),
            },
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": meta,
            "spec": {
                "ingressClassName": "nginx",
                "tls": [{"hosts": [EXPIRING], "secretName": NAMESPACE}],
                "rules": [
                    {"host": EXPIRING, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
                ],
            },
        },
    ]


def test_a_site_without_pods_is_down_until_it_has_some_again(server: Server) -> None:
    scale = ("scale", f"deployment/{SITE}", "-n", SITE)
    assert server.firing("SiteDown") == []
    server.cluster.kubectl(*scale, "--replicas=0")
    try:
        assert eventually(lambda: bool(server.firing("SiteDown")), 240), server.api("alerts")
        assert server.firing("SiteDown") == [{"alertname": "SiteDown", "severity": "critical", "site": SITE}]
    finally:
        server.cluster.kubectl(*scale, "--replicas=2")
    assert eventually(lambda: not server.firing("SiteDown")), server.api("alerts")


def test_nothing_is_left_to_change(measured: Checkout) -> None:
    unchanged = measured.pulumi("preview", "--expect-no-changes")
    assert unchanged.returncode == 0, unchanged.stdout


def test_it_leaves_without_a_trace(measured: Checkout) -> None:
    """The last one, since it takes the addon away."""
    measured.switch_off("prometheus")

    assert "prometheus" not in measured.outputs()["addon_urls"]
    assert eventually(lambda: not left(measured)), left(measured)


def left(cluster: Checkout) -> str:
    """What there is of the addon."""
    found = cluster.kubectl("get", KINDS, "-A", "-l", "app.kubernetes.io/component=prometheus", "-o", "name")
    volumes = cluster.kubectl("get", "persistentvolume", "-o", "jsonpath={.items[*].spec.claimRef.namespace}")
    return found + ("volume" if "prometheus" in volumes.split() else "")
