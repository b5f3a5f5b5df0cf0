"""A folder of pages as its image serves it: a table of what is asked for and what is answered, and what isn't in it."""

import gzip
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from components.site.pages import server as pages
from tests.pages_server import PATIENCE, Answer, Server, serving
from tests.waiting import eventually

YEAR = "public, max-age=31536000, immutable"
HTML, CSS, JS = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"
LONG = "a text that is worth to be compressed, " * 20

FILES = {
    "index.html": f"the first page {LONG}",
    "about.html": f"about {LONG}",
    "404.html": f"there is no such page {LONG}",
    "docs/index.html": f"docs {LONG}",
    "both.html": "both.html",
    "both/index.html": "both/index.html",
    "my docs/index.html": "my docs",
    "c#.html": "c#",
    "100%.html": "100%",
    'it\'s "so" \\ $1 {;}.html': LONG,
    "café.html": "café",
    "page.html.html": "page.html",
    "app/index.html": f"the application {LONG}",
    "new.html": "new",
    "feed": "<feed/>",
    "style.css": f"a {{}} /* {LONG} */",
    "small.css": "a {}",
    "photo.webp": "not really",
    "data.json": f'["{LONG}"]',
    "archive.csv.gz": "not really",
    "archive.csv": LONG,
    "manifest.webmanifest": "{}",
    "program.wasm": LONG,
    "LICENSE": "anybody may",
    ".well-known/security.txt": "Contact: nobody",
    "assets/style.54bd1a53b2.css": "a {}",
    "assets/main.1a2b3c4d.js": LONG,
    "_redirects": """
        # Old addresses
        /old                 /about                            301
        /found               /about                            # as Cloudflare, and not for ever
        /other               /about?from=other#here            303
        /same                /new                              307
        /news/:year/:slug    /blog/:slug-:year                 308
        /blog/*              https://blog.example.com/:splat   301
        /out/*               /:splat                           301
        /search/:text        /find?text=:text                  302
        /app/*               /app/index.html                   200
        /files/*             /docs/:splat                      200
        /gone/*              /new.html                         404
        /about               /docs/                            302
        /new                 /about                            302!
        /private/*           /404.html                         404!
        /closed/*            /app/                             200!
    """,
    "private/report.html": "secret",
    "closed/page.html": "closed",
    "_headers": """
        # For all of them
        /*
          X-Frame-Options: DENY
          X-Text: $uri ${asked} "quoted" \\ {;} # é
        /docs/*
          X-Frame-Options: SAMEORIGIN
          Cache-Control: public, max-age=60
          Cache-Control: must-revalidate
        /app/*
          ! X-Frame-Options
          Referrer-Policy: no-referrer
        /feed
          Content-Type: application/atom+xml
    """.replace("é", "e"),
}


class Kind(NamedTuple):
    """What is answered to a kind of address."""

    status: int
    body: str = ""
    """The file that is sent."""
    kind: str = HTML
    cache: str = "no-cache"
    compressed: bool = False
    """For who takes gzip."""
    location: str | None = None


