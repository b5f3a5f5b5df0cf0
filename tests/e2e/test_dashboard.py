"""The dashboard: reached by its name over TLS that ends in its pod, and by nobody who doesn't sign in."""

from __future__ import annotations

import base64
import errno
import http.client
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import playwright.sync_api
import pytest
from playwright.sync_api import Browser, HttpCredentials

from components.addons.dashboard import kube_web_view
from tests.checkout import Checkout
from tests.e2e.previews import changes
from tests.tls import fingerprint, fingerprint_of, get
from tests.waiting import eventually

HOST = "dashboard.localhost"
URL = f"https://{HOST}/"


@pytest.fixture
def authority(site: Checkout) -> str:
    """The certificate authority, PEM."""
    return str(site.outputs()["ca_certificate"])


def stored(checkout: Checkout) -> str:
    """The fingerprint of the certificate in the Secret that the pod mounts."""
    text = checkout.kubectl("get", "secret", "dashboard-tls", "-n", "dashboard", "-o", r"jsonpath={.data.tls\.crt}")
    leaf = base64.b64decode(text).decode().split("-----END CERTIFICATE-----")[0]
    return fingerprint_of(ssl.PEM_cert_to_DER_cert(f"{leaf}-----END CERTIFICATE-----\n"))


def test_the_url_is_an_output(site: Checkout) -> None:
    outputs = site.outputs()
    assert outputs["dashboard_url"] == outputs["addon_urls"]["dashboard"] == URL
    assert URL in site.run("script/up").stdout


@pytest.mark.parametrize("authorization", [None, "admin:wrong", "admin:", "root:", "Bearer"])
@pytest.mark.parametrize(
    "path",
    ["/", "/clusters", "/clusters/local/namespaces/inspiration/pods", "/health/../clusters", "/health/", "/healthz"],
)
def test_nobody_gets_in_without_signing_in(authority: str, path: str, authorization: str | None) -> None:
    basic = f"Basic {base64.b64encode((authorization or '').encode()).decode()}"
    status, headers, text = get(HOST, path, authority, **({"Authorization": basic} if authorization else {}))
    assert status == 401
    assert headers["www-authenticate"] == 'Basic realm="dashboard"'
    assert text == ""


@pytest.mark.parametrize("path", ["/health", "//health", "/clusters/../health", "/health?q=inspiration"])
def test_all_that_anybody_is_told_is_whether_it_runs(authority: str, path: str) -> None:
    status, _, text = get(HOST, path, authority)
    assert (status, text) == (200, "OK")


@pytest.mark.parametrize(
    ("credentials", "error"),
    [
        (None, "ERR_INVALID_AUTH_CREDENTIALS"),
        (HttpCredentials(username="admin", password="wrong"), "ERR_HTTP_RESPONSE_CODE_FAILURE"),
    ],
)
def test_a_browser_asks_to_sign_in(browser: Browser, credentials: HttpCredentials | None, error: str) -> None:
    context = browser.new_context(http_credentials=credentials)
    # Chromium's words for a dialog that nobody answers, and for an answer that isn't taken.
    with pytest.raises(playwright.sync_api.Error, match=error):
        context.new_page().goto(URL)
    context.close()


def test_who_signs_in_finds_the_site(site: Checkout, browser: Browser, artifacts: Path) -> None:
    login = site.outputs(secrets=True)["dashboard_login"]
    context = browser.new_context(
        http_credentials=HttpCredentials(username=login["user"], password=login["password"]),
        viewport={"width": 1280, "height": 900},
    )
    page = context.new_page()
    failures: list[tuple[str, str | None]] = []
    page.on("requestfailed", lambda request: failures.append((request.url, request.failure)))

    # Without a word about the certificate: Chromium trusts the authority, and nothing is told to look away.
    response = page.goto(URL)
    assert response is not None
    assert response.status == 200

    page.goto(f"{URL}clusters/local/namespaces/inspiration/deployments")
    page.get_by_role("link", name="inspiration", exact=True).last.click()
    page.wait_for_url("**/deployments/inspiration")
    page.screenshot(path=artifacts / "dashboard.png")
    page.get_by_text("YAML", exact=True).first.click()
    page.wait_for_url("**view=yaml**")
    assert "kind: Deployment" in page.locator("pre").last.inner_text()

    page.goto(f"{URL}search?q=inspiration")
    assert page.get_by_role("link", name="inspiration (Deployment)").count() >= 1

    pod = site.kubectl("get", "pods", "-n", "inspiration", "-o", "jsonpath={.items[0].metadata.name}")
    page.goto(f"{URL}clusters/local/namespaces/inspiration/pods/{pod}/logs")
    assert pod in page.content()
    answer = page.goto(f"{URL}clusters/local/namespaces/dashboard/secrets")
    assert answer is not None
    assert "dashboard-tls" not in page.content()
    # Those that were under way when the next page was asked for don't count.
    assert [failure for failure in failures if failure[1] != "net::ERR_ABORTED"] == []
    context.close()


def test_the_certificate_served_is_the_one_in_the_pod(site: Checkout, authority: str) -> None:
    assert fingerprint(HOST, trusted=authority) == stored(site)


@pytest.mark.parametrize("other", ["other.localhost", "inspiration.localhost", "dashboard.localhost.example.com"])
def test_another_name_does_not_reach_it(site: Checkout, other: str) -> None:
    assert fingerprint(other) != stored(site)


