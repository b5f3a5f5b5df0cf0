"""``script/serve-git``: the repository that it makes, what its hook deploys, and what is refused and put back."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from embedded.commands import deployment, serve_git
from embedded.commands.serve_git import checkout as checkouts
from embedded.commands.serve_git import pulumi as pulumis
from embedded.commands.serve_git import watch as watches
from embedded.commands.serve_git.pulumi import Pulumi
from embedded.commands.serve_git.watch import LOOKS, Watch, hopeless, told
from embedded.errors import Failure
from embedded.health.deployed import Component, Kind, Object
from tests.pages import PROJECT
from tests.waiting import eventually

ZERO = "0" * 40
MAIN = "refs/heads/main"


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    names = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *names, *words], cwd=folder, capture_output=True, text=True, check=False)


class Project:
    """A checkout of the project whose stack is deployed, and a clone of it that pushes."""

    def __init__(self, folder: Path) -> None:
        self.own, self.clone, self.repository = folder / "own", folder / "clone", folder / "site.git"
        self.state = folder / "state"
        self.state.mkdir()
        for each in (self.own, self.clone):
            (each / "site").mkdir(parents=True)
            (each / "Pulumi.yaml").write_text("name: inspiration\n")
            (each / "requirements.txt").write_text("pulumi\n")
        (self.own / ".venv").mkdir()
        (self.own / "Pulumi.dev.yaml").write_text("config: {}\n")
        (self.clone / "Pulumi.dev.yaml").write_text("config: {}\n")
        git(self.clone, "init", "-q")

    def commit(self, text: str) -> str:
        """Change the site, and return the commit, which the repository has got the objects of."""
        (self.clone / "site" / "index.html").write_text(text)
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-qm", text)
        commit = git(self.clone, "rev-parse", "HEAD").stdout.strip()
        hook = self.repository / "hooks" / "pre-receive"
        hook.rename(hook.with_suffix(".off"))
        done = git(self.clone, "push", "-q", str(self.repository), f"HEAD:refs/heads/{text}")
        hook.with_suffix(".off").rename(hook)
        assert done.returncode == 0, done.stderr
        return commit


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    project = Project(tmp_path)
    for module in (serve_git, checkouts):
        monkeypatch.setattr(module, "PROJECT", project.own)
    monkeypatch.setattr(serve_git, "STATE", project.state)
    monkeypatch.setattr(deployment, "exported", lambda _: {})
    monkeypatch.setattr(deployment, "running", lambda _: {})
    monkeypatch.setattr(deployment, "api_server", lambda _: SimpleNamespace(check=lambda: None))
    monkeypatch.setattr(deployment, "pulumi", lambda *_: {"site_urls": {"blog": "http://blog.localhost/"}})
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    before = dict(os.environ)
    serve_git.make(project.repository, branch="main", stack=None)
    yield project
    os.environ.update(before)


class Engine:
    """Pulumi's commands as they were run: with which page, and how each ends."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []
        self.codes: dict[tuple[str, str], int] = {}
        self.cause = ""

    def __call__(self, folder: Path, stack: str) -> Any:
        page = folder / "site" / "index.html"
        text = page.read_text() if page.exists() else "own"

        def run(command: str, *_: str) -> int:
            assert stack == "dev"
            self.ran.append((command, text))
            return self.codes.get((command, text), 0)

        return SimpleNamespace(run=run, error="no such file")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr(serve_git, "Pulumi", engine)
    watch = SimpleNamespace(started=lambda _: nullcontext(), stack=None)
    monkeypatch.setattr(serve_git, "Watch", lambda *_: SimpleNamespace(**vars(watch), cause=engine.cause))
    return engine


def receive(project: Project, *lines: str) -> int:
    return serve_git.receive(project.repository, [f"{line}\n" for line in lines], branch="main", stack=None)