TABLE = {
    # Pages
    "/": Kind(200, "index.html", compressed=True),
    "/?page=2": Kind(200, "index.html", compressed=True),
    "/about": Kind(200, "about.html", compressed=True),
    "/docs/": Kind(200, "docs/index.html", cache="public, max-age=60, must-revalidate", compressed=True),
    "/both": Kind(200, "both.html"),
    "/both/": Kind(200, "both/index.html"),
    "/c%23": Kind(200, "c#.html"),
    "/caf%C3%A9": Kind(200, "café.html"),
    "/it's%20%22so%22%20%5C%20$1%20%7B;%7D": Kind(200, 'it\'s "so" \\ $1 {;}.html', compressed=True),
    "/page.html": Kind(200, "page.html.html"),
    # The other spellings of their addresses
    "/about.html": Kind(308, location="/about"),
    "/about.html?page=2": Kind(308, location="/about?page=2"),
    "/about/": Kind(308, location="/about"),
    "/index": Kind(308, location="/"),
    "/index.html": Kind(308, location="/"),
    "//index.html": Kind(308, location="/"),
    "/docs": Kind(308, location="/docs/"),
    "//docs?page=2": Kind(308, location="/docs/?page=2"),
    "/docs/index.html?page=2": Kind(308, location="/docs/?page=2"),
    "/my%20docs": Kind(308, location="/my%20docs/"),
    "/c%23.html": Kind(308, location="/c%23"),
    "/100%25.html?page=2": Kind(308, location="/100%25?page=2"),
    # Other files
    "/style.css": Kind(200, "style.css", CSS, compressed=True),
    "/small.css": Kind(200, "small.css", CSS),
    "/photo.webp": Kind(200, "photo.webp", "image/webp"),
    "/data.json": Kind(200, "data.json", "application/json", compressed=True),
    "/archive.csv.gz": Kind(200, "archive.csv.gz", "application/gzip"),
    "/archive.csv": Kind(200, "archive.csv", "text/csv; charset=utf-8", compressed=True),
    "/manifest.webmanifest": Kind(200, "manifest.webmanifest", "application/manifest+json"),
    "/program.wasm": Kind(200, "program.wasm", "application/wasm", compressed=True),
    "/LICENSE": Kind(200, "LICENSE", "application/octet-stream"),
    "/.well-known/security.txt": Kind(200, ".well-known/security.txt", "text/plain; charset=utf-8"),
    "/feed": Kind(200, "feed", "application/atom+xml"),
    "/assets/style.54bd1a53b2.css": Kind(200, "assets/style.54bd1a53b2.css", CSS, YEAR),
    "/assets/main.1a2b3c4d.js": Kind(200, "assets/main.1a2b3c4d.js", JS, YEAR, compressed=True),
    # What is led elsewhere
    "/old": Kind(301, location="/about"),
    "/old/?a=1&b": Kind(301, location="/about?a=1&b"),
    "/found": Kind(302, location="/about"),
    "/other?a=1": Kind(303, location="/about?from=other#here"),
    "/same": Kind(307, location="/new"),
    "/news/2026/caf%C3%A9?a=1": Kind(308, location="/blog/caf%C3%A9-2026?a=1"),
    "/blog/a/b?c": Kind(301, location="https://blog.example.com/a/b?c"),
    "/blog": Kind(301, location="https://blog.example.com/"),
    "/out//example.com/": Kind(301, location="/example.com/"),
    "/out/%5Cexample.com": Kind(301, location="/%5Cexample.com"),
    "/out/a%0D%0AX-Evil:%201": Kind(301, location="/a%0D%0AX-Evil:%201"),
    "/search/a%26b%20c": Kind(302, location="/find?text=a%26b%20c"),
    "/new": Kind(302, location="/about"),
    # What shows another file
    "/app/some/where": Kind(200, "app/index.html", compressed=True),
    "/app/main.1a2b3c4d.js": Kind(200, "app/index.html", compressed=True),
    "/files/index.html": Kind(200, "docs/index.html", compressed=True),
    "/closed/page": Kind(200, "app/index.html", compressed=True),
    # What isn't there
    "/missing": Kind(404, "404.html", cache="no-store", compressed=True),
    "/missing.html": Kind(404, "404.html", cache="no-store", compressed=True),
    "/missing/": Kind(404, "404.html", cache="no-store", compressed=True),
    "/assets": Kind(404, "404.html", cache="no-store", compressed=True),
    "/assets/": Kind(404, "404.html", cache="no-store", compressed=True),
    "/assets/style.0123456789.css": Kind(404, "404.html", cache="no-store", compressed=True),
    "/404": Kind(404, "404.html", cache="no-store", compressed=True),
    "/404.html": Kind(404, "404.html", cache="no-store", compressed=True),
    "/files/missing": Kind(404, "404.html", cache="no-store", compressed=True),
    "/gone/away": Kind(404, "new.html", cache="no-store"),
    "/private/report": Kind(404, "404.html", cache="no-store", compressed=True),
    "/%70rivate/report": Kind(404, "404.html", cache="no-store", compressed=True),
    "/out/\\example.com": Kind(404, "404.html", cache="no-store", compressed=True),
    "//example.com/index.html": Kind(404, "404.html", cache="no-store", compressed=True),
    # What isn't for visitors
    "/_redirects": Kind(404, "404.html", cache="no-store", compressed=True),
    "/_headers": Kind(404, "404.html", cache="no-store", compressed=True),
    "/.git/config": Kind(404, "404.html", cache="no-store", compressed=True),
    "/.git/": Kind(404, "404.html", cache="no-store", compressed=True),
    "/%2Egit/config": Kind(404, "404.html", cache="no-store", compressed=True),
    "//.env": Kind(404, "404.html", cache="no-store", compressed=True),
    "/assets/.leftover": Kind(404, "404.html", cache="no-store", compressed=True),
    "/.dockerignore": Kind(404, "404.html", cache="no-store", compressed=True),
    "/.rule": Kind(404, "404.html", cache="no-store", compressed=True),
    "/plain/index.html": Kind(404, "404.html", cache="no-store", compressed=True),
    "//gzip/index.html": Kind(404, "404.html", cache="no-store", compressed=True),
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write(tmp_path_factory.mktemp("pages"), {**FILES, ".dockerignore": "**/.git\n"})
    with serving(folder, tmp_path_factory.mktemp("image")) as server:
        # As if somebody mounted a folder there that has them.
        write(server.root, dict.fromkeys((".git/config", ".git/index.html", ".env", "assets/.leftover"), "secret"))
        yield server


@pytest.mark.parametrize(("address", "kind"), TABLE.items(), ids=TABLE)
def test_each_kind_of_address_is_answered_as_it_should(server: Server, address: str, kind: Kind) -> None:
    answer = server.ask(address)
    assert (answer.status, answer.headers["Location"]) == (kind.status, kind.location)
    assert answer.headers.get_all("Cache-Control") == [kind.cache]
    assert answer.headers["Content-Encoding"] is None
    assert answer.headers["Last-Modified"] is None
    assert answer.headers["Vary"] == "Accept-Encoding"
    packed = server.ask(address, Accept_Encoding="gzip, deflate, br, zstd")
    assert (packed.status, packed.headers["Cache-Control"]) == (kind.status, kind.cache)
    assert packed.headers["Content-Encoding"] == ("gzip" if kind.compressed else None)
    if kind.body:
        assert answer.body.decode() == FILES[kind.body]
        assert answer.headers.get_all("Content-Type") == [kind.kind] == packed.headers.get_all("Content-Type")
        assert (gzip.decompress(packed.body) if kind.compressed else packed.body) == answer.body
        assert re.fullmatch(r'"[0-9a-f]+-[0-9a-f]+"', answer.headers["ETag"]), "a strong one"
        assert (answer.headers["ETag"] == packed.headers["ETag"]) != kind.compressed
    if kind.status == 200:
        for each, encoding in ((answer, "identity"), (packed, "gzip")):
            again = server.ask(address, Accept_Encoding=encoding, If_None_Match=each.headers["ETag"])
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", each.headers["ETag"])
            assert again.headers["Cache-Control"] == kind.cache


@pytest.mark.skipif(not Path("/proc/sys/net/ipv6").exists(), reason="the kernel has no IPv6")
def test_it_listens_on_ipv6_too(server: Server) -> None:
    connection = server.connect("::1")
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("path", ["/../nginx.conf", "/%2e%2e/nginx.conf", "/a%00b"])
def test_what_can_be_no_address_is_refused(server: Server, path: str) -> None:
    answer = server.ask(path)
    assert (answer.status, answer.headers["Cache-Control"]) == (400, "no-store")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_404_stays_404_for_conditional_and_range_requests(server: Server) -> None:
    etag = server.ask("/missing").headers["ETag"]
    assert server.ask("/missing", If_None_Match=etag).status == 404
    assert server.ask("/missing", Range="bytes=0-9").status == 404


@pytest.mark.parametrize(
    ("accepted", "used"),
    [
        ("gzip", "gzip"),
        ("br, GZIP;q=0.5", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip; q=0", None),
        ("gzip;q=0.000, br", None),
        ("identity", None),
        ("br, zstd", None),
    ],
)
def test_compression_follows_the_browser(server: Server, accepted: str, used: str | None) -> None:
    assert server.ask("/", Accept_Encoding=accepted).headers["Content-Encoding"] == used


def test_etags_follow_the_content_and_not_the_time(tmp_path: Path) -> None:
    etags = []
    for index, (text, time) in enumerate([("one", 1), ("one", 1_700_000_000), ("two", 1)]):
        folder = write(tmp_path / f"pages-{index}", {"index.html": f"{LONG}{text}"})
        os.utime(folder / "index.html", (time, time))
        with serving(folder, tmp_path / f"image-{index}") as server:
            etags.append([server.ask("/", Accept_Encoding=each).headers["ETag"] for each in ("identity", "gzip")])
    assert etags[0] == etags[1]
    assert set(etags[0]).isdisjoint(etags[2])


def test_a_date_tells_nothing(server: Server) -> None:
    assert server.ask("/", If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT").status == 200


def test_without_a_404_page_the_error_is_short(tmp_path: Path) -> None:
    write(tmp_path / "pages", {"index.html": "hello"})
    with serving(tmp_path / "pages", tmp_path / "image") as server:
        for path in ("/missing", "//gzip/missing"):
            answer = server.ask(path, Accept_Encoding="gzip")
            assert (answer.status, answer.headers["Content-Encoding"]) == (404, None)
            assert b"<h1>404 Not Found</h1>" in answer.body


def test_a_single_page_application_answers_every_address(tmp_path: Path) -> None:
    write(tmp_path / "pages", {"index.html": "application", "a.css": "", "_redirects": "/* /index.html 200"})
    with serving(tmp_path / "pages", tmp_path / "image") as server:
        for path in ("/", "/users/5", "/users/5/", "/old.1a2b3c4d.js"):
            answer = server.ask(path)
            assert (answer.status, answer.body, answer.headers["Cache-Control"]) == (200, b"application", "no-cache")
        assert server.ask("/a.css").headers["Content-Type"] == CSS
        assert server.ask("/.env").status == 404


def test_head_is_get_without_a_body(server: Server) -> None:
    head, get = server.ask("/", "HEAD"), server.ask("/")
    assert (head.status, head.body) == (200, b"")
    assert [head.headers[name] for name in ("Content-Length", "ETag")] == [str(len(get.body)), get.headers["ETag"]]


def test_part_of_a_file_can_be_asked_for(server: Server) -> None:
    answer = server.ask("/", Range="bytes=4-8")
    assert (answer.status, answer.body, answer.headers["Cache-Control"]) == (206, b"first", "no-cache")
    etag = answer.headers["ETag"]
    assert server.ask("/", Range="bytes=4-8", If_Range=etag).status == 206
    assert server.ask("/", Range="bytes=4-8", If_Range='"other"').status == 200
    part = server.ask("/", Range="bytes=4-8", Accept_Encoding="gzip")
    assert (part.status, part.body, part.headers["Content-Encoding"], part.headers["ETag"]) == (
        206,
        b"first",
        None,
        etag,
    )
    beyond = server.ask("/", Range="bytes=100000-", Accept_Encoding="gzip")
    assert (beyond.status, beyond.headers["Content-Encoding"]) == (416, None)
    assert "no-store" in beyond.headers.get_all("Cache-Control", [])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    answer = server.ask("/", method, Accept_Encoding="gzip")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert (answer.headers["Cache-Control"], answer.headers["Content-Encoding"]) == ("no-store", None)
    assert b"<h1>405 Not Allowed</h1>" in answer.body


def headers(answer: Answer, *names: str) -> list[list[str] | None]:
    return [answer.headers.get_all(name) for name in names]


def test_headers_are_those_of_all_rules_for_a_path(server: Server) -> None:
    names = ("X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "X-Text")
    text = ['$uri ${asked} "quoted" \\ {;} # e']
    for path in ("/", "/missing", "/old", "/a%00b"):
        assert headers(server.ask(path), *names) == [["nosniff"], ["strict-origin-when-cross-origin"], ["DENY"], text]
    assert headers(server.ask("/docs/"), "X-Frame-Options") == [["DENY, SAMEORIGIN"]]
    assert headers(server.ask("/%64ocs/"), "X-Frame-Options") == [["DENY, SAMEORIGIN"]]
    assert headers(server.ask("/app/x"), *names) == [["nosniff"], ["no-referrer"], None, text]
    assert server.ask("/").headers["Server"] == "nginx", "and not in which version"


def test_healthz_is_answered_and_not_logged_unless_it_is_a_page(server: Server, tmp_path: Path) -> None:
    assert server.ask("/healthz").status == 200
    assert server.ask("/about?after=probe", User_Agent="test", Traceparent="00-1-2-01").status == 200
    requests: list[dict[str, Any]] = []
    while not requests or requests[-1]["uri"] != "/about?after=probe":
        entry = server.logged(logger="http.log.access")
        requests.append(entry["request"])
    assert (entry["status"], entry["size"]) == (200, len(FILES["about.html"]))
    assert requests[-1]["headers"] == {"User-Agent": "test", "Referer": "", "Traceparent": "00-1-2-01"}
    assert "/healthz" not in {request["uri"] for request in requests}
    write(tmp_path / "pages", {"index.html": "", "healthz.html": "a page"})
    with serving(tmp_path / "pages", tmp_path / "image") as other:
        assert other.ask("/healthz").body == b"a page"
        assert other.logged(logger="http.log.access")["request"]["uri"] == "/healthz"


def test_visitor_behind_the_ingress_controller_is_logged_by_his_own_address(server: Server) -> None:
    server.ask("/?forwarded", X_Forwarded_For="192.0.2.7")
    request: dict[str, Any] = {}
    while request.get("uri") != "/?forwarded":
        request = server.logged(logger="http.log.access")["request"]
    assert (request["remote_ip"], request["client_ip"]) == ("127.0.0.1", "192.0.2.7")


def test_request_under_way_is_finished_on_the_signal_to_stop(tmp_path: Path) -> None:
    assert "STOPSIGNAL SIGQUIT" in pages.DOCKERFILE.read_text()
    size = 64 * 2**20  # more than the socket's buffers hold, so the server is still sending when it is told to stop
    write(tmp_path / "pages", {"index.html": ""})
    with (tmp_path / "pages" / "large.bin").open("wb") as large:
        large.truncate(size)
    with serving(tmp_path / "pages", tmp_path / "image") as server:
        connection = server.connect()
        connection.request("GET", "/large.bin")
        response = connection.getresponse()
        server.process.send_signal(signal.SIGQUIT)
        assert eventually(lambda: not server.answers(), PATIENCE)
        assert len(response.read()) == size
        connection.close()


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("assets/main.1a2b3c4d.js", True),  # Docusaurus, webpack
        ("assets/images/logo-0bd4f1c3a2e5d6f7089a1b2c3d4e5f60.png", True),
        ("assets/stylesheets/main.342714a4.min.css", True),  # Material for MkDocs
        ("assets/javascripts/workers/search.7a47a382.min.js", True),
        (f"css/main.min.{'0123abcd' * 8}.css", True),  # Hugo
        (f"css/main.{'0123abcd' * 16}.css", True),
        ("_astro/page.BkZ3a1b2.css", True),
        ("_astro/photo.DarkMode_Z1abcd.webp", True),
        ("_app/immutable/chunks/x.js", True),  # SvelteKit
        ("_next/static/chunks/main.js", True),
        ("jquery-3.7.1.min.js", False),
        ("my-document.pdf", False),
        ("assets/index-Bk3f9aQ2.js", False),  # Vite's, but without its page
        ("report.20261128.pdf", False),
        ("photo-20261128a.jpg", False),
        ("photo.12345678.jpg", False),
        ("avatar-550e8400-e29b-41d4-a716-4466554400ff.png", False),
        ("decade80-decade80.css", False),
        ("my-facade.css", False),
        ("main.1a2b3c4.js", False),
        ("pages/hash.1a2b3c4d.html", False),
        ("files/hash.1a2b3c4d.pdf", False),
        ("files/hash.1A2B3C4D.js", False),
        ("main.1a2b3c4d.js.map.txt", False),
    ],
)
def test_only_a_name_with_a_hash_as_generators_make_them_is_kept_for_a_year(
    server: Server, path: str, kept: bool
) -> None:
    write(server.root, {path: "content"})
    assert eventually(lambda: server.ask(f"/{path.removesuffix('.html')}").status == 200, PATIENCE)
    answer = server.ask(f"/{path.removesuffix('.html')}")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, YEAR if kept else "no-cache")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("index-Bk3f9aQ2.js", True),
        ("index-DiWRgTda.css", True),
        ("photo--_3kZa-9.png", True),
        ("photo-DarkMode.png", False),
        ("my-document.pdf", False),
        ("my-Document.pdf", False),
        ("my-VERSION2.pdf", False),
        ("my-version2.pdf", False),
        ("index-Bk3f9aQ.js", False),
    ],
)
def test_names_of_vite_have_a_hash_where_its_page_tells(tmp_path: Path, name: str, kept: bool) -> None:
    page = '<!doctype html><script type="module" crossorigin src="/assets/index-B1k3f9aQ.js"></script>'
    write(tmp_path / "pages", {"index.html": page, f"assets/{name}": "", f"other/{name}": ""})
    with serving(tmp_path / "pages", tmp_path / "image") as server:
        assert server.ask(f"/assets/{name}").headers["Cache-Control"] == (YEAR if kept else "no-cache")
        assert server.ask(f"/other/{name}").headers["Cache-Control"] == "no-cache"


def test_files_whose_owner_alone_may_read_them_are_built(tmp_path: Path) -> None:
    write(tmp_path / "pages", {"index.html": LONG})
    shutil.copy(tmp_path / "pages" / "index.html", tmp_path / "pages" / "-e x.html")
    (tmp_path / "pages" / "-e x.html").chmod(0o600)
    with serving(tmp_path / "pages", tmp_path / "image") as server:
        assert server.ask("/-e%20x", Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"
