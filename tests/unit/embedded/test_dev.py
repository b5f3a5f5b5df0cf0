"""``script/dev``: which site, what happens at a save and at a mistake, and that nothing is left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import pytest
from rich.console import Console

from embedded import interruption
from embedded.commands import dev
from embedded.commands.dev import content, session, watching
from embedded.commands.dev.objects import CONTAINER, FILES, POD
from embedded.commands.dev.program import BuildError
from embedded.commands.dev.serving import ProgramError, Serving
from embedded.errors import Failure
from embedded.health.api import Api, ApiError, RefusedError
from tests.unit.api_servers import _run as run_server
from tests.unit.api_servers import started as started
from tests.unit.embedded.test_dev_content import folder as folder
from tests.unit.embedded.test_dev_content import unpacked, write
from tests.unit.embedded.test_dev_objects import edited

SITES = "inspiration:sites"


def configured(*sites: dict[str, Any], **ingress: Any) -> dict[str, Any]:
    return {SITES: {"objectValue": list(sites)}, "inspiration:ingress": {"objectValue": ingress}}


# Which site


def test_the_folder_is_that_of_the_configuration() -> None:
    config = configured({"name": "blog", "source": "blog/public"}, {"name": "shop"})
    assert dev.source_of("blog", config) == "blog/public"
    assert dev.source_of("shop", config) == "site"
    assert dev.source_of("inspiration", {}) == "site"


def test_a_ready_image_is_refused() -> None:
    with pytest.raises(Failure) as refused:
        dev.source_of("blog", configured({"name": "blog", "image": "nginx@sha256:1"}))
    assert refused.value.cause == "blog has a ready image and no folder, so there is nothing to edit"
    assert refused.value.fix == "name a site with a folder"


@pytest.mark.parametrize(
    ("sites", "cause", "fix"),
    [
        (("blog", "shop"), "the stack dev has several sites", "name one of blog, shop"),
        (("ready",), "the stack dev has no site with a folder", "add one, and deploy it"),
        ((), "the stack dev has no site with a folder", "add one, and deploy it"),
    ],
)
def test_which_site_is_asked_for_unless_there_is_one(sites: tuple[str, ...], cause: str, fix: str) -> None:
    config = configured({"name": "blog"}, {"name": "ready", "image": "nginx@sha256:1"}, {"name": "shop"})
    with pytest.raises(Failure) as refused:
        dev._only(dict.fromkeys(sites, ""), config, None)
    assert (refused.value.cause, refused.value.fix) == (cause, fix)
    assert dev._only({"blog": "", "ready": ""}, config, None) == "blog"


def test_a_site_that_is_gone_is_refused() -> None:
    class Empty:
        def get(self, *_: object) -> None:
            return None

    with pytest.raises(Failure) as refused:
        dev.found(cast(Api, Empty()), "blog", "blog", pages=True, routed=False)
    assert str(refused.value) == "blog isn't in the cluster any more; `pulumi up --refresh` makes it again"


@pytest.mark.parametrize(
    ("ingress", "url"), [({}, "http://dev.blog.localhost/news"), ({"httpPort": 8080}, "http://dev.blog.localhost:8080/news")]
)  # fmt: skip
def test_where_it_is(ingress: dict[str, Any], url: str) -> None:
    assert dev.url_of(edited(), configured({"name": "blog"}, **ingress)) == url


class Controller(BaseHTTPRequestHandler):
    """Knows the host when it is asked for the third time."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers["Host"] + self.path)
        self.send_response(404 if len(self.asked) < 3 else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_url_is_shown_once_the_controller_knows_it(started: list[ThreadingHTTPServer]) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Controller)
    run_server(server, started)
    session.await_route(f"http://dev.blog.localhost:{server.server_port}/news", "127.0.0.1")
    assert Controller.asked == [f"dev.blog.localhost:{server.server_port}/.dev/state.json"] * 3


