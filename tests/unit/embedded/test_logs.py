"""``script/logs``: which lines are printed, in which order, each once, and what is said where that can't be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from components.addons.logs import NAMESPACE, loki
from components.site.options import Job, SiteOptions
from components.site.workload import Pods, cron_job_args, deployment_args
from embedded.command_line import parsers
from embedded.commands import connection, deployment
from embedded.commands import logs as command
from embedded.errors import Failure
from embedded.health.api import WATCH_SECONDS, Api, ApiError, connect
from embedded.health.deployed import Component
from embedded.logs import loki as asked
from embedded.logs import pods as followed
from embedded.logs.lines import CONTAINER, SECOND, Line, Mark, parsed
from embedded.logs.loki import Loki
from embedded.logs.pods import OURS, Container, Following, containers, read
from tests.unit.api_servers import ApiServer, kubeconfig
from tests.unit.api_servers import serve as serve
from tests.unit.api_servers import started as started
from tests.unit.embedded.test_health import SITE, below, exported, resource
from tests.unit.embedded.test_health_api import FORBIDDEN, behind, discovered, server_pod

NOW = 1_795_906_000 * SECOND
"""2026-11-28T22:46:40Z."""
PODS = "/api/v1/namespaces/blog/pods"
KINDS = {"/api/v1": discovered(("Pod", "pods", True), ("Service", "services", True))}
LOGS = resource("inspiration:index:Logs", "logs", outputs={"url": loki.url(loki.NAME, NAMESPACE)})
SHOP = resource("inspiration:index:Site", "shop")
COLLECTED = (LOGS, below(LOGS, "kubernetes:core/v1:Service", "logs/loki"))
DEPLOYED = (SITE, below(SITE, "kubernetes:core/v1:Namespace", "blog"))


def query(**parameters: str) -> str:
    return urlencode(parameters, safe="/", quote_via=quote)


SELECTED = query(labelSelector=OURS)


def line(second: int, text: str, pod: str = "web-1", part: int = 0) -> Line:
    return Line(NOW + second * SECOND + part, pod, text.encode())


def raw(*lines: Line) -> str:
    """What the API gives of a log."""
    return "".join(f"2026-11-28T22:{_clock(each.time)}Z {each.text.decode()}\n" for each in lines)


def _clock(time: int) -> str:
    seconds, part = divmod(time - NOW, SECOND)
    minute, second = divmod(40 + seconds, 60)
    return f"{46 + minute}:{second:02d}.{part:09d}"


def pod(name: str, *, current: str = "", previous: str = "", phase: str = "Running", **state: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"name": CONTAINER, "containerID": current, "state": state or {"running": {}}}
    if previous:
        status["lastState"] = {"terminated": {"containerID": previous}}
    return {
        "metadata": {"namespace": "blog", "name": name, "uid": f"uid-{name}"},
        "status": {"phase": phase, "containerStatuses": [status, {"name": "sidecar", "state": {"running": {}}}]},
    }


def log(name: str, since: str = "2026-11-28T22:45:40Z", **options: str) -> str:
    """Path of the log of a pod; by default from a minute before now on."""
    asked_for = query(container=CONTAINER, timestamps="true", sinceTime=since, **options)
    return f"{PODS}/{name}/log?{asked_for}"


def watch(*there: dict[str, Any], kind: str = "ADDED") -> dict[str, tuple[int, str]]:
    path = f"{PODS}?watch=true&timeoutSeconds={WATCH_SECONDS}&{SELECTED}"
    return {path: (200, "".join(f"{json.dumps({'type': kind, 'object': each})}\n" for each in there))}


def listed(*there: dict[str, Any]) -> dict[str, tuple[int, Any]]:
    one = {f"{PODS}/{each['metadata']['name']}": (200, each) for each in there}
    return {f"{PODS}?{SELECTED}": (200, {"items": list(there)}), **one}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"2026-11-28T22:46:40.000000001Z a  b \n", Line(NOW + 1, "web", b"a  b ")),
        (b"2026-11-28T23:46:40.5+01:00 \x1b[31mred\xff", Line(NOW + SECOND // 2, "web", b"\x1b[31mred\xff")),
        (b"2026-11-28T22:46:40Z\n", Line(NOW, "web", b"")),
        (b"2026-11-28T22:46:40Z \r\n", Line(NOW, "web", b"\r")),
        (b"unable to retrieve container logs for containerd://1", None),
        (b"", None),
    ],
)
def test_a_line_as_the_api_gives_it(given: bytes, expected: Line | None) -> None:
    found = parsed("web", given)
    assert found == expected
    assert found is None or expected is None or found.text == expected.text


def test_what_has_been_read_is_not_read_again() -> None:
    mark, twice = Mark(NOW), [line(1, "b"), line(1, "c")]
    assert [each.text for each in mark.unread([line(-1, "old"), line(0, "a"), *twice])] == [b"a", b"b", b"c"]
    assert [each.text for each in mark.unread([*twice, line(1, "d"), line(2, "e")])] == [b"d", b"e"]
    # Of a clock that was put back meanwhile, nothing is lost.
    assert [each.text for each in mark.unread([line(2, "e"), line(3, "f"), line(0, "g")])] == [b"f", b"g"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"current": "2"}, [Container("2")]),
        ({"current": "2", "previous": "1"}, [Container("1", True, True), Container("2")]),
        ({"current": "2", "terminated": {"exitCode": 1}}, [Container("2", has_ended=True)]),
        ({"current": "1", "previous": "1", "waiting": {"reason": "CrashLoopBackOff"}}, [Container("1", True, True)]),
        ({"waiting": {"reason": "ErrImagePull"}}, []),
    ],
)
def test_the_containers_that_have_a_log(status: dict[str, Any], expected: list[Container]) -> None:
    assert containers(pod("web-1", **status)) == expected
    assert containers({"metadata": {"namespace": "blog", "name": "new", "uid": "1"}, "status": {}}) == []


def test_pods_of_a_site_and_of_its_jobs_are_ours() -> None:
    image, nightly = f"blog@sha256:{'0' * 64}", Job(name="nightly", schedule="0 4 * * *", command=["true"])
    pods, options = Pods("blog", "blog", "blog", image), SiteOptions(name="blog", host="blog.localhost", image=image)
    job = cron_job_args(pods, options, nightly)["spec"]["jobTemplate"]
    key, _, value = OURS.partition("=")
    for template in (made["spec"]["template"] for made in (deployment_args(pods, options), job)):
        assert template["metadata"]["labels"][key] == value
        assert [each["name"] for each in template["spec"]["containers"]] == [CONTAINER]


class Kept(Api):
    """An API server behind which Loki has some lines, of which it returns three at most."""

    def __init__(self, *lines: Line, fails_after: int = 1000) -> None:
        self._lines, self._left = lines, fails_after
        self.asked: list[tuple[int, int]] = []

    def ask_service(self, namespace: str, service: str, port: int, path: str, **query: str) -> dict[str, Any]:
        assert (namespace, service, port, path) == (NAMESPACE, loki.NAME, loki.PORT, "/loki/api/v1/query_range")
        assert query["query"] == '{k8s_namespace_name="blog", k8s_container_name="site"}'
        assert (query["direction"], query["limit"]) == ("forward", "3")
        if not self._left:
            raise ApiError("gone; start it")
        self._left -= 1
        start, end = int(query["start"]), int(query["end"])
        self.asked.append((start, end))
        found = sorted(each for each in self._lines if start <= each.time < end)[:3]
        return {"data": {"result": [
            {"stream": {"k8s_pod_name": each.pod}, "values": [[str(each.time), each.text.decode()]]} for each in found
        ]}}  # fmt: skip


ADDON = Component("logs", type="Logs", outputs=LOGS["outputs"])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "PAGE", 3)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "kept",
    [
        [],
        [line(second, f"{second}") for second in range(3)],
        [line(second, f"{second}", part=part) for second in range(4) for part in range(second)],
        [*(line(0, "a", part=part) for part in range(2)), *(line(1, name, name) for name in "bc"), line(1, "d")],
    ],
)
def test_all_that_loki_has_is_asked_for_page_by_page(kept: list[Line]) -> None:
    found = list(Loki(Kept(*kept), ADDON).lines("blog", NOW, NOW + 9 * SECOND))
    assert [(each.time, each.pod, each.text) for each in found] == [(each.time, each.pod, each.text) for each in kept]


@pytest.mark.usefixtures("small")
def test_more_of_one_time_than_loki_returns_is_no_endless_loop() -> None:
    many = [line(0, f"{number}") for number in range(4)]
    found = [each.text for each in Loki(Kept(*many, line(1, "next")), ADDON).lines("blog", NOW, NOW + 2 * SECOND)]
    assert found == [b"0", b"1", b"2", b"next"]


@pytest.mark.usefixtures("small")
def test_loki_is_asked_about_no_more_time_than_it_answers_for() -> None:
    cluster, day = Kept(), 24 * 3600 * SECOND
    assert list(Loki(cluster, ADDON).lines("blog", NOW - 70 * day, NOW)) == []
    borders = [NOW - 70 * day, NOW - 40 * day, NOW - 10 * day, NOW]
    assert cluster.asked == list(pairwise(borders))


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, serve: Any) -> Callable[..., ApiServer]:
    """Print the logs of the last minute of the site *blog* of the stack *mine*, on a cluster with some answers."""
    monkeypatch.setattr(command, "time", SimpleNamespace(time_ns=lambda: NOW))

    def show(answers: dict[str, Any], *deployed: Any, site: str = "blog", **options: Any) -> ApiServer:
        server: ApiServer = serve(answers=KINDS | answers)
        printed = {
            "stack": {"deployment": exported(*(deployed or DEPLOYED))},
            "config": {"inspiration:kubeconfig": {"value": kubeconfig(server.url)}},
        }
        monkeypatch.setattr(deployment, "pulumi", lambda command, *_: printed[command])
        options = {"stack": "mine", "since": timedelta(minutes=1), "tail": None, "follow": False, **options}
        assert command.show(site, **options) == 0
        return server

    return show


TWO = {
    **listed(pod("web-1", current="1"), pod("web-2", current="4", previous="3")),
    log("web-1"): (200, raw(line(-50, "a"), line(-30, "d"), line(-10, "e"))),
    log("web-2", previous="true"): (200, raw(line(-61, "too old"), line(-40, "b"))),
    # From the last line on that has been read.
    log("web-2", "2026-11-28T22:46:00Z"): (200, raw(line(-35, "c"), line(-5, "f"))),
}


def test_the_lines_of_all_pods_are_merged(show: Any, capfd: pytest.CaptureFixture[str]) -> None:
    show(TWO)
    assert capfd.readouterr() == ("web-1 a\nweb-2 b\nweb-2 c\nweb-1 d\nweb-1 e\nweb-2 f\n", "")


@pytest.mark.parametrize(("tail", "printed"), [(2, "web-1 e\nweb-2 f\n"), (0, "")])
def test_the_last_lines(tail: int, printed: str, show: Any, capfd: pytest.CaptureFixture[str]) -> None:
    show(TWO, tail=tail)
    assert capfd.readouterr().out == printed


def of_loki(*lines: Line) -> dict[str, Any]:
    pod = server_pod("loki-0", loki.PORT)
    forwarded = f"/api/v1/namespaces/{NAMESPACE}/pods/loki-0/portforward?ports={loki.PORT}"
    asked_for = query(
        query='{k8s_namespace_name="blog", k8s_container_name="site"}',
        start=str(NOW - 60 * SECOND),
        end=str(NOW),
        limit=str(asked.PAGE),
        direction="forward",
    )
    streams = [
        {"stream": {"k8s_pod_name": each.pod}, "values": [[str(each.time), each.text.decode()]]} for each in lines
    ]
    return {
        f"{forwarded}/loki/api/v1/query_range?{asked_for}": (200, {"data": {"result": streams}}),
        **behind(NAMESPACE, loki.NAME, loki.PORT, "http", pod),
    }


def test_loki_adds_what_the_nodes_have_not(show: Any, capfd: pytest.CaptureFixture[str]) -> None:
    rotated, again = line(-55, "rotated"), line(-30, "d")
    gone = [line(-58, "of a pod that is gone", "web-0"), line(-7, "its last words", "web-0")]
    show(TWO | of_loki(rotated, again, *gone), *DEPLOYED, *COLLECTED)
    assert capfd.readouterr() == (
        "web-0 of a pod that is gone\nweb-1 rotated\nweb-1 a\nweb-2 b\nweb-2 c\nweb-1 d\nweb-1 e\n"
        "web-0 its last words\nweb-2 f\n",
        "",
    )


def test_without_loki_the_pods_that_are_there_speak(show: Any, capfd: pytest.CaptureFixture[str]) -> None:
    path, *_ = found = of_loki()
    show(TWO | found | {path: (503, {"message": "too busy"})}, *DEPLOYED, *COLLECTED, tail=1)
    assert capfd.readouterr() == (
        "web-2 f\n",
        "note: lines of pods that are gone are missing: the Service logs/loki answered HTTP 503 (too busy); "
        "see whether its pods run\n",
    )
    service = f"/api/v1/namespaces/{NAMESPACE}/services/{loki.NAME}"
    refused = {service: (403, {"message": f"services is forbidden: {FORBIDDEN}"})}
    show(TWO | found | refused, *DEPLOYED, *COLLECTED, tail=1)
    assert capfd.readouterr().err == (
        f"note: lines of pods that are gone are missing: {FORBIDDEN}; grant that permission, or use another user\n"
    )


def test_a_pod_that_can_not_be_read_leaves_the_others(show: Any, capfd: pytest.CaptureFixture[str]) -> None:
    show(TWO | {log("web-1"): (500, {"message": "its node is gone"})}, tail=1)
    printed, said = capfd.readouterr()
    assert printed == "web-2 f\n"
    assert said.startswith("note: lines are missing: inspiration:context: http://127.0.0.1:")
    assert "HTTP 500 to GET /api/v1/namespaces/blog/pods/web-1/log (its node is gone)" in said


def test_a_silent_site_is_told_of(show: Any, capfd: pytest.CaptureFixture[str]) -> None:
    # One that hasn't started, and one whose log is gone from its node.
    show({**listed(pod("web-1", current="1"), pod("web-2", current="2")), log("web-1"): (400, {})})
    assert capfd.readouterr() == (
        "",
        "note: blog has written nothing in this time; --since 7d looks further back, script/up --status --stack mine "
        "tells how it is\n",
    )


def test_names_have_colours_on_a_terminal(
    show: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    show(TWO, tail=2)
    assert capfd.readouterr().out == "\x1b[36mweb-1\x1b[0m e\n\x1b[32mweb-2\x1b[0m f\n"
    monkeypatch.setenv("NO_COLOR", "1")
    show(TWO, tail=1)
    assert capfd.readouterr().out == "web-2 f\n"


@pytest.fixture
def follow(serve: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Iterator[list[Line]]]]:
    monkeypatch.setattr(followed, "RETRY_SECONDS", 0.01)
    begun: list[Any] = []

    def follow(server: ApiServer) -> Iterator[list[Line]]:
        api, start = connect("inspiration", kubeconfig(server.url)), NOW - 60 * SECOND
        logs, errors = read(api, "blog", start)
        assert not errors
        begun.append(Following(api, "blog", start, logs).lines())
        lines: Iterator[list[Line]] = begun[-1]
        return lines

    yield follow
    for lines in begun:
        lines.close()


def heard(lines: Iterator[list[Line]], count: int) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    while len(found) < count:
        found += [(each.pod, each.text) for each in next(lines)]
    return found


def test_following_goes_on_where_reading_ended(follow: Any, serve: Any) -> None:
    one, new = pod("web-1", current="1"), pod("job-1", current="2", terminated={}, phase="Succeeded")
    server = serve(answers=KINDS | listed(one) | {log("web-1"): (200, raw(line(-20, "a"), line(-10, "b")))})
    lines = follow(server)
    # The next time, the first second of what is asked for has been read; and another pod has come, and has gone.
    server.answers |= watch(one, new) | {
        f"{PODS}/job-1": (200, new),
        log("web-1", "2026-11-28T22:46:30Z", follow="true"): (200, raw(line(-10, "b"), line(-10, "c", part=1))),
        log("job-1"): (200, raw(line(-15, "done"))),
    }
    assert sorted(heard(lines, 2)) == [("job-1", b"done"), ("web-1", b"c")]


def test_a_container_that_starts_again_is_followed(follow: Any, serve: Any) -> None:
    server = serve(answers=KINDS | listed(before := pod("web-1", current="1")) | {log("web-1"): (200, "")})
    lines = follow(server)
    server.answers |= watch(before) | {log("web-1", follow="true"): (200, raw(line(-9, "a"), line(-8, "b")))}
    assert heard(lines, 2) == [("web-1", b"a"), ("web-1", b"b")]
    after = pod("web-1", current="2", previous="1")
    since = "2026-11-28T22:46:32Z"
    server.answers |= {
        log("web-1", since, previous="true"): (200, raw(line(-8, "b"), line(-7, "it ends"))),
        log("web-1", "2026-11-28T22:46:33Z", follow="true"): (200, raw(line(-6, "it starts"))),
        log("web-1", "2026-11-28T22:46:34Z", follow="true"): (200, raw(line(-6, "it starts"))),
        f"{PODS}/web-1": (200, after),
    }
    assert heard(lines, 2) == [("web-1", b"it ends"), ("web-1", b"it starts")]


def test_who_may_not_see_changes_is_told_at_once(show: Any, capfd: pytest.CaptureFixture[str]) -> None:
    [path] = watch()
    with pytest.raises(Failure) as caught:
        show(TWO | {path: (403, {"message": f"pods is forbidden: {FORBIDDEN}"})}, follow=True)
    assert str(caught.value) == f"{FORBIDDEN}; grant that permission, or use another user"
    assert capfd.readouterr().out.endswith("web-2 f\n")


def test_an_api_server_that_stops_answering_is_asked_again_for_a_while(
    follow: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "PATIENCE", 3)
    one = pod("web-1", current="1")
    server = serve(answers=KINDS | listed(one) | {log("web-1"): (200, "")})
    lines = follow(server)
    server.answers |= watch(one) | {log("web-1", follow="true"): (200, raw(line(-9, "a")))}
    assert heard(lines, 1) == [("web-1", b"a")]
    [path], before = watch(), len(server.asked)
    server.answers |= {path: (500, {"message": "starting"})}
    with pytest.raises(ApiError, match=r"answered HTTP 500 to GET .*/pods \(starting\)"):
        heard(lines, 1)
    assert [each.path for each in server.asked[before:]].count(path) >= 4


@pytest.mark.parametrize(
    ("answers", "deployed", "site", "said"),
    [
        (
            {},
            [*DEPLOYED, SHOP, below(SHOP, "kubernetes:core/v1:Namespace", "shop")],
            "bolg",
            "the stack mine has no site bolg; name one of blog, shop",
        ),
        ({}, COLLECTED, "blog", "the stack mine has no site; pulumi up deploys its sites"),
        (
            {f"{PODS}?{SELECTED}": (403, {"message": f"pods is forbidden: {FORBIDDEN}"})},
            DEPLOYED,
            "blog",
            f"{FORBIDDEN}; grant that permission, or use another user",
        ),
        (
            listed(pod("web-1", current="1")) | {log("web-1"): (403, {"message": f"x is forbidden: {FORBIDDEN}"})},
            DEPLOYED,
            "blog",
            f"{FORBIDDEN}; grant that permission, or use another user",
        ),
    ],
)
def test_what_can_not_be_printed_is_explained(
    answers: dict[str, Any], deployed: list[Any], site: str, said: str, show: Any
) -> None:
    with pytest.raises(Failure) as caught:
        show(answers, *deployed, site=site)
    assert str(caught.value) == said


def test_a_cluster_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"stack": {"deployment": exported(*DEPLOYED)}, "config": {"inspiration:kubeconfig": {"value": ""}}}
    monkeypatch.setattr(deployment, "pulumi", lambda command, *_: state[command])
    monkeypatch.setattr(deployment, "connect", lambda *_: connect("inspiration", kubeconfig("http://127.0.0.1:1")))
    with pytest.raises(Failure) as caught:
        command.show("blog", stack="mine", since=timedelta(hours=1), tail=None, follow=False)
    assert caught.value.cause.endswith("of the current context, doesn't answer: Connection refused")
    assert caught.value.fix == "start the cluster, or set another context"


def test_no_embedded_cluster_or_one_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        with pytest.raises(Failure) as caught:
            command.show("blog", stack=None, since=timedelta(hours=1), tail=None, follow=False)
        return str(caught.value)

    monkeypatch.setattr(connection, "remembered", lambda: None)
    assert said() == "there is no embedded cluster yet; run script/up first, or name a stack of yours: --stack"
    monkeypatch.setattr(connection, "remembered", dict)
    monkeypatch.setattr(deployment, "pulumi", lambda *_: {"deployment": exported(*DEPLOYED)})
    stopped = SimpleNamespace(supervisor=SimpleNamespace(root=lambda: None))
    monkeypatch.setattr(deployment, "Cluster", lambda _: stopped)
    assert said() == "the embedded cluster isn't running; script/up starts it"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("2d", timedelta(days=2)),
        ("1h30m", timedelta(hours=1.5)),
        ("0s", timedelta(0)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parsers()["logs"].parse_args(["blog", "--since", text]).since == expected
    assert parsers()["logs"].parse_args(["blog"]).since == timedelta(hours=1)


@pytest.mark.parametrize(
    ("option", "text"),
    [("--since", text) for text in ("", "5", "1w", "-1h", "1.5h", "1m2h", " 1h", "999999d")]
    + [("--tail", text) for text in ("", "-1", "1.5", "x", "²")],
)
def test_wrong_durations_and_counts(option: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsers()["logs"].parse_args(["blog", f"{option}={text}"])
    assert f"argument {option}: '{text}' given; allowed: " in capsys.readouterr().err
