"""``script/drift``: what Pulumi's steps tell, what is printed and posted of it, and when something is repaired."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedded.command_line import parsers
from embedded.commands import deployment, drift
from embedded.commands.drift import SECRET, Difference, Report, differences, pending, value_at
from embedded.errors import Failure
from embedded.health.api import ApiError
from embedded.stack_lock import holders

PREFIX = "urn:pulumi:dev::inspiration::inspiration:index:Site$"
SERVICE = f"{PREFIX}kubernetes:core/v1:Service::blog-service"
DEPLOYMENT = f"{PREFIX}kubernetes:apps/v1:Deployment::blog-deployment"
IMAGE = "urn:pulumi:dev::inspiration::inspiration:index:SiteImage$docker:index/image:Image::blog-docker"


def step(urn: str, op: str, *paths: str, old: object = None, new: object = None, called: str = "blog/blog") -> Any:
    """A step as `pulumi refresh --preview-only --json --diff` has it."""
    return {
        "urn": urn,
        "op": op,
        "oldState": {"id": called, "inputs": old or {}},
        **({} if op == "delete" else {"newState": {"id": called, "inputs": new or {}}}),
        "detailedDiff": {path: {"kind": "update", "inputDiff": False} for path in paths} or None,
    }


def port(number: int) -> dict[str, Any]:
    return {"kind": "Service", "spec": {"ports": [{"name": "http", "port": number}]}}


EDITED = step(SERVICE, "update", "spec.ports[0].port", old=port(80), new=port(81))
SAME = step(DEPLOYMENT, "refresh")
CHANGED = step(DEPLOYMENT, "update", "spec.replicas")


def test_a_field_that_was_changed_is_told_with_both_values() -> None:
    assert differences([SAME, EDITED]) == [Difference("Service", "blog/blog", "spec.ports[0].port", 80, 81, SERVICE)]


def test_what_is_gone_is_told() -> None:
    assert differences([step(DEPLOYMENT, "delete"), step(IMAGE, "delete")]) == [
        Difference("Deployment", "blog/blog", "", None, "gone", DEPLOYMENT),
        Difference("Image", "blog-docker", "", None, "gone", IMAGE),
    ]


def test_what_only_the_cluster_says_is_no_drift() -> None:
    assert differences([step(SERVICE, "update"), SAME]) == []


@pytest.mark.parametrize(
    ("kind", "path", "old", "new"),
    [
        ("Secret", "data.auth", {"data": {"auth": SECRET}}, {"data": {"auth": "aHVudGVyMg=="}}),
        ("Secret", 'data["auth"]', {"data": {"auth": "aHVudGVyMg=="}}, {"data": {"auth": "eA=="}}),
        ("ConfigMap", "data.auth", {"data": {"auth": SECRET}}, {"data": {"auth": "hunter2"}}),
        ("ConfigMap", "data.auth", {"data": SECRET}, {"data": {"auth": "hunter2"}}),
        ("Deployment", "spec.env", {"spec": {"env": [{"value": SECRET}]}}, {"spec": {"env": [{"value": "hunter2"}]}}),
    ],
)
def test_the_value_of_a_secret_is_never_told(kind: str, path: str, old: object, new: object) -> None:
    [only] = differences([step(f"{PREFIX}kubernetes:core/v1:{kind}::blog", "update", path, old=old, new=new)])
    assert (only.declared, only.found) == (SECRET, SECRET)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.ports[1].port", 2),
        ("spec.ports[2].port", None),
        ("spec.nothing", None),
        ("metadata.annotations.example.com/a.b", "dots"),
        ('metadata.annotations["example.com/a.b"]', "dots"),
        ("metadata.annotations.example", "short"),
        ("spec.ports", [{"port": 1}, {"port": 2}]),
        ("spec.ports.port", None),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: object) -> None:
    annotations = {"example": "short", "example.com/a.b": "dots"}
    document = {"metadata": {"annotations": annotations}, "spec": {"ports": [{"port": 1}, {"port": 2}]}}
    assert value_at(document, path) == value


def test_what_is_not_deployed_yet_is_told_apart() -> None:
    recorded = step(SERVICE, "update", "metadata.annotations.inspiration/commit")
    assert pending([SAME, recorded, CHANGED, step(IMAGE, "create")]) == [
        "update Deployment blog-deployment",
        "create Image blog-docker",
    ]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Pulumi's commands say: their steps or a failure, and the options of each `pulumi up`."""
    said: dict[str, Any] = {"refresh": [SAME], "preview": [], "up": [], "code": 0}

    def steps(command: str, *_: str) -> Any:
        if isinstance(said[command], Failure):
            raise said[command]
        return said[command]

    def run(words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        said["up"].append(words[1:])
        said["output"] = options["stdout"]
        return subprocess.CompletedProcess(words, said["code"])

    monkeypatch.setattr(deployment, "running", lambda _: {})
    monkeypatch.setattr(deployment, "api_server", lambda _: SimpleNamespace(check=lambda: None))
    monkeypatch.setattr(drift, "_steps", steps)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return said


def run(*, repair: bool = False, notify: str | None = None, as_json: bool = False) -> int:
    return drift.run(stack="mine", repair=repair, notify=notify, as_json=as_json)


def test_without_any_the_code_is_0(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(repair=True, notify="http://127.0.0.1:9/") == 0
    assert capsys.readouterr().out == "The cluster has what the stack mine has declared.\n"
    assert found["up"] == []


def test_what_is_not_deployed_yet_is_no_drift(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    found["preview"] = [CHANGED]
    assert run() == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "not drift, but not deployed yet: update Deployment blog-deployment; see `pulumi preview --diff`"
    )


def test_with_some_the_code_is_2_and_nothing_is_changed(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found["refresh"] = [EDITED]
    assert run() == 2
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["resource", "object", "field", "declared", "found"]
    assert row.split() == ["Service", "blog/blog", "spec.ports[0].port", "80", "81"]
    assert found["up"] == []


def test_it_is_there_for_programs(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    found["refresh"] = [EDITED]
    found["preview"] = Failure("`pulumi preview` failed: no site", "put that right first")
    assert run(as_json=True) == 2
    document = json.loads(capsys.readouterr().out)
    assert datetime.fromisoformat(document.pop("time")).tzinfo
    assert document == {
        "stack": "mine",
        "project": "inspiration",
        "drift": [
            {
                "kind": "Service",
                "object": "blog/blog",
                "field": "spec.ports[0].port",
                "declared": 80,
                "found": 81,
                "urn": SERVICE,
            }
        ],
        "undeployed": None,
        "repaired": False,
    }


def test_it_is_repaired_if_asked_for(found: dict[str, Any]) -> None:
    found["refresh"] = [EDITED]
    assert run(repair=True) == 0
    [words] = found["up"]
    assert words[:2] == ["up", "--refresh"]
    assert words[-2:] == ["--stack", "mine"]
    assert found["output"] is None


def test_what_a_repair_says_is_not_in_the_document(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    found["refresh"] = [EDITED]
    assert run(repair=True, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["repaired"]
    assert found["output"] == 2


@pytest.mark.parametrize(
    ("preview", "code", "cause"),
    [
        ([CHANGED], 0, "nothing was repaired: `pulumi up` would also deploy what isn't deployed yet"),
        (Failure("`pulumi preview` failed: no site", ""), 0, "nothing was repaired: `pulumi preview` failed: no site"),
        ([], 1, "`pulumi up --refresh` failed: the reasons are above"),
    ],
)
def test_what_cant_be_repaired_is_a_failure(found: dict[str, Any], preview: object, code: int, cause: str) -> None:
    found.update(refresh=[EDITED], preview=preview, code=code)
    with pytest.raises(Failure) as failed:
        run(repair=True)
    assert failed.value.cause == cause
    assert len(found["up"]) == code


def test_an_update_at_work_is_no_drift(found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "inspiration" / "mine"
    folder.mkdir(parents=True)
    lock = {"pid": os.getpid(), "hostname": socket.gethostname(), "timestamp": datetime.now(UTC).isoformat()}
    (folder / "lock.json").write_text(json.dumps(lock))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"{tmp_path.as_uri()}?metadata=skip")
    with pytest.raises(Failure) as failed:
        run()
    assert failed.value.cause == f"an update of the stack mine is at work (pid {os.getpid()})"
    assert holders("s3://bucket", "inspiration", "mine") == []
    assert found["up"] == []


def test_a_cluster_that_doesnt_answer_is_a_line(found: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        raise ApiError("https://127.0.0.1:9 doesn't answer; see that it runs")

    monkeypatch.setattr(deployment, "api_server", lambda _: SimpleNamespace(check=check))
    with pytest.raises(Failure) as failed:
        run(repair=True)
    assert (failed.value.cause, failed.value.fix) == ("https://127.0.0.1:9 doesn't answer", "see that it runs")
    assert found["up"] == []


def test_what_pulumi_says_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.dumps({"diagnostics": [{"severity": "error", "message": "error: no\n  cluster\n"}]})

    def pulumi(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, 255, said if words[1] == "refresh" else "", "error: no stack\n")

    monkeypatch.setattr(subprocess, "run", pulumi)
    for command, reason in (("refresh", "no cluster"), ("preview", "no stack")):
        with pytest.raises(Failure) as failed:
            drift._steps(command)
        assert failed.value.cause == f"`pulumi {command}` failed: {reason}"


class Hook(BaseHTTPRequestHandler):
    """Takes notifications, and answers as its path says."""

    taken: list[Any] = []  # noqa: RUF012 - of the class, whose instances are one request each

    def do_POST(self) -> None:
        self.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(int(self.path[1:4]))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.taken.clear()
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


REPORT = Report("dev", "inspiration", "2026-11-29T02:45:57+00:00", (), ())


def test_what_is_found_is_posted(found: dict[str, Any], hook: str) -> None:
    found["refresh"] = [EDITED]
    assert run(notify=f"{hook}/204") == 2
    assert run(notify=f"{hook}/204", repair=True) == 0
    first, second = Hook.taken
    assert (first["drift"][0]["found"], first["repaired"], second["repaired"]) == (81, False, True)


def test_who_doesnt_take_it_is_told_without_the_url(hook: str) -> None:
    with pytest.raises(Failure) as failed:
        drift.post(f"{hook}/500?token=hunter2", REPORT)
    assert failed.value.cause == "127.0.0.1 hasn't taken the notification: it answered HTTP 500"
    with pytest.raises(Failure) as failed:
        drift.post("http://127.0.0.1:9/?token=hunter2", REPORT)
    assert failed.value.cause == "127.0.0.1 hasn't taken the notification: it can't be reached (ConnectionError)"


def test_who_doesnt_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Failure) as failed:
        drift.post(f"http://127.0.0.1:{silent.getsockname()[1]}/", REPORT)
    assert failed.value.cause == "127.0.0.1 hasn't taken the notification: no answer in 0.1 s"


@pytest.mark.parametrize("words", [["--notify", "ftp://example.com/hunter2"], ["--notify", "hunter2"], ["hunter2"]])
def test_wrong_usage_isnt_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsers()["drift"].parse_args(words)
    assert ended.value.code == 64
    if "--notify" in words:
        assert "hunter2" not in capsys.readouterr().err
