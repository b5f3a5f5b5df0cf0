"""The example ``examples/pages``, as its README says, on the embedded cluster and in a browser."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.checkout import Checkout
from tests.waiting import eventually

HOST = "pages.localhost"


def answer(path: str, host: str = HOST, **headers: str) -> httpx.Response:
    given = {"Host": host, "Accept-Encoding": "identity", **headers}
    return httpx.get(f"http://127.0.0.1{path}", headers=given, timeout=10, trust_env=False)


@pytest.fixture(scope="module")
def deployed(site: Checkout) -> Iterator[Checkout]:
    """The stack with the example, after the commands of its README."""
    [command] = re.findall(r"^pulumi .*$", (site.path / "examples/pages/README.md").read_text(), re.MULTILINE)
    try:
        done = site.pulumi(*shlex.split(command)[1:])
        assert done.returncode == 0, done.stderr
        preview = site.pulumi("preview", "--diff")
        assert preview.returncode == 0, preview.stdout + preview.stderr
        # Pulumi shows the first lines of a long text.
        assert "HEADERS" in preview.stdout
        assert "301 /guide/" in preview.stdout
        site.up()
        assert eventually(lambda: answer("/").status_code == 200)
        yield site
    finally:
        site.restore()


def test_a_browser_finds_each_page_and_the_way_from_an_old_one(
    deployed: Checkout, browser: Browser, artifacts: Path
) -> None:
    page = browser.new_page()
    failures: list[str] = []
    # What the next page interrupts hasn't failed.
    page.on("requestfailed", lambda each: None if each.failure == "net::ERR_ABORTED" else failures.append(each.url))
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    assert page.goto(f"http://{HOST}/")
    page.get_by_role("link", name="visit one").click()
    assert (page.url, page.title()) == (f"http://{HOST}/visit", "Visit a lighthouse")
    page.goto(f"http://{HOST}/opening-hours")
    assert page.url == f"http://{HOST}/visit"
    page.goto(f"http://{HOST}/lights/1871/isophase")
    assert (page.url, page.title()) == (f"http://{HOST}/guide/#isophase", "A guide to lights")
    page.goto(f"http://{HOST}/map/of/the/north")
    assert (page.url, page.title()) == (f"http://{HOST}/map/of/the/north", "Lighthouses")
    page.screenshot(path=artifacts / "example-pages.png")
    assert failures == []
    missing = page.goto(f"http://{HOST}/missing")
    assert missing is not None
    assert (missing.status, page.title()) == (404, "No such page")
    page.close()


def test_addresses_and_headers_are_those_of_the_files(deployed: Checkout) -> None:
    for path, location in {"/visit.html": "/visit", "/guide": "/guide/", "/manual/a?b": "/guide/a?b"}.items():
        assert answer(path).headers["Location"] == location
    first, guide, missing = answer("/"), answer("/guide/"), answer("/missing")
    assert first.headers["Cache-Control"] == "no-cache"
    assert guide.headers["Cache-Control"] == "public, max-age=3600"
    assert (missing.status_code, missing.headers["Cache-Control"]) == (404, "no-store")
    assert {each.headers["Content-Security-Policy"] for each in (first, guide, missing)} == {"default-src 'self'"}
    [style] = re.findall(r'href="(/assets/style[^"]+)"', first.text)
    assert answer(style).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for hidden in ("/_redirects", "/_headers", "/README.md", "/.dockerignore"):
        assert answer(hidden).status_code == 404


def test_compression_and_etags_come_through_the_ingress(deployed: Checkout) -> None:
    packed = answer("/guide/", **{"Accept-Encoding": "gzip"})
    plain = answer("/guide/")
    assert (packed.headers["Content-Encoding"], packed.text) == ("gzip", plain.text)
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for each, encoding in ((packed, "gzip"), (plain, "identity")):
        again = answer("/guide/", **{"Accept-Encoding": encoding, "If-None-Match": each.headers["ETag"]})
        assert (again.status_code, again.headers["ETag"]) == (304, each.headers["ETag"])


def test_the_second_host_leads_to_the_first(deployed: Checkout) -> None:
    assert eventually(lambda: answer("/visit?a=b", f"www.{HOST}").status_code == 301)
    assert answer("/visit?a=b", f"www.{HOST}").headers["Location"] == f"http://{HOST}/visit?a=b"