def refused(project: Project, *lines: str) -> str:
    with pytest.raises(Failure) as failed:
        receive(project, *lines)
    assert not (project.repository / "checkout").exists()
    return failed.value.cause


def test_a_repository_is_made_once(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    hook = project.repository / "hooks" / "pre-receive"
    before = hook.read_text()
    assert before.startswith("#!/bin/sh\n")
    assert f"exec {project.own}/script/serve-git --receive --branch main {project.repository}\n" in before
    assert os.access(hook, os.X_OK)
    assert project.repository.stat().st_mode & 0o077 == 0
    capsys.readouterr()
    serve_git.make(project.repository, branch="main", stack=None)
    assert hook.read_text() == before
    assert capsys.readouterr().out == (
        f"{project.repository}: a push of main deploys the stack dev\n"
        f"  git remote add deploy {project.repository} && git push deploy main\n"
    )


def test_a_stack_of_ones_own_gets_the_way_to_it_and_no_secret(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///home/me/a state")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "hunter2")
    serve_git.make(project.repository, branch="live", stack="mine")
    text = (project.repository / "hooks" / "pre-receive").read_text()
    assert "export PULUMI_BACKEND_URL='file:///home/me/a state'\n" in text
    assert "--branch live --stack mine " in text
    assert "hunter2" not in text
    assert (project.repository / "HEAD").read_text() == "ref: refs/heads/live\n"


def test_a_folder_with_something_else_is_left_alone(project: Project) -> None:
    for there in (project.clone, project.clone / "Pulumi.yaml"):
        before = sorted(project.clone.iterdir())
        with pytest.raises(Failure) as failed:
            serve_git.make(there, branch="main", stack=None)
        assert failed.value.cause == f"{there} has something else in it"
        assert sorted(project.clone.iterdir()) == before


@pytest.mark.parametrize(
    ("branch", "exported", "cause"),
    [
        ("a b", {}, "a b can't be the name of a branch"),
        ("main", None, "there is no embedded cluster yet"),
    ],
)
def test_what_cant_be_served_makes_no_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch, branch: str, exported: object, cause: str
) -> None:
    monkeypatch.setattr(deployment, "exported", lambda _: exported)
    with pytest.raises(Failure) as failed:
        serve_git.make(project.own / "new.git", branch=branch, stack=None)
    assert failed.value.cause == cause
    assert not (project.own / "new.git").exists()


def test_what_is_pushed_is_previewed_and_deployed(
    project: Project, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    first = project.commit("one")
    assert receive(project, f"{ZERO} {first} {MAIN}") == 0
    assert engine.ran == [("preview", "one"), ("up", "one")]
    assert capsys.readouterr().out.splitlines()[-3:] == [
        f"previewing {first[:12]} for the stack dev",
        f"deploying {first[:12]}",
        "blog: http://blog.localhost/",
    ]
    assert not (project.repository / "checkout").exists()


def test_other_branches_are_kept(project: Project, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert receive(project, f"{ZERO} {project.commit('one')} refs/heads/draft") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "draft: kept, not deployed; that is for main"
    assert engine.ran == []


def test_what_the_preview_refuses_changes_nothing(project: Project, engine: Engine) -> None:
    engine.codes = {("preview", "one"): 1}
    said = refused(project, f"{ZERO} {project.commit('one')} {MAIN}")
    assert said == "refused: the preview failed: no such file; nothing was changed"
    assert engine.ran == [("preview", "one")]


def test_what_isnt_ready_is_refused_and_the_commit_before_put_back(project: Project, engine: Engine) -> None:
    first, second = project.commit("one"), project.commit("two")
    engine.codes, engine.cause = {("up", "two"): 1}, "pod blog/blog-1: container site crashes"
    said = refused(project, f"{first} {second} {MAIN}")
    assert said == "refused: pod blog/blog-1: container site crashes; what was deployed before is put back"
    assert engine.ran == [("preview", "two"), ("up", "two"), ("up", "one")]


def test_before_the_first_push_this_checkout_is_put_back(project: Project, engine: Engine) -> None:
    engine.codes = {("up", "one"): 1}
    said = refused(project, f"{ZERO} {project.commit('one')} {MAIN}")
    assert said == "refused: no such file; what was deployed before is put back"
    assert engine.ran[-1] == ("up", "own")


def test_a_commit_that_needs_other_packages_cant_be_put_back_but_this_checkout(
    project: Project, engine: Engine
) -> None:
    (project.clone / "requirements.txt").write_text("pulumi\nflask\n")
    first = project.commit("one")
    (project.clone / "requirements.txt").write_text("pulumi\n")
    engine.codes = {("up", "two"): 1}
    said = refused(project, f"{first} {project.commit('two')} {MAIN}")
    assert said == "refused: no such file; what was deployed before is put back"
    assert engine.ran[-1] == ("up", "own")


def test_what_cant_be_put_back_is_said(project: Project, engine: Engine) -> None:
    engine.codes = {("up", "one"): 1, ("up", "own"): 1}
    said = refused(project, f"{ZERO} {project.commit('one')} {MAIN}")
    assert said == "refused: no such file; and what was deployed before couldn't be put back"


def test_the_branch_cant_be_deleted(project: Project, engine: Engine) -> None:
    said = refused(project, f"{project.commit('one')} {ZERO} {MAIN}")
    assert said == "main is what is deployed: it can't be deleted"
    assert engine.ran == []


def test_one_push_at_a_time(project: Project, engine: Engine) -> None:
    line = f"{ZERO} {project.commit('one')} {MAIN}"
    for folder, said in (
        (project.repository, "refused: another push is being deployed"),
        (project.state, "refused: script/up, script/down or another push is at work"),
    ):
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert refused(project, line) == said
        os.close(lock)
    assert engine.ran == []
    assert receive(project, line) == 0


def test_an_update_at_work_is_not_disturbed(project: Project, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_git, "holders", lambda *_: [4711])
    said = refused(project, f"{ZERO} {project.commit('one')} {MAIN}")
    assert said == "refused: an update of the stack dev is at work (pid 4711)"
    assert engine.ran == []


def test_another_project_is_refused(project: Project, engine: Engine) -> None:
    (project.clone / "Pulumi.yaml").write_text("name: other\n")
    said = refused(project, f"{ZERO} {project.commit('one')} {MAIN}")
    assert said == "refused: what was pushed isn't the project inspiration, whose Pulumi.yaml it would have"
    (project.clone / "Pulumi.yaml").write_text("name: inspiration\n")
    (project.clone / "requirements.txt").write_text("pulumi\nflask\n")
    said = refused(project, f"{ZERO} {project.commit('two')} {MAIN}")
    assert said == f"refused: requirements.txt is another one than in {project.own}, whose packages are used"
    assert engine.ran == []


def test_a_checkout_knows_its_commit_and_has_the_packages(project: Project) -> None:
    first = project.commit("one")
    of = checkouts.Checkout(project.repository, [str(project.repository / "objects")], "dev")
    folder = of.of(first)
    assert git(folder, "log", "-1", "--format=%H", "--", "site").stdout.strip() == first
    assert git(folder, "status", "--porcelain").stdout == ""
    assert (folder / ".venv").resolve() == project.own / ".venv"


@pytest.mark.parametrize(
    ("pushed", "own", "used"),
    [
        ("config: {a: 1}\n", "config: {}\n", "config: {a: 1}\n"),
        ("config: {a: 1}\n", "config: {}\nencryptionsalt: v1:x\n", "config: {a: 1}\nencryptionsalt: v1:x\n"),
        ("config: {}\nencryptionsalt: v1:y\n", "encryptionsalt: v1:x\n", "config: {}\nencryptionsalt: v1:y\n"),
        (None, "config: {}\nencryptionsalt: v1:x\n", "config: {}\nencryptionsalt: v1:x\n"),
    ],
)
def test_the_configuration_is_the_commits_and_the_salt_the_stacks(
    project: Project, pushed: str | None, own: str, used: str
) -> None:
    (project.own / "Pulumi.mine.yaml").write_text(own)
    if pushed is not None:
        (project.clone / "Pulumi.mine.yaml").write_text(pushed)
    of = checkouts.Checkout(project.repository, [str(project.repository / "objects")], "me/inspiration/mine")
    assert (of.of(project.commit("one")) / "Pulumi.mine.yaml").read_text() == used


def test_a_stack_without_a_configuration_is_named(project: Project) -> None:
    of = checkouts.Checkout(project.repository, [str(project.repository / "objects")], "mine")
    with pytest.raises(Failure) as failed:
        of.of(project.commit("one"))
    assert failed.value.cause == f"there is no Pulumi.mine.yaml, neither in what was pushed nor in {project.own}"


def test_git_push_says_what_the_hook_says(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook itself, with objects in quarantine, where there is no cluster."""
    monkeypatch.setattr(serve_git, "PROJECT", PROJECT)
    monkeypatch.setattr(serve_git, "STATE", tmp_path / "nothing")
    serve_git.make(project.repository, branch="main", stack=None)
    git(project.clone, "add", "-A")
    git(project.clone, "commit", "-qm", "one")
    done = git(project.clone, "push", str(project.repository), "HEAD:main")
    assert done.returncode == 1
    said = [line.rstrip() for line in done.stderr.splitlines() if line.startswith("remote: ")]
    assert said == [
        "remote: error: there is no embedded cluster yet",
        "remote:   fix: run script/up first, or name a stack of yours: --stack",
    ]
    assert git(project.repository, "branch", "--list").stdout == ""
    done = git(project.clone, "push", str(project.repository), "HEAD:draft")
    assert done.returncode == 0
    assert "remote: draft: kept, not deployed; that is for main" in done.stderr


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `pulumi` that is a script of the test's."""
    path = tmp_path / "bin" / "pulumi"
    path.parent.mkdir()
    path.touch(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return path


def test_what_pulumi_prints_is_passed_on(fake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refreshed, error = " ~  docker:index:Image blog-docker refreshing", "    error: no\tcluster"
    fake.write_text(f"#!/bin/sh\necho $PWD $*\necho '{refreshed}'\necho '{error}' >&2\necho 'error: more'\nexit 3\n")
    pulumi = Pulumi(tmp_path, "dev")
    assert pulumi.run("up", "--yes") == 3
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{tmp_path} up --yes --stack dev --non-interactive ")
    assert rest == ["    error: no\tcluster", "error: more"]
    assert pulumi.error == "no cluster"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["    error: update failed\n", "    error: building blog failed\n"], "building blog failed"),
        (
            ["    - [mandatory]  read-only-root  (Deployment: blog)\n", "error: preview failed"],
            "read-only-root (Deployment: blog)",
        ),
        (["killed\n"], "the reasons are above"),
    ],
)
def test_the_reason_is_one_line(lines: list[str], said: str) -> None:
    assert pulumis.reason(lines) == said


def test_what_is_waited_for_is_known(fake: Path, tmp_path: Path) -> None:
    line = "kubernetes:apps/v1:Deployment my-blog-deployment updating (0s) Waiting for app ReplicaSet to be available"
    fake.write_text(f"#!/bin/sh\necho ' ~  {line} (0/2 Pods available)'\n")
    pulumi = Pulumi(tmp_path, "dev")
    assert pulumi.run("up") == 0
    assert pulumi.waits_for == {"my-blog"}


def pod(waits: str | None, restarts: int = 0, uid: str = "1") -> dict[str, Any]:
    state = {"waiting": {"reason": waits}} if waits else {"running": {}}
    status = {"name": "site", "state": state, "restartCount": restarts, "lastState": {"terminated": {"exitCode": 3}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "blog", "name": "blog-1", "uid": uid},
        "status": {"containerStatuses": [status]},
    }


CRASHING = "pod blog/blog-1: container site crashes again and again (exit code 3)"


ON_TIME: dict[str, Any] = {"metadata": {"uid": "2"}}
EXCEEDED = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "it has timed out"}
LATE = {**ON_TIME, "status": {"conditions": [EXCEEDED]}}


class Cluster:
    """An API server with a pod and a Deployment of a site."""

    def __init__(self, *looks: list[dict[str, Any]], late: bool = False) -> None:
        self._looks = {"Pod": list(looks), "Deployment": [[LATE] if late and look else [ON_TIME] for look in range(3)]}

    def objects(self, kind: Kind, namespace: str | None, **_: str) -> list[dict[str, Any]]:
        """What there is at the first look, the second one, and so on."""
        assert namespace == (None if kind.name == "Node" else "blog")
        looks = self._looks.get(kind.name, [[]])
        return looks.pop(0) if len(looks) > 1 else looks[0]

    def log(self, *_: object, **__: object) -> list[str]:
        return ["there is no database"]


@pytest.mark.parametrize(
    ("cluster", "waits_for", "cause"),
    [
        (Cluster([], [pod("CrashLoopBackOff", 2)]), set(), CRASHING),
        (Cluster([pod("CrashLoopBackOff", 2)]), set(), ""),
        (Cluster([pod("CrashLoopBackOff", 2)]), {"blog"}, CRASHING),
        (Cluster([], late=True), set(), "it has timed out"),
    ],
)
def test_an_update_is_watched(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster, waits_for: set[str], cause: str
) -> None:
    monkeypatch.setattr(watches, "PAUSE", 0.01)
    monkeypatch.setattr(deployment, "api_server", lambda _: cluster)
    namespace = Object(Kind("v1", "Namespace"), None, "blog")
    ended: list[bool] = []
    pulumi = SimpleNamespace(waits_for=waits_for, end=lambda: ended.append(True))
    watch = Watch(None, [Component("blog", objects=[namespace], type="Site")])
    with watch.started(cast(Pulumi, pulumi)):
        assert eventually(lambda: bool(ended), seconds=5 if cause else 0.2) == bool(cause)
    assert watch.cause == cause


def test_who_has_left_doesnt_end_it(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.write_text(f"#!/bin/sh\necho one\necho two\ntouch {tmp_path}/done\n")

    class Closed:
        def write(self, _: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    assert Pulumi(tmp_path, "dev").run("up") == 0
    assert (tmp_path / "done").exists()


def test_an_update_that_is_given_up_ends_in_order(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.write_text('#!/bin/sh\ntrap "echo error: cancelled; exit 1" INT\necho up\nwhile :; do sleep 0.05; done\n')
    pulumi = Pulumi(tmp_path, "dev")
    monkeypatch.setattr(pulumis, "say", lambda line: pulumi.end() if line.strip() == "up" else None)
    assert pulumi.run("up") == 1
    assert pulumi.error == "cancelled"


def test_a_pod_that_crashes_again_and_again_is_given_up() -> None:
    seen = Counter[str]()
    assert hopeless([pod("CrashLoopBackOff", 1), pod(None, 2)], seen) is None
    crashing = pod("CrashLoopBackOff", 2)
    assert hopeless([pod(None), crashing], seen) is crashing
    assert told(crashing) == CRASHING


def test_a_pod_that_cant_start_is_given_some_time() -> None:
    seen = Counter[str]()
    stuck = pod("ImagePullBackOff")
    looks = [hopeless([each], seen) for each in [*[stuck] * (LOOKS - 1), pod("ContainerCreating"), *[stuck] * LOOKS]]
    assert looks == [*[None] * (2 * LOOKS - 1), stuck]