def test_it_is_shown_also_where_there_is_no_way_to_the_controller() -> None:
    session.await_route("http://dev.blog.localhost:1/", "127.0.0.1")


# A session


class Pod:
    """In place of `Serving`: what the pod has been given, and what tabs are told."""

    def __init__(self, *, pages: bool = True) -> None:
        self.edited = edited(pages=pages)
        self.did: list[str] = []
        self.files: dict[str, str] = {}
        self.image, self.error, self.versions = "", "", 0
        self.there = self.deployed = True
        self.broken: ProgramError | None = None

    def open(self, image: str) -> None:
        self.did.append("open")
        self.image, self.files, self.there = image, {}, True

    def close(self) -> None:
        self.did.append("close")

    def put(self, archive: IO[bytes], gone: list[str]) -> None:
        if not self.there:
            raise ApiError("the pod is gone; see that it runs")
        for name in gone:
            del self.files[f"srv/plain/{name}"]
        self.files |= unpacked(archive)

    def configure(self) -> None:
        self.did.append("configure")

    def say(self, error: str = "", *, anew: bool = False) -> None:
        self.error = error
        self.versions += anew

    def replace(self, image: str) -> None:
        self.image = image
        self.await_program()

    def await_program(self) -> None:
        if self.broken:
            raise self.broken

    def await_server(self) -> None:
        self.did.append("await")

    def is_there(self) -> bool:
        return self.there

    def is_deployed(self) -> bool:
        return self.deployed


class Builder:
    """In place of `Program`."""

    def __init__(self) -> None:
        self.builds: list[str | BuildError] = []
        self.untagged = False

    def build(self, _: object) -> str:
        done = self.builds.pop(0)
        if isinstance(done, BuildError):
            raise done
        return done

    def untag(self) -> None:
        self.untagged = True


class Shown:
    """A session with what it prints."""

    def __init__(self, pod: Pod) -> None:
        self.pod, self.output = pod, StringIO()
        console = Console(file=self.output, soft_wrap=True, highlight=False)
        self.session = session.Session(cast(Serving, pod), "site", console)

    @property
    def lines(self) -> list[str]:
        return [re.sub(r"^\d\d:\d\d:\d\d|\d+\.\d\d s$", "…", line) for line in self.output.getvalue().splitlines()]


@pytest.fixture
def shown(folder: Path) -> Shown:
    shown = Shown(Pod())
    shown.session.begin()
    return shown


def test_what_is_saved_is_served_and_tabs_reload(shown: Shown) -> None:
    assert shown.pod.did == ["open", "await"]
    assert shown.pod.image == "r.example:5000/blog@sha256:1"
    assert shown.pod.versions == 1
    for number in range(5):
        write(f"page{number}.html", "")
    shown.session.save()
    assert shown.pod.versions == 2
    assert "srv/plain/page4.html" in shown.pod.files
    Path("site/page4.html").unlink()
    shown.session.save()
    assert "srv/plain/page4.html" not in shown.pod.files
    assert shown.lines == ["…  page0.html, page1.html, page2.html and 2 more  …", "…  page4.html  …"]
    # Nothing new is nothing to tell.
    shown.session.save()
    assert shown.pod.versions == 3
    assert "configure" not in shown.pod.did


def test_a_mistake_is_shown_until_it_is_mended(shown: Shown) -> None:
    write("_redirects", "/old\n")
    shown.session.save()
    mistake = "site/_redirects:1: 1 words; allowed: path, where to, and perhaps a status, as in /old /new 301"
    assert (shown.pod.error, shown.pod.versions) == (mistake, 1)
    write("index.html", "<p>two")
    shown.session.save()
    assert "<p>one" in shown.pod.files["srv/plain/index.html"]
    write("_redirects", "/old / 301\n")
    shown.session.save()
    assert (shown.pod.error, shown.pod.versions, shown.pod.did[-1]) == ("", 2, "configure")
    assert "<p>two" in shown.pod.files["srv/plain/index.html"]
    assert shown.lines == [f"…  {mistake}", f"…  {mistake}", "…  _redirects  …"]


