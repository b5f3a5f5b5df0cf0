"""The site deployed by default as the web server of its image serves it. What holds for all: `test_pages_server`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages_server import Server, serving

SITE = Path(__file__).resolve().parents[2] / "site"
PAGES = {f"/{page.stem}": page for page in SITE.glob("*.html")}
ADDRESSES = {"/" if path == "/index" else path: page for path, page in PAGES.items() if path != "/404"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(SITE, tmp_path_factory.mktemp("image")) as server:
        yield server


@pytest.mark.parametrize("address", ADDRESSES)
def test_page_has_a_clean_address(server: Server, address: str) -> None:
    answer = server.ask(address)
    assert (answer.status, answer.body) == (200, ADDRESSES[address].read_bytes())
    assert answer.headers["Cache-Control"] == "no-cache"


def test_what_is_not_there_gets_the_404_page(server: Server) -> None:
    answer = server.ask("/missing")
    assert (answer.status, answer.body) == (404, (SITE / "404.html").read_bytes())


@pytest.mark.parametrize("name", sorted(path.name for path in (SITE / "assets").iterdir()))
def test_asset_may_be_kept_for_a_year(server: Server, name: str) -> None:
    answer = server.ask(f"/assets/{name}")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/missing", "GET"), ("/", "POST"), ("/a%00b", "GET")])
def test_every_answer_has_the_security_headers(server: Server, path: str, method: str) -> None:
    headers = server.ask(path, method).headers
    assert headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Permissions-Policy"] == "camera=(), geolocation=(), microphone=()"


def test_nothing_but_the_pages_is_served(server: Server) -> None:
    assert {path.name for path in server.root.iterdir() if path.suffix != ".html"} == {"assets", "graph.svg"}