def test_plain_http_redirects() -> None:
    answer = httpx.get("http://127.0.0.1/clusters", headers={"Host": HOST}, timeout=30)
    assert answer.status_code in (301, 308)
    assert answer.headers["location"] == f"{URL}clusters"


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("get", "pods", "yes"),
        ("get", "pods --subresource=log", "yes"),
        ("list", "deployments.apps", "yes"),
        ("list", "nodes", "yes"),
        ("get", "secrets", "no"),
        ("list", "secrets", "no"),
        ("create", "pods", "no"),
        ("patch", "deployments.apps", "no"),
        ("delete", "pods", "no"),
        ("create", "pods --subresource=exec", "no"),
        ("create", "serviceaccounts --subresource=token", "no"),
        ("impersonate", "users", "no"),
    ],
)
def test_what_it_may_do(site: Checkout, verb: str, resource: str, allowed: str) -> None:
    asked = site.run(
        "kubectl", "auth", "can-i", verb, *resource.split(), "-A", "--as=system:serviceaccount:dashboard:dashboard",
        environment=site.environment(),
    )  # fmt: skip
    assert asked.stdout.strip() == allowed, asked.stderr


def test_from_another_pod_there_is_no_way_around_the_password(site: Checkout) -> None:
    def address(kind: str, namespace: str, field: str) -> str:
        return site.kubectl("get", kind, "-n", namespace, "-o", f"jsonpath={{{field}}}")

    program = (
        "import socket, sys\n"
        "for place in sys.argv[1:]:\n"
        "    address, port = place.split(':')\n"
        "    with socket.socket() as tried:\n"
        "        tried.settimeout(5)\n"
        "        print(place, tried.connect_ex((address, int(port))))\n"
    )
    dns = f"{address('service/kube-dns', 'kube-system', '.spec.clusterIP')}:53"
    dashboard = f"{address('pods', 'dashboard', '.items[0].status.podIP')}:8080"
    assert not dashboard.startswith(":")
    image = [f"--image={kube_web_view.IMAGE}", "--image-pull-policy=Never", "--restart=Never"]
    try:
        site.kubectl("run", "probe", *image, "--command", "--", "python3", "-c", program, dns, dashboard)
        site.kubectl("wait", "pod/probe", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=180s")
        answer = site.kubectl("logs", "probe")
    finally:
        site.kubectl("delete", "pod", "probe", "--ignore-not-found")
    # CoreDNS answers everybody; kube-web-view listens for Caddy only, which is in the same pod.
    assert answer.splitlines() == [f"{dns} 0", f"{dashboard} {errno.ECONNREFUSED}"]


def test_a_certificate_is_renewed_in_time(undone: Checkout) -> None:
    before = fingerprint(HOST)
    state = json.loads(undone.pulumi("stack", "export").stdout)
    [leaf] = [each for each in state["deployment"]["resources"] if each["urn"].endswith("::dashboard-tls-certificate")]
    # As if it had been made nine months and some days ago: 80 of the 90 days are left in which it is made anew.
    leaf["outputs"]["validityEndTime"] = (datetime.now(UTC) + timedelta(days=80)).isoformat()
    (undone.path / "state.json").write_text(json.dumps(state))
    assert undone.pulumi("stack", "import", "--file", "state.json").returncode == 0

    assert changes(undone) == {
        "dashboard-tls-certificate": "replace",
        "dashboard-tls-secret": "update",
        "dashboard-deployment": "update",
    }
    undone.up()

    assert eventually(lambda: fingerprint(HOST) == stored(undone) != before)
    assert changes(undone) == {}


def test_pods_that_are_exchanged_lose_no_connection(site: Checkout, authority: str) -> None:
    failures: list[str] = []
    stop = threading.Event()

    def connect() -> None:
        for _ in range(5000):
            try:
                assert get(HOST, "/health", authority)[0] == 200
            except (OSError, http.client.HTTPException, AssertionError) as error:
                failures.append(repr(error))
            if stop.wait(0.05):
                return

    old = site.kubectl("get", "pods", "-n", "dashboard", "-o", "name").split()
    thread = threading.Thread(target=connect)
    thread.start()
    try:
        site.kubectl("rollout", "restart", "deployment/dashboard", "-n", "dashboard")
        site.kubectl("rollout", "status", "deployment/dashboard", "-n", "dashboard", "--timeout=180s")
        site.kubectl("wait", *old, "-n", "dashboard", "--for=delete", "--timeout=180s")
    finally:
        stop.set()
        thread.join()
    assert failures == []


def test_a_site_over_https(undone: Checkout, browser: Browser) -> None:
    undone.pulumi("config", "set", "--path", "sites[0].tls", "true")
    undone.up()
    assert undone.outputs()["site_urls"] == {"inspiration": "https://inspiration.localhost/"}
    authority = undone.outputs()["ca_certificate"]

    def served() -> bool:
        try:
            return bool(fingerprint("inspiration.localhost", trusted=authority))
        except ssl.SSLError:
            return False  # the controller hasn't read the Secret yet

    assert eventually(served)
    page = browser.new_page()
    response = page.goto("http://inspiration.localhost/")
    assert response is not None
    assert (response.status, page.url) == (200, "https://inspiration.localhost/")
    page.close()