def test_a_mistake_that_is_taken_back_is_mended(shown: Shown) -> None:
    write("_redirects", "/old\n")
    shown.session.save()
    Path("site/_redirects").unlink()
    shown.session.save()
    assert (shown.pod.error, shown.pod.versions) == ("", 1)
    assert shown.lines[-1] == "…  _redirects  …"


def test_a_folder_that_cant_be_served_is_refused_before_anything_is_made(folder: Path) -> None:
    write("_redirects", "/old\n")
    shown = Shown(Pod())
    with pytest.raises(Failure) as refused:
        shown.session.begin()
    assert refused.value.cause == "site/_redirects:1: 1 words"
    assert shown.pod.did == []


def test_a_pod_that_is_gone_is_made_again_with_all_of_it(shown: Shown) -> None:
    before = dict(shown.pod.files)
    shown.pod.there = False
    write("new.html", "")
    shown.session.save()
    assert shown.pod.did[2:] == ["open", "await"]
    assert set(shown.pod.files) == {*before, "srv/plain/new.html"}
    assert "…  the pod is gone; making another one" in shown.lines


def test_a_site_that_is_gone_ends_it(shown: Shown) -> None:
    shown.pod.there = shown.pod.deployed = False
    write("new.html", "")
    with pytest.raises(Failure, match="blog was removed from the cluster, or replaced; run script/dev again"):
        shown.session.save()


def test_a_folder_that_gets_a_dockerfile_ends_it(shown: Shown) -> None:
    write("Dockerfile", "FROM scratch\n")
    with pytest.raises(Failure, match="site has got or lost its Dockerfile; run `pulumi up`, then script/dev again"):
        shown.session.save()


