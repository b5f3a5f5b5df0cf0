"""An update ends when visitors get the new release."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pulumi
import pytest

from components.ingress import IngressOptions
from components.site.options import SiteOptions
from settings import answers
from settings.answers import IN_A_ROW, await_release
from tests.servers import serving

SITE = SiteOptions(name="blog", host="blog.localhost", path="/en", image=f"a@sha256:{'0' * 64}")
OLD, NEW = (200, "old"), (200, "new")


@contextmanager
def answering(*given: tuple[int, str | None]) -> Iterator[tuple[IngressOptions, Sequence[str]]]:
    """Answer with each status and release in turn, the last one for ever; yield where, and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            status, release = given[min(len(asked), len(given) - 1)]
            asked.append(f"{self.headers['Host']}{self.path}")
            self.send_response(status)
            if release:
                self.send_header("X-Release", release)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as port:
        yield IngressOptions(http_port=port), asked


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PAUSE_SECONDS", 0.01)


def test_it_is_asked_until_the_new_release_alone_answers() -> None:
    with answering((404, None), OLD, NEW, OLD, NEW) as (ingress, asked):
        await_release("new", ingress, SITE)
    assert len(asked) == 4 + IN_A_ROW
    assert set(asked) == {f"blog.localhost:{ingress.http_port}/en"}


@pytest.mark.parametrize(
    ("answer", "said"), [(OLD, "HTTP 200 of release old"), ((503, None), "HTTP 503"), ((404, None), "HTTP 404")]
)
def test_another_answer_in_the_end_is_an_error(
    answer: tuple[int, str | None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "SECONDS", 0.3)
    with answering(answer) as (ingress, _), pytest.raises(pulumi.RunError) as raised:
        await_release("new", ingress, SITE)
    assert str(raised.value) == (
        f"blog.localhost:{ingress.http_port}/en answers {said} after 0.3 seconds, and not the new release new; see "
        "script/up --status, or set inspiration:ingress.confirm to false if another controller answers there"
    )


def test_what_says_no_release_isnt_waited_for() -> None:
    with answering((200, None)) as (ingress, asked):
        await_release("new", ingress, SITE)
    assert len(asked) == 1


def test_where_there_is_no_way_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", said.append)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    await_release("new", IngressOptions(http_port=port), SITE)
    assert said == [f"blog.localhost:{port} wasn't asked for its new release: no way to 127.0.0.1:{port}"]
