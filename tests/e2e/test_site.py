"""The main job: ``script/up`` on a fresh checkout, and what people do next."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
from playwright.sync_api import Browser

from tests.checkout import Checkout
from tests.traffic import Traffic
from tests.waiting import eventually

SITE = "http://inspiration.localhost/"


def get(path: str, host: str = "inspiration.localhost") -> httpx.Response:
    """Fetch by host name without a resolver that knows ``*.localhost``."""
    return httpx.get(f"http://127.0.0.1{path}", headers={"Host": host}, timeout=10)


def declared(checkout: Checkout, namespace: str) -> dict[str, object]:
    """What every object in a namespace is, its status aside."""
    kinds = "deployment,service,ingress,networkpolicy,poddisruptionbudget"
    listed = checkout.kubectl("get", kinds, "-n", namespace, "-o", "json")
    return {
        f"{item['kind']}/{item['metadata']['name']}": (
            item["metadata"]["uid"],
            item["metadata"].get("generation"),
            item["spec"],
        )
        for item in json.loads(listed)["items"]
    }


def test_a_browser_opens_the_site_by_its_name(site: Checkout, browser: Browser, artifacts: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    failures: list[str] = []
    page.on("requestfailed", lambda request: failures.append(request.url))
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)

    response = page.goto(SITE)

    assert response is not None
    assert response.status == 200
    assert "inspiration" in page.title().lower()
    assert page.locator("h1").count() == 1
    page.screenshot(path=artifacts / "site.png", full_page=True)
    assert failures == []
    page.close()


def test_up_prints_the_url_and_leaves_git_clean(site: Checkout) -> None:
    done = site.run("script/up")
    assert done.returncode == 0, done.stderr
    assert SITE in done.stdout
    assert site.run("git", "status", "--porcelain").stdout == ""


def test_up_again_changes_nothing(site: Checkout) -> None:
    done = site.pulumi("preview", "--expect-no-changes")
    assert done.returncode == 0, done.stdout + done.stderr
    done = site.run("script/up")
    assert re.search(r"Resources:\s+(\d+) unchanged", done.stdout), done.stdout


def test_plain_pulumi_works_after_script_env(site: Checkout) -> None:
    outputs = site.outputs()
    assert outputs["site_urls"] == {"inspiration": SITE}
    assert outputs["registry"] == "localhost:32000"
    assert re.fullmatch(r"localhost:32000/inspiration@sha256:[0-9a-f]{64}", outputs["images"]["inspiration"])


def test_pods_run_the_digest_that_the_stack_says(site: Checkout) -> None:
    outputs = site.outputs()
    pods = json.loads(site.kubectl("get", "pods", "-n", "inspiration", "-o", "json"))["items"]
    images = {pod["spec"]["containers"][0]["image"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}
    assert images == {outputs["images"]["inspiration"]}


def test_an_edited_page_previews_as_image_and_deployment_only(undone: Checkout) -> None:
    page = undone.path / "site" / "index.html"
    page.write_text(page.read_text().replace("</body>", "<p>edited</p></body>"))
    before = undone.images()

    preview = undone.pulumi("preview", "--diff", "--json")

    assert preview.returncode == 0, preview.stderr
    steps = json.loads(preview.stdout)["steps"]
    changed = {step["urn"].rsplit("::", 2)[1].rsplit("$", 1)[-1]: step for step in steps if step["op"] != "same"}
    assert set(changed) == {"docker:index/image:Image", "kubernetes:apps/v1:Deployment"}
    assert changed["kubernetes:apps/v1:Deployment"]["op"] == "update"
    assert set(changed["kubernetes:apps/v1:Deployment"]["detailedDiff"]) == {
        "spec.template.spec.containers[0].image",
        # What it is built from.
        "metadata.annotations.inspiration/content",
        "metadata.annotations.inspiration/commit",
    }
    # Nothing is built in preview.
    assert undone.images() == before


def test_an_update_loses_no_request(undone: Checkout) -> None:
    old = undone.outputs()["images"]["inspiration"]
    page = undone.path / "site" / "index.html"
    page.write_text(page.read_text().replace("</body>", "<p>a new version</p></body>"))

    with Traffic("inspiration.localhost", requests_per_second=50) as traffic:
        traffic.wait_for(50)
        done = undone.pulumi("up", "--yes", "--skip-preview")
        traffic.wait_for(100)

    assert done.returncode == 0, done.stdout + done.stderr
    assert traffic.failures == []
    assert eventually(lambda: "a new version" in get("/").text)
    pods = json.loads(undone.kubectl("get", "pods", "-n", "inspiration", "-o", "json"))["items"]
    running = {pod["spec"]["containers"][0]["image"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}
    assert len(running) == 1
    assert old not in running


def test_a_second_site_leaves_the_first_alone(undone: Checkout) -> None:
    second = undone.path / "hello"
    second.mkdir()
    (second / "index.html").write_text("<!doctype html><title>hello</title><h1>Hello from a folder</h1>")
    before = declared(undone, "inspiration")
    undone.pulumi("config", "set", "--path", "sites[1].name", "hello")
    undone.pulumi("config", "set", "--path", "sites[1].source", "hello")

    done = undone.pulumi("up", "--yes", "--skip-preview")

    assert done.returncode == 0, done.stdout + done.stderr
    assert eventually(lambda: "Hello from a folder" in get("/", "hello.localhost").text)
    assert get("/").status_code == 200
    assert json.loads(undone.pulumi("stack", "output", "site_urls", "--json").stdout) == {
        "inspiration": SITE,
        "hello": "http://hello.localhost/",
    }
    assert declared(undone, "inspiration") == before


def test_what_was_changed_by_hand_is_shown_and_repaired(undone: Checkout) -> None:
    undone.kubectl("delete", "deployment", "inspiration", "-n", "inspiration", "--wait")
    patch = '{"spec":{"ports":[{"name":"http","port":80,"targetPort":9999}]}}'
    undone.kubectl("patch", "service", "inspiration", "-n", "inspiration", "--patch", patch)

    refresh = undone.pulumi("refresh", "--yes", "--skip-preview", "--diff")

    assert refresh.returncode == 0, refresh.stdout + refresh.stderr
    assert re.search(r"kubernetes:apps/v1:Deployment.*delete", refresh.stdout, re.DOTALL)
    assert "9999" in refresh.stdout

    repaired = undone.pulumi("up", "--yes", "--skip-preview")

    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    # The ingress controller hears of the new pods a moment after they are ready.
    assert eventually(lambda: get("/").status_code == 200)
    assert undone.pulumi("preview", "--refresh", "--expect-no-changes").returncode == 0
