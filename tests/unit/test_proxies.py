"""Which proxy an API server is asked through: Go's own cases, and real proxies."""

from __future__ import annotations

import base64
import socket
from pathlib import Path
from typing import Any

import pytest

from settings import SettingsError
from settings.cluster_reader import ApiServer, read_facts
from settings.proxies import proxy_of
from tests.unit.api_servers import Authority, Proxy, kubeconfig
from tests.unit.api_servers import authority as authority
from tests.unit.api_servers import proxy as proxy
from tests.unit.api_servers import serve as serve
from tests.unit.api_servers import started as started

# From proxy_test.go of golang.org/x/net/http/httpproxy, as the next ones.
VARIABLES: list[tuple[dict[str, str], str, str | None]] = [
    ({"HTTP_PROXY": "127.0.0.1:8080"}, "http://example.com", "http://127.0.0.1:8080"),
    ({"HTTP_PROXY": "cache.corp.example.com:1234"}, "http://example.com", "http://cache.corp.example.com:1234"),
    ({"HTTP_PROXY": "localhost"}, "http://example.com", "http://localhost"),
    ({"HTTP_PROXY": "https://127.0.0.1:8080"}, "http://example.com", "https://127.0.0.1:8080"),
    ({"HTTP_PROXY": "socks5://127.0.0.1"}, "http://example.com", "socks5://127.0.0.1"),
    ({"HTTP_PROXY": "http.proxy.tld", "HTTPS_PROXY": "secure.tld"}, "http://insecure.tld/", "http://http.proxy.tld"),
    ({"HTTP_PROXY": "http.proxy.tld", "HTTPS_PROXY": "secure.tld"}, "https://secure.tld/", "http://secure.tld"),
    ({"HTTP_PROXY": "http.proxy.tld"}, "https://secure.tld/", None),
    ({"HTTP_PROXY": "http://[proxy"}, "http://example.com", None),
    ({"HTTP_PROXY": "proxy:port"}, "http://example.com", None),
    ({"ALL_PROXY": "http.proxy.tld"}, "https://secure.tld/", None),
    ({}, "http://example.com", None),
    ({"NO_PROXY": "example.com", "HTTP_PROXY": "proxy"}, "http://example.com/", None),
    ({"NO_PROXY": ".example.com", "HTTP_PROXY": "proxy"}, "http://example.com/", "http://proxy"),
    ({"NO_PROXY": "ample.com", "HTTP_PROXY": "proxy"}, "http://example.com/", "http://proxy"),
    ({"NO_PROXY": "example.com", "HTTP_PROXY": "proxy"}, "http://foo.example.com/", None),
    ({"NO_PROXY": ".foo.com", "HTTP_PROXY": "proxy"}, "http://example.com/", "http://proxy"),
    ({"NO_PROXY": ":1", "HTTP_PROXY": "proxy"}, "http://example.com/", "http://proxy"),
    ({"http_proxy": "lower", "HTTP_PROXY": "upper"}, "http://example.com", "http://upper"),
    ({"https_proxy": "lower", "no_proxy": "example.org"}, "https://example.com", "http://lower"),
    ({"https_proxy": "lower", "no_proxy": "example.com"}, "https://example.com", None),
]


@pytest.mark.parametrize(("environ", "server", "expected"), VARIABLES)
def test_variables(environ: dict[str, str], server: str, expected: str | None) -> None:
    assert proxy_of(server, environ) == expected


NO_PROXY = (
    "foobar.com, .barbaz.net, *.wildcard.io, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, 10.0.0.0/30, "
    "2001:db8::52:0:1, [2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64, example.org:80, 1.2/x"
)
HOSTS = {
    "localhost": False,
    "127.0.0.1": False,
    "127.0.0.2": False,
    "[::1]": False,
    "[::2]": True,
    "192.168.1.1": False,
    "192.168.1.2": True,
    "192.168.1.3": False,
    "192.168.1.4": True,
    "10.0.0.2": False,
    "[2001:db8::52:0:1]": False,
    "[2001:db8::52:0:2]": True,
    "[2001:db8::52:0:3]": False,
    "[2002:db8:a::123]": False,
    "[fe80::424b:c8be:1643:a1b6]": True,
    "barbaz.net": True,
    "www.barbaz.net": False,
    "foobar.com": False,
    "FooBar.com": False,
    "www.foobar.com": False,
    "foofoobar.com": True,
    "baz.com": True,
    "localhost.net": True,
    "local.localhost": True,
    "barbarbaz.net": True,
    "wildcard.io": True,
    "nested.wildcard.io": False,
    "awildcard.io": True,
    "example.org": False,
    "www.example.org": False,
}


@pytest.mark.parametrize(("host", "is_asked"), HOSTS.items())
def test_hosts_that_are_asked_directly(host: str, is_asked: bool) -> None:
    environ = {"HTTP_PROXY": "http://proxy", "NO_PROXY": NO_PROXY}
    assert proxy_of(f"http://{host}:80", environ) == ("http://proxy" if is_asked else None)
    # The port of the scheme is meant where none is given.
    assert proxy_of(f"http://{host}", environ) == proxy_of(f"http://{host}:80", environ)
    assert proxy_of(f"http://{host}:80", {**environ, "NO_PROXY": f"{NO_PROXY}, *"}) is None


@pytest.fixture
def everything_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every name and every address lead to this machine."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **more: real("127.0.0.1", *rest, **more))