def test_an_api_server_that_refuses_it_ends_it(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ApiError("no; grant that permission")

    monkeypatch.setattr(shown.pod, "put", refuse)
    write("new.html", "")
    with pytest.raises(ApiError, match="no; grant that permission"):
        shown.session.save()


# A session of a program


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    builder = Builder()

    def make(source: str, repository: str) -> Builder:
        assert (source, repository) == ("site", "r.example:5000/blog")
        return builder

    monkeypatch.setattr(session, "Program", make)
    return builder


def program(builder: Builder, first: str | BuildError) -> Shown:
    write("Dockerfile", "FROM scratch\n")
    builder.builds = [first]
    shown = Shown(Pod(pages=False))
    shown.session.begin()
    return shown


def test_a_program_is_built_and_replaced(folder: Path, builder: Builder) -> None:
    shown = program(builder, "blog@sha256:2")
    assert shown.pod.image == "blog@sha256:2"
    assert "srv/dev/nginx.conf" in shown.pod.files
    versions = shown.pod.versions
    builder.builds = ["blog@sha256:3"]
    write("main.py", "")
    shown.session.save()
    assert (shown.pod.image, shown.pod.versions) == ("blog@sha256:3", versions + 1)
    assert shown.lines == ["…  main.py  …"]
    shown.session.end()
    assert builder.untagged
    assert shown.pod.did[-1] == "close"


def test_a_build_that_fails_is_shown_and_the_program_before_goes_on(folder: Path, builder: Builder) -> None:
    shown = program(builder, "blog@sha256:2")
    builder.builds = [BuildError("step 3 failed\n  no such file"), "blog@sha256:2"]
    write("main.py", "")
    shown.session.save()
    assert (shown.pod.image, shown.pod.error) == ("blog@sha256:2", "step 3 failed\n  no such file")
    assert shown.lines == ["…  step 3 failed", "  no such file"]
    write("main.py", "pass")
    shown.session.save()
    assert shown.pod.error == ""


def test_a_program_that_ends_is_shown(folder: Path, builder: Builder) -> None:
    shown = program(builder, "blog@sha256:2")
    builder.builds = ["blog@sha256:3"]
    shown.pod.broken = ProgramError("the program has ended\nboom")
    write("main.py", "")
    shown.session.save()
    assert shown.pod.error == "the program has ended\nboom"


def test_without_a_first_build_what_is_deployed_is_served(folder: Path, builder: Builder) -> None:
    shown = program(builder, BuildError("step 1 failed"))
    assert (shown.pod.image, shown.pod.error) == ("r.example:5000/blog@sha256:1", "step 1 failed")


# How it ends


def test_however_it_ends_nothing_is_left(shown: Shown) -> None:
    with pytest.raises(KeyboardInterrupt), dev._ended(shown.session):
        raise KeyboardInterrupt
    assert shown.pod.did[-1] == "close"


def test_what_couldnt_be_taken_away_is_told(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def refuse() -> None:
        raise ApiError("10.0.0.1 doesn't answer; start the cluster")

    monkeypatch.setattr(shown.pod, "close", refuse)
    monkeypatch.setattr(interruption, "say", said.append)
    with pytest.raises(ApiError), dev._ended(shown.session):
        raise KeyboardInterrupt
    assert said[-1] == (
        "ended, but what it has made is still in the cluster: 10.0.0.1 doesn't answer; start the cluster; "
        "or run script/dev again"
    )


# What is made in the cluster


class Cluster:
    """An API server with the objects that are made, and a pod that does as it is told."""

    def __init__(self) -> None:
        self.did: list[tuple[str, str]] = []
        self.pods: list[dict[str, Any] | None] = []
        self.answers: Callable[..., tuple[int, str]] = lambda *_: (0, "")

    def change(self, method: str, kind: Any, _: str, name: str = "", body: Any = None, **__: str) -> dict[str, Any]:
        self.did.append((method, kind.name))
        if method == "DELETE":
            raise RefusedError("not found", 404)
        return body or {}

    def get(self, kind: Any, *_: object) -> dict[str, Any] | None:
        assert kind == POD
        return self.pods.pop(0) if len(self.pods) > 1 else self.pods[0]

    def execute(self, *words: Any) -> tuple[int, str]:
        return self.answers(*words)

    def log(self, *_: object, previous: bool, lines: int) -> list[str]:
        return ["boom"] if previous else []


def pod(
    site: dict[str, Any] | None = None, container: str = "a", phase: str = "Running", **status: Any
) -> dict[str, Any]:
    return {
        "metadata": {},
        "status": {
            "phase": phase,
            "podIP": "10.1.2.3",
            "initContainerStatuses": [{"name": FILES, "state": {"running": {}}}],
            "containerStatuses": [{"name": CONTAINER, "containerID": container, "state": site or {"running": {}}}],
            **status,
        },
    }  # fmt: skip


def serving(*pods: dict[str, Any] | None, pages: bool = True) -> tuple[Serving, Cluster]:
    cluster = Cluster()
    cluster.pods = list(pods)
    return Serving(cast(Api, cluster), edited(pages=pages)), cluster


def test_what_was_left_goes_first_and_the_policy_comes_before_the_pod() -> None:
    served, cluster = serving(None, pod())
    served.open("image")
    assert cluster.did == [
        *(("DELETE", kind) for kind in ("Ingress", "Service", "EndpointSlice", "Pod", "NetworkPolicy")),
        *(("POST", kind) for kind in ("NetworkPolicy", "Service", "Ingress", "Pod")),
    ]
    served, cluster = serving(None, pod(), pages=False)
    served.open("image")
    assert cluster.did[-1] == ("POST", "EndpointSlice")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "it has been removed"),
        (pod(phase="Failed", message="The node was low on resource: memory."), "The node was low on resource: memory."),
        (
            pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}}, phase="Failed"),
            "ErrImagePull: not found",
        ),
        (
            pod(phase="Failed", conditions=[{"message": "0/1 nodes are available: Insufficient cpu."}]),
            "0/1 nodes are available: Insufficient cpu.",
        ),
        (pod(phase="Failed"), "it doesn't say why"),
    ],
)
def test_a_pod_that_doesnt_run_says_why(found: dict[str, Any] | None, why: str) -> None:
    served, _ = serving(found)
    with pytest.raises(Failure) as refused:
        served.start("image")
    assert str(refused.value) == f"the pod blog/blog-dev doesn't run: {why}; put that right first"


