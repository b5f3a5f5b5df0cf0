"""The addon knative: a Knative Service scales from zero for a request, and back to zero."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from tests.checkout import Checkout
from tests.e2e.previews import changes
from tests.pages import script_with
from tests.waiting import eventually

pytestmark = pytest.mark.heavy

NAMESPACE = "scaled"
HELLO = "hello-scaled.knative.localhost"
OPTIONS = {"stableWindow": "10s", "scaleToZeroGracePeriod": "6s"}
"""Short times, so that nobody has to wait for long."""
CLUSTER_WIDE = (
    "namespaces,customresourcedefinitions,mutatingwebhookconfigurations,validatingwebhookconfigurations,"
    "clusterroles,clusterrolebindings"
)


def apply(checkout: Checkout, *manifests: dict[str, Any]) -> str:
    """What ``kubectl apply`` complains of; empty where it worked."""
    path = checkout.path / "applied.yaml"
    path.write_text(yaml.safe_dump_all(manifests))
    try:
        done = checkout.run("kubectl", "apply", "-f", str(path), environment=checkout.environment())
    finally:
        path.unlink()
    return "" if done.returncode == 0 else done.stderr


def service(name: str, **container: Any) -> dict[str, Any]:
    """A Knative Service of one container."""
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def found(checkout: Checkout, kinds: str, *options: str) -> list[str]:
    return checkout.kubectl("get", kinds, "-o", "name", *options).split()


def pods(checkout: Checkout) -> list[str]:
    return found(checkout, "pods", "-n", NAMESPACE)


def started(checkout: Checkout) -> int:
    """How many pods there have been."""
    return len(found(checkout, "events", "-n", NAMESPACE, "--field-selector", "reason=SuccessfulCreate"))


def is_ready(checkout: Checkout, name: str) -> bool:
    status = json.loads(checkout.kubectl("get", "ksvc", name, "-n", NAMESPACE, "-o", "json")).get("status", {})
    return {"Ready": "True"}.items() <= {each["type"]: each["status"] for each in status.get("conditions", [])}.items()


def visit(host: str) -> httpx.Response:
    """Ask for the page of ``host``, through the ingress controller; a pod may have to be started for it."""
    return httpx.get("http://127.0.0.1/", headers={"Host": host}, timeout=120)


def test_a_preview_shows_that_addon_only(site: Checkout) -> None:
    done = site.pulumi("config", "set", "--path", "addons.knative", "true")
    assert done.returncode == 0, done.stderr
    try:
        changed = changes(site)
    finally:
        site.run("git", "checkout", "-q", ".")
    assert {"knative", "knative-namespace", "knative-controller", "knative-services", "knative-gateway"} <= set(changed)
    assert set(changed.values()) == {"create"}
    assert [name for name in changed if name.partition("-")[0] != "knative"] == []


@pytest.fixture(scope="module")
def knative(site: Checkout) -> Iterator[Checkout]:
    """The stack with the addon, and a namespace with a Knative Service of the site's image."""
    with site.addon("knative", OPTIONS):
        hello = service("hello", image=site.outputs()["images"]["inspiration"])
        assert apply(site, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}) == ""
        # The webhook adds its certificate to its configurations as soon as it hears of them.
        assert eventually(lambda: apply(site, hello) == "", seconds=60), apply(site, hello)
        yield site
    site.kubectl("delete", "namespace", NAMESPACE)


def test_a_service_scales_from_zero_for_a_request_and_back_to_zero(knative: Checkout) -> None:
    assert eventually(lambda: is_ready(knative, "hello"), seconds=300)
    pattern = knative.outputs()["knative_url"]
    assert pattern.format(name="hello", namespace=NAMESPACE) == f"http://{HELLO}/"
    assert eventually(lambda: started(knative) > 0)
    assert eventually(lambda: pods(knative) == [], seconds=300)
    before = started(knative)

    page = visit(HELLO)
    assert page.status_code == httpx.codes.OK
    assert page.text == visit("inspiration.localhost").text
    assert eventually(lambda: started(knative) > before)
    assert eventually(lambda: pods(knative) == [], seconds=300)


def test_the_service_of_the_page_answers(knative: Checkout) -> None:
    script = script_with("docs/addons.md", "serving.knative.dev")
    done = knative.run("sh", "-euc", script, environment=knative.environment())
    assert done.returncode == 0, done.stderr
    try:
        assert eventually(lambda: visit("hello-default.knative.localhost").status_code == httpx.codes.OK, seconds=300)
    finally:
        knative.kubectl("delete", "ksvc", "hello", "-n", "default")


def test_pods_of_the_cluster_ask_it_by_its_own_name(knative: Checkout) -> None:
    ask = ["wget", "-q", "-O", "-", f"http://hello.{NAMESPACE}.svc.cluster.local/healthz"]
    spec = {"restartPolicy": "Never", "containers": [{"name": "ask", "image": "busybox:1.35.0", "command": ask}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ask", "namespace": NAMESPACE}, "spec": spec}
    assert apply(knative, pod) == ""

    def phase() -> str:
        return knative.kubectl("get", "pod", "ask", "-n", NAMESPACE, "-o", "jsonpath={.status.phase}")

    assert eventually(lambda: phase() in ("Succeeded", "Failed"), seconds=180)
    assert phase() == "Succeeded", knative.kubectl("logs", "ask", "-n", NAMESPACE)
    knative.kubectl("delete", "pod", "ask", "-n", NAMESPACE)


def test_what_is_wrong_is_refused(knative: Checkout) -> None:
    complaint = apply(knative, service("wrong", ports=[{"containerPort": 8080}]))
    assert 'admission webhook "validation.webhook.serving.knative.dev" denied the request' in complaint
    assert "missing field(s): spec.template.spec.containers[0].image" in complaint


def test_other_hosts_are_not_its(knative: Checkout) -> None:
    assert visit("nobody-scaled.knative.localhost").status_code == httpx.codes.NOT_FOUND
    assert visit("inspiration.localhost").status_code == httpx.codes.OK


@pytest.mark.parametrize("refresh", [[], ["--refresh"]], ids=["", "refreshed"])
def test_nothing_is_left_to_change(knative: Checkout, refresh: list[str]) -> None:
    done = knative.pulumi("preview", "--expect-no-changes", *refresh)
    assert done.returncode == 0, done.stdout


def test_it_is_removed_without_a_trace(knative: Checkout) -> None:
    """Though there is a Knative Service still, of which Knative has to let go."""

    def left() -> list[str]:
        return [name for name in found(knative, CLUSTER_WIDE) if "knative" in name]

    assert found(knative, "ksvc", "-n", NAMESPACE) != []
    assert {name.partition("/")[0].partition(".")[0] for name in left()} == {
        "namespace",
        "customresourcedefinition",
        "mutatingwebhookconfiguration",
        "validatingwebhookconfiguration",
        "clusterrole",
        "clusterrolebinding",
    }
    knative.switch_off("knative")
    assert left() == []
    assert "knative_url" not in knative.outputs()
    # What Knative has made for the Service is the garbage collector's to remove.
    assert eventually(lambda: found(knative, "deployments,pods,services", "-n", NAMESPACE) == [], seconds=300)
    assert visit("inspiration.localhost").status_code == httpx.codes.OK