SERVERS: dict[str, tuple[str, dict[str, str], bool]] = {
    "no proxy": ("api.example.com", {}, False),
    "a proxy": ("api.example.com", {"HTTPS_PROXY": "PROXY"}, True),
    "one in lower case": ("api.example.com", {"https_proxy": "PROXY"}, True),
    "one for another scheme": ("api.example.com", {"HTTP_PROXY": "PROXY"}, False),
    "a range": ("10.1.2.3", {"HTTPS_PROXY": "PROXY", "NO_PROXY": "10.0.0.0/8"}, False),
    "another range": ("11.1.2.3", {"HTTPS_PROXY": "PROXY", "NO_PROXY": "10.0.0.0/8"}, True),
    "a range in lower case": ("10.1.2.3", {"HTTPS_PROXY": "PROXY", "no_proxy": "10.0.0.0/8"}, False),
    "a host with its port": ("api.example.com", {"HTTPS_PROXY": "PROXY", "NO_PROXY": "api.example.com:PORT"}, False),
    "a host with another port": ("api.example.com", {"HTTPS_PROXY": "PROXY", "NO_PROXY": "api.example.com:1"}, True),
    "a domain": ("api.example.com", {"HTTPS_PROXY": "PROXY", "NO_PROXY": "example.com"}, False),
    "what is below a domain": ("example.com", {"HTTPS_PROXY": "PROXY", "NO_PROXY": ".example.com"}, True),
    "all": ("api.example.com", {"HTTPS_PROXY": "PROXY", "NO_PROXY": "*"}, False),
    "this machine": ("127.0.0.1", {"HTTPS_PROXY": "PROXY"}, False),
    "its name": ("localhost", {"HTTPS_PROXY": "PROXY"}, False),
}
NAMES = ("api.example.com", "example.com", "10.1.2.3", "11.1.2.3", "127.0.0.1", "localhost")


@pytest.mark.usefixtures("everything_is_here")
@pytest.mark.parametrize(("host", "environ", "is_asked"), SERVERS.values(), ids=SERVERS)
def test_a_server_over_tls(
    serve: Any, proxy: Proxy, authority: Authority, tmp_path: Path, host: str, environ: dict[str, str], is_asked: bool
) -> None:
    server = serve(authority.server(tmp_path, *NAMES))
    port = server.server_port
    environ = {name: value.replace("PROXY", proxy.url).replace("PORT", str(port)) for name, value in environ.items()}
    text = kubeconfig(f"https://{host}:{port}", {"token": "t0ken"}, **trusted(authority))
    read_facts(ApiServer(text, None, environ))
    assert server.values("Authorization") == {("Bearer t0ken",)}
    assert {address for address, _ in proxy.asked} == ({f"{host}:{port}"} if is_asked else set())


@pytest.mark.usefixtures("everything_is_here")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_a_server_without_tls(serve: Any, proxy: Proxy, variable: str) -> None:
    server = serve()
    address = f"api.example.com:{server.server_port}"
    read_facts(
        ApiServer(kubeconfig(f"http://{address}", {"as": "eve"}), None, {variable: proxy.url, "HTTPS_PROXY": "x"})
    )
    assert server.values("Impersonate-User") == {("eve",)}
    assert {asked for asked, _ in proxy.asked} == {address}


def test_that_of_the_cluster_comes_first(serve: Any, proxy: Proxy, authority: Authority, tmp_path: Path) -> None:
    server = serve(authority.server(tmp_path, "127.0.0.1"))
    text = kubeconfig(server.url, **trusted(authority), **{"proxy-url": proxy.url})
    # Even for this machine, and whatever the environment says.
    read_facts(ApiServer(text, None, {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "*"}))
    assert server.asked
    assert {address for address, _ in proxy.asked} == {f"127.0.0.1:{server.server_port}"}


def test_one_that_wants_a_password(serve: Any, proxy: Proxy, authority: Authority, tmp_path: Path) -> None:
    server = serve(authority.server(tmp_path, "127.0.0.1"))
    url = proxy.url.replace("http://", "http://me:p%40ss@")
    read_facts(ApiServer(kubeconfig(server.url, **trusted(authority), **{"proxy-url": url}), None, {}))
    assert {sent for _, sent in proxy.asked} == {f"Basic {base64.b64encode(b'me:p@ss').decode()}"}


def trusted(authority: Authority) -> dict[str, str]:
    return {"certificate-authority-data": base64.b64encode(authority.certificate.encode()).decode()}


SERVER = "https://api.example.com"
CALLED = f"inspiration:context: {SERVER}, of the current context,"


def problem(text: str, environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        read_facts(ApiServer(text, None, environ))
    [line] = caught.value.problems
    return line


def test_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        line = problem(kubeconfig(SERVER), {"HTTPS_PROXY": f"http://me:s3cret@{address}"})
    assert line == (
        f"{CALLED} through the proxy {address}, doesn't answer: Connection refused; "
        "start the cluster, or set another context"
    )


def test_one_that_is_none() -> None:
    expected = "can't be asked through its proxy, which is none of http, https, socks5; correct its URL"
    assert problem(kubeconfig(SERVER), {"HTTPS_PROXY": "ftp://s3cret@proxy"}) == f"{CALLED} {expected}"
    expected = "can't be asked through its proxy, whose URL is none; correct it"
    for url in ("http://s3cret@[proxy", "http://s3cret@:3128"):
        assert problem(kubeconfig(SERVER, **{"proxy-url": url}), {}) == f"{CALLED} {expected}"


def test_socks_needs_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("settings.cluster_reader.find_spec", lambda _: None)
    assert problem(kubeconfig(SERVER, **{"proxy-url": "socks5://127.0.0.1:1080"}), {}) == (
        f"{CALLED} through the proxy 127.0.0.1:1080, can't be asked without PySocks; "
        "pip install PySocks, or use another proxy"
    )