def test_a_program_is_waited_for_by_its_new_container() -> None:
    crashed = {"waiting": {"reason": "CrashLoopBackOff"}}
    served, cluster = serving(pod(crashed), pod(crashed), pod(container="b"), pages=False)
    asked = []

    def answer(*words: Any) -> tuple[int, str]:
        asked.append(words[2:4])
        return 0, ""

    cluster.answers = answer
    served.replace("blog@sha256:2")
    assert cluster.did == [("PATCH", "Pod")]
    [(container, command)] = asked
    assert (container, command[-2:]) == (FILES, ("8080", "/"))


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"terminated": {"exitCode": 1}}, "the program has ended\nboom"),
        ({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}, "the program has ended\nboom"),
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}},
            "the program doesn't start: ImagePullBackOff: not found",
        ),
    ],
)
def test_a_program_that_doesnt_run_says_why(state: dict[str, Any], why: str) -> None:
    served, _ = serving(pod(), pod(state, container="b"), pages=False)
    with pytest.raises(ProgramError) as refused:
        served.replace("blog@sha256:2")
    assert str(refused.value) == why


def test_files_are_written_after_what_makes_way() -> None:
    served, cluster = serving(pod())
    read: list[tuple[str, bytes]] = []

    def answer(*words: Any) -> tuple[int, str]:
        *_, (_, _, script, _, size), source = words
        read.append((script, source.read(int(size))))
        return 0, ""

    cluster.answers = answer
    served.put(content.state("1", ""), ["a", "b/c"])
    assert [script.partition(" ")[0] for script, _ in read] == ["mkdir", "head"]
    assert read[0][1] == b"a\0b/c\0"
    cluster.answers = lambda *_: (1, "No space left on device")
    with pytest.raises(ApiError) as refused:
        served.say("", anew=True)
    assert str(refused.value) == (
        "files can't be put into the pod blog-dev: No space left on device; see whether its node is full"
    )


def test_tabs_arent_told_the_same_twice() -> None:
    served, cluster = serving(pod())
    told = []

    def answer(*words: Any) -> tuple[int, str]:
        told.append(words)
        return 0, ""

    cluster.answers = answer
    for error in ("", "no", "no", ""):
        served.say(error)
    assert len(told) == 2


def test_a_configuration_that_nginx_refuses_is_told() -> None:
    served, cluster = serving(pod())
    cluster.answers = lambda *_: (1, "[emerg] unknown directive")
    with pytest.raises(ApiError, match=r"nginx refuses its configuration: .* unknown directive; put that right"):
        served.configure()


# When something is saved


def test_saves_are_told_also_after_a_generator_has_made_the_folder_again(folder: Path) -> None:
    told = watching.saves(folder)
    assert next_save(told, lambda: write("index.html", "<p>two"))

    def generate() -> None:
        Path("site/index.html").unlink()
        folder.rmdir()
        folder.mkdir()
        write("index.html", "<p>three")

    assert next_save(told, generate)
    assert next_save(told, lambda: write("index.html", "<p>four"))


def next_save(told: Iterator[bool], save: Callable[[], None]) -> bool:
    """Whether a save is told, at the latest some seconds after it; what was before is told first."""
    while next(told):
        pass
    save()
    return any(next(told) for _ in range(10))
