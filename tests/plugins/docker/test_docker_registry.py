"""Asking a registry what it holds."""

import base64
import contextlib
import http.server
import json
from collections.abc import Callable, Iterator

import pytest

from embedded.plugins.docker.credentials import Login
from embedded.plugins.docker.image import Name
from embedded.plugins.docker.registry import UnreachableError, digest_of, is_loopback
from tests.servers import serving

DIGEST = "sha256:" + "a" * 64
Handler = type[http.server.BaseHTTPRequestHandler]


class Registry(http.server.BaseHTTPRequestHandler):
    """Holds one image, ``site:one``, for anybody."""

    def allowed(self) -> bool:
        return True

    def do_HEAD(self) -> None:
        if not self.allowed():
            self.send_response(401)
            self.challenge()
        elif self.path == "/v2/site/manifests/one":
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
        else:
            self.send_response(404)
        self.end_headers()

    def challenge(self) -> None:
        self.send_header("WWW-Authenticate", 'Basic realm="here"')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


class WithPassword(Registry):
    """The same, for those who log in."""

    def allowed(self) -> bool:
        return self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:secret").decode()


class WithToken(WithPassword):
    """The same, with a token that is given to those who log in."""

    def allowed(self) -> bool:
        return self.headers.get("Authorization") == "Bearer the-token"

    def challenge(self) -> None:
        host = self.headers["Host"]
        self.send_header(
            "WWW-Authenticate", f'Bearer realm="http://{host}/token",service="s",scope="repository:site:pull"'
        )

    def do_GET(self) -> None:
        assert self.path == "/token?service=s&scope=repository%3Asite%3Apull"
        ok = super().allowed()
        self.send_response(200 if ok else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"token": "the-token"}).encode())


class Broken(Registry):
    """A registry in trouble."""

    def do_HEAD(self) -> None:
        self.send_error(503)


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], str]]:
    """Serves a registry, and returns its host and port."""
    with contextlib.ExitStack() as stack:
        yield lambda handler: f"localhost:{stack.enter_context(serving(handler))}"


@pytest.mark.parametrize(
    ("handler", "login"),
    [(Registry, None), (WithPassword, Login("me", "secret")), (WithToken, Login("me", "secret"))],
)
def test_what_is_held_has_its_digest_and_what_is_not_has_none(
    serve: Callable[[Handler], str], handler: Handler, login: Login | None
) -> None:
    name = Name(serve(handler), "site", "one")
    assert digest_of(name, "one", login) == DIGEST
    assert digest_of(name, "two", login) is None


@pytest.mark.parametrize("handler", [WithPassword, WithToken])
@pytest.mark.parametrize("login", [None, Login("me", "wrong")])
def test_a_registry_that_wants_another_login_says_nothing(
    serve: Callable[[Handler], str], handler: Handler, login: Login | None
) -> None:
    registry = serve(handler)
    with pytest.raises(UnreachableError, match=f"registry {registry} answers 401 Unauthorized for site"):
        digest_of(Name(registry, "site", "one"), "one", login)


def test_a_registry_in_trouble_says_nothing(serve: Callable[[Handler], str]) -> None:
    registry = serve(Broken)
    with pytest.raises(UnreachableError, match="answers 503 Service Unavailable"):
        digest_of(Name(registry, "site", "one"), "one", None)


def test_a_registry_that_is_down_says_nothing() -> None:
    with pytest.raises(UnreachableError, match="registry localhost:1 does not answer: Connection refused"):
        digest_of(Name("localhost:1", "site", "one"), "one", None)


def test_a_name_that_nobody_knows_is_unreachable() -> None:
    with pytest.raises(UnreachableError, match=r"registry nowhere\.invalid:5000 does not answer: "):
        digest_of(Name("nowhere.invalid:5000", "site", "one"), "one", None)


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("localhost", True),
        ("localhost:32000", True),
        ("127.0.0.5:5000", True),
        ("[::1]:5000", True),
        ("docker.io", False),
        ("10.0.0.1:5000", False),
        ("localhost.example:5000", False),
    ],
)
def test_loopback_registries_speak_plain_http(registry: str, expected: bool) -> None:
    assert is_loopback(registry) is expected
