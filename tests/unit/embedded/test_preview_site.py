"""``script/preview-site``: what is made, what is over, and that nothing is left, whenever it is ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from embedded.branches import remains
from embedded.branches.stacks import BranchStack, Stacks
from embedded.commands import deployment, preview_site
from embedded.commands.preview_site import Branches, Limits
from embedded.errors import Failure
from embedded.health.api import Api, RefusedError
from tests.servers import serving

LIMITS = Limits(timedelta(days=3), 5)
PULUMI_YAML = "name: inspiration\nconfig:\n  prefix: {type: string}\n"
STATE = {"resources": [{"type": "pulumi:pulumi:Stack", "outputs": {"registry": "localhost:32000"}}]}


class KilledError(BaseException):
    """Stands for ``kill -9``."""


class World:
    """A repository, the stacks that Pulumi knows, and what is done to them."""

    def __init__(self, folder: Path) -> None:
        self.folders, self.project = folder / "branches", folder / "project"
        self.branches = {"blue", "feature/login"}
        self.tags: dict[str, dict[str, str]] = {}
        self.done: list[str] = []
        self.killed_after: int | None = None
        self.inputs: dict[str, str] = {}
        self.up_code = self.destroy_code = 0
        self.branch_s_pulumi_yaml = PULUMI_YAML
        self.folders.mkdir()
        for name, text in {"Pulumi.yaml": PULUMI_YAML, "requirements.txt": "a==1"}.items():
            self.project.mkdir(exist_ok=True)
            (self.project / name).write_text(text)

    def stack(self, name: str, **tags: str) -> None:
        self.tags[name] = {"branch": name.partition(".")[2], "phase": "made", "expires": later(), **tags}
        (self.folders / name).mkdir()

    def note(self, what: str) -> None:
        """Note what is done, unless that is what is killed."""
        if len(self.done) == self.killed_after:
            raise KilledError
        self.done.append(what)

    # The repository's part

    def commit(self, branch: str) -> str | None:
        return "c0ffee" if branch in self.branches else None

    def named(self, branch: str) -> str:
        if branch not in self.branches:
            raise Failure(f"there is no branch {branch}", fix="name one")
        return "c0ffee"

    def check_out(self, folder: Path, commit: str) -> Path:
        self.note(f"check out {folder.name}")
        (folder / "components/addons/dns").mkdir(parents=True, exist_ok=True)
        (folder / "components/addons/dns/__init__.py").touch()
        (folder / "Pulumi.yaml").write_text(self.branch_s_pulumi_yaml)
        (folder / "requirements.txt").write_text("a==1")
        return folder

    def project_in(self, folder: Path) -> Path:
        return folder

    def remove(self, folder: Path) -> None:
        self.note(f"remove {folder.name}")
        shutil.rmtree(folder, ignore_errors=True)

    # Pulumi's part

    def of_branches(self, base: str, folders: list[str]) -> list[BranchStack]:
        found = [
            BranchStack(name, tags.get("branch"), _time(tags.get("expires")), tags.get("phase", "making"))
            for name, tags in self.tags.items()
        ]
        return [*found, *(BranchStack(name) for name in folders if name not in self.tags)]

    def exists(self, name: str) -> bool:
        return name in self.tags

    def tag(self, name: str, **tags: str) -> None:
        for tag, value in tags.items():
            if tag != "expires":
                self.note(f"tag {name} {tag} {value}")
            self.tags[name][tag] = value

    def run(self, *words: str, text: str = "", folder: Path | None = None) -> str:
        stack = words[words.index("--stack") + 1] if "--stack" in words else words[2]
        self.note(f"{' '.join(words[:2])} {stack}")
        if words[:2] == ("stack", "init"):
            self.tags[stack] = {}
        elif words[:2] == ("stack", "rm"):
            del self.tags[stack]
        elif words[:2] == ("config", "set"):
            self.inputs[words[3]] = text
        elif words[:2] == ("config", "get"):
            return "s3cret\n"
        elif words[:2] == ("stack", "export"):
            return json.dumps({"deployment": {"pending_operations": [{}]}})
        elif words[:2] == ("stack", "output"):
            return json.dumps({"site_urls": {"inspiration": f"http://{stack}/"}})
        return ""

    def pulumi(self, stack: str, project: Path) -> World.Foreground:
        return World.Foreground(self)

    class Foreground:
        def __init__(self, world: World) -> None:
            self.world = world

        def run(self, command: str, *words: str) -> int:
            self.world.note(f"{command} {words[-1]}")
            return self.world.up_code if command == "up" else self.world.destroy_code


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def later(days: int = 1) -> str:
    return (datetime.now(UTC) + timedelta(days)).isoformat()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(preview_site, "PROJECT", made.project)
    monkeypatch.setattr(preview_site, "FOLDERS", made.folders)
    monkeypatch.setattr(preview_site, "Repository", lambda _: made)
    monkeypatch.setattr(preview_site, "Stacks", lambda _: made)
    monkeypatch.setattr(Branches, "_pulumi", lambda self, stack, project: made.pulumi(stack, project))
    monkeypatch.setattr(deployment, "api_server", lambda _: None)
    monkeypatch.setattr(remains, "remove_namespaces", lambda _, label, prefix: made.note(f"sweep {label}"))
    monkeypatch.setattr(remains, "remove_images", lambda where, prefix: made.note(f"images {where}/{prefix}"))
    monkeypatch.setattr(remains, "remove_built", lambda where, prefix: made.note(f"built {where}/{prefix}"))
    return made


@pytest.fixture
def branches(world: World) -> Branches:
    return Branches(None, 0, cast(Any, STATE))


def make(branches: Branches, branch: str = "blue", limits: Limits = LIMITS, secrets: tuple[str, ...] = ()) -> int:
    return branches.make(branch, limits, secrets, unconfined=False)


REMOVED = [
    "tag dev.blue phase removing",
    "stack output dev.blue",
    "destroy dev.blue",
    "sweep dev.blue",
    "images localhost:32000/dev-blue",
    "built localhost:32000/dev-blue",
    "stack rm dev.blue",
    "remove dev.blue",
]
"""Whoever is ended at one of these has it found by its stack or its checkout, and done again."""


def test_a_branch_gets_a_stack_of_its_own(world: World, branches: Branches, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(branches) == 0
    assert world.done == [
        "check out dev.blue",
        "stack init dev.blue",
        "tag dev.blue phase making",
        "tag dev.blue branch blue",
        "up dev.blue",
        "tag dev.blue phase made",
        "stack output dev.blue",
    ]
    said = capsys.readouterr()
    assert said.out == "inspiration  http://dev.blue/\n"
    assert "the stack is dev.blue" in said.err
    written = yaml.safe_load((world.folders / "dev.blue/Pulumi.dev.blue.yaml").read_text())
    assert written["config"]["inspiration:prefix"] == "dev-blue"
    assert written["config"]["inspiration:addons"] == {"dns": False}


def test_again_it_is_updated_and_kept_for_longer(world: World, branches: Branches) -> None:
    world.stack("dev.blue", expires=later(1))
    assert make(branches) == 0
    assert world.done == ["check out dev.blue", "up dev.blue", "tag dev.blue phase made", "stack output dev.blue"]
    assert world.tags["dev.blue"]["expires"] > later(2)


def test_it_goes_on_with_what_was_ended(world: World, branches: Branches) -> None:
    world.stack("dev.blue", phase="making")
    assert make(branches) == 0
    # The lock of the one that was killed, and the record of what it was doing.
    assert world.done[1:4] == ["cancel --yes dev.blue", "stack export dev.blue", "stack import dev.blue"]
    assert world.tags["dev.blue"]["phase"] == "made"


def test_secrets_go_in_by_the_input(world: World, branches: Branches) -> None:
    (world.project / "Pulumi.dev.yaml").write_text(
        "config: {inspiration:sites: [{name: shop, secretEnv: {TOKEN: {secure: v1}}}]}"
    )
    make(branches, secrets=("TOKEN",))
    assert world.inputs == {"sites[0].secretEnv.TOKEN": "s3cret"}
    assert "s3cret" not in (world.folders / "dev.blue/Pulumi.dev.blue.yaml").read_text()


def test_the_salt_stays_when_the_configuration_is_written_again(world: World, branches: Branches) -> None:
    world.stack("dev.blue")
    file = world.folders / "dev.blue/Pulumi.dev.blue.yaml"
    file.write_text("encryptionsalt: v1:abc\nconfig: {inspiration:domain: old}\n")
    make(branches)
    written = yaml.safe_load(file.read_text())
    assert written["encryptionsalt"] == "v1:abc"
    assert "inspiration:domain" not in written["config"]


def test_a_failed_update_is_kept_and_says_what_to_do(world: World, branches: Branches) -> None:
    world.up_code = 255
    with pytest.raises(Failure) as failure:
        make(branches)
    assert failure.value.fix == "commit what puts it right and run it again, or script/preview-site --remove blue"
    assert world.tags["dev.blue"]["phase"] == "failed"
    assert branches.prune()
    assert "dev.blue" in world.tags


def test_other_requirements_are_said(world: World, branches: Branches, capsys: pytest.CaptureFixture[str]) -> None:
    (world.project / "requirements.txt").write_text("a==2")
    assert make(branches) == 0
    assert "note: requirements.txt is another one in the branch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("name: inspiration\nconfig: {}\n", "the program of the branch blue has no option prefix"),
        ("name: shop\n", "the branch blue has a project shop in Pulumi.yaml, this checkout has inspiration"),
    ],
)
def test_a_program_that_cant_be_beside_another(world: World, branches: Branches, text: str, cause: str) -> None:
    world.branch_s_pulumi_yaml = text
    with pytest.raises(Failure, match=cause):
        make(branches)
    assert world.tags == {}
    branches.prune()
    assert list(world.folders.iterdir()) == []


def test_a_branch_that_isnt_there_changes_nothing(world: World, branches: Branches) -> None:
    with pytest.raises(Failure, match="there is no branch green"):
        make(branches, "green")
    assert world.done == []


def test_a_stack_of_somebody_s_is_left_alone(world: World, branches: Branches, monkeypatch: pytest.MonkeyPatch) -> None:
    world.tags["dev.blue"] = {}
    monkeypatch.setattr(world, "of_branches", lambda *_: [])
    with pytest.raises(Failure, match=r"there is a stack dev\.blue already, and it isn't a branch's"):
        make(branches)
    assert world.done == []


def test_there_are_at_most_so_many_which_are_named(world: World, branches: Branches) -> None:
    for name in ("one", "two"):
        world.branches.add(name)
        world.stack(f"dev.{name}")
    with pytest.raises(Failure) as failure:
        make(branches, limits=Limits(timedelta(1), 2))
    assert failure.value.cause == "--at-most 2 branches are kept, and these are there: one, two"
    assert world.done == []


def test_what_is_over_and_what_is_there_already_dont_count(world: World, branches: Branches) -> None:
    world.branches.add("one")
    world.stack("dev.one", expires=later(-1))
    world.stack("dev.blue")
    assert make(branches, limits=Limits(timedelta(1), 1)) == 0


def test_removal_is_in_an_order_in_which_it_is_found_again(world: World, branches: Branches) -> None:
    world.stack("dev.blue")
    branches.remove_named("blue")
    assert world.done == REMOVED
    assert list(world.folders.iterdir()) == []


@pytest.mark.parametrize("step", range(1, len(REMOVED)))
def test_whenever_removal_is_ended_the_next_call_ends_it(world: World, branches: Branches, step: int) -> None:
    world.stack("dev.blue")
    world.killed_after = step
    with pytest.raises(KilledError):
        branches.remove_named("blue")
    world.killed_after = None
    assert branches.prune()
    assert world.tags == {}
    assert list(world.folders.iterdir()) == []


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"expires": later(-1)}, "it has expired"),
        ({"phase": "making"}, "what made or removed it was ended"),
        ({"phase": "removing"}, "what made or removed it was ended"),
        ({"branch": "gone"}, "the branch gone is gone"),
        ({}, None),
        ({"phase": "failed"}, None),
    ],
)
def test_each_call_removes_what_is_over(
    world: World, branches: Branches, tags: dict[str, str], why: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stack("dev.blue", **tags)
    assert branches.prune()
    assert (world.tags == {}) == (why is not None)
    assert (f"removing dev.blue: {why}" in capsys.readouterr().err) == (why is not None)


def test_a_checkout_without_a_stack_is_removed(world: World, branches: Branches) -> None:
    (world.folders / "dev.blue").mkdir()
    assert branches.prune()
    assert world.done == ["remove dev.blue"]


def test_what_another_checkout_has_made_goes_when_it_expires_only(world: World, branches: Branches) -> None:
    for name, tags in {"dev.a": {"phase": "making"}, "dev.b": {"branch": "of another"}}.items():
        world.stack(name, **tags)
        (world.folders / name).rmdir()
    assert branches.prune()
    assert world.tags.keys() == {"dev.a", "dev.b"}
    world.tags["dev.b"]["expires"] = later(-1)
    assert branches.prune()
    assert world.tags.keys() == {"dev.a"}


def test_what_cant_be_removed_is_said_and_stays_for_the_next_call(
    world: World, branches: Branches, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stack("dev.blue", expires=later(-1))
    world.destroy_code = 255
    assert not branches.prune()
    assert "note: dev.blue stays for now: `pulumi destroy` of dev.blue failed" in capsys.readouterr().err
    world.destroy_code = 0
    assert branches.prune()
    assert world.tags == {}


def test_the_one_that_is_asked_for_is_spared(world: World, branches: Branches) -> None:
    world.stack("dev.blue", phase="making")
    assert branches.prune(but_for="blue")
    assert world.tags.keys() == {"dev.blue"}


@pytest.mark.parametrize(
    ("there", "fix"), [([], "script/preview-site BRANCH deploys one"), (["dev.one"], "name one of one")]
)
def test_to_remove_what_isnt_there(world: World, branches: Branches, there: list[str], fix: str) -> None:
    for name in there:
        world.stack(name)
    with pytest.raises(Failure) as failure:
        branches.remove_named("blue")
    assert (failure.value.cause, failure.value.fix) == ("the branch blue isn't deployed beside the stack dev", fix)


def test_what_there_is_is_listed(world: World, branches: Branches, capsys: pytest.CaptureFixture[str]) -> None:
    world.stack("dev.blue", expires="2126-01-02T03:04:05+00:00")
    branches.show(as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {
            "branch": "blue",
            "stack": "dev.blue",
            "state": "made",
            "expires": "2126-01-02T03:04:05+00:00",
            "urls": ["http://dev.blue/"],
        }
    ]
    branches.show(as_json=False)
    assert "blue    dev.blue  made   2126-01-02 03:04  http://dev.blue/" in capsys.readouterr().out


def test_that_there_is_none_is_said(world: World, branches: Branches, capsys: pytest.CaptureFixture[str]) -> None:
    branches.show(as_json=False)
    assert capsys.readouterr().err == "no branch is deployed\n"


# What is left besides


class Namespaces:
    """An API server with namespaces, each of which takes a moment to end."""

    def __init__(self, *names: str, status: int = 200) -> None:
        self.names, self.status, self.selectors = list(names), status, set[str]()
        self.ending: list[str] = []

    def objects(self, _: object, __: object, labelSelector: str) -> list[dict[str, Any]]:  # noqa: N803 - the API's
        self.selectors.add(labelSelector)
        listed = [{"metadata": {"name": name}} for name in self.names]
        self.names = [name for name in self.names if name not in self.ending]
        return listed

    def change(self, method: str, _: object, __: str, name: str) -> None:
        assert method == "DELETE"
        if self.status != 200:
            raise RefusedError("refused", self.status)
        self.ending.append(name)


def test_only_a_branch_s_own_namespaces_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    cluster = Namespaces("dev-blue-shop", "dev-blue-blog", "shop")
    remains.remove_namespaces(cast(Api, cluster), "dev.blue", "dev-blue")
    assert cluster.names == ["shop"]
    assert cluster.selectors == {
        "app.kubernetes.io/part-of=inspiration,app.kubernetes.io/instance=dev.blue",
    }


def test_who_may_not_remove_them_hears_it() -> None:
    with pytest.raises(RefusedError):
        remains.remove_namespaces(cast(Api, Namespaces("dev-blue-shop", status=403)), "dev.blue", "dev-blue")


class Registry(BaseHTTPRequestHandler):
    """A registry with images, which lists their names a page at a time."""

    images: dict[str, dict[str, str]]
    answer = 202

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/v2/_catalog":
            options = dict(each.split("=") for each in query.split("&"))
            names = [name for name in sorted(self.images) if name > options["last"]][: int(options["n"])]
            self.say({"repositories": names})
        else:
            self.say({"tags": list(self.images[path.removeprefix("/v2/").removesuffix("/tags/list")])})

    def do_HEAD(self) -> None:
        name, _, tag = self.path.removeprefix("/v2/").partition("/manifests/")
        self.send_response(200)
        self.send_header("Docker-Content-Digest", self.images[name][tag])
        self.end_headers()

    def do_DELETE(self) -> None:
        name, _, digest = self.path.removeprefix("/v2/").partition("/manifests/")
        if self.answer == 202:
            self.images[name] = {tag: known for tag, known in self.images[name].items() if known != digest}
        self.send_response(self.answer)
        self.end_headers()

    def say(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(remains, "PAGE", 2)
    monkeypatch.setattr(Registry, "answer", 202)
    Registry.images = {
        "dev-blue/shop": {"one": "sha256:1", "two": "sha256:2"},
        "dev-blue/blog": {"one": "sha256:1"},
        "dev-blue-green/shop": {"one": "sha256:1"},
        "shop": {"one": "sha256:1"},
        "zebra": {},
    }
    with serving(Registry) as port:
        yield f"127.0.0.1:{port}"


def test_only_a_branch_s_own_images_are_removed(registry: str) -> None:
    assert remains.remove_images(registry, "dev-blue") is None
    assert {name: list(tags) for name, tags in Registry.images.items() if tags} == {
        "dev-blue-green/shop": ["one"],
        "shop": ["one"],
    }


def test_a_registry_that_keeps_its_images_is_named(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "answer", 405)
    left = f"the image {registry}/dev-blue/blog@sha256:1 stays: the registry answered HTTP 405"
    assert remains.remove_images(registry, "dev-blue") == left


def test_a_registry_that_isnt_there_is_named() -> None:
    said = "the images localhost:1/dev-blue/… stay, if there are any: the registry doesn't answer"
    assert remains.remove_images("localhost:1", "dev-blue") == said


def test_the_stack_of_pulumi_is_what_the_fake_stands_for() -> None:
    for method in ("of_branches", "exists", "tag", "run"):
        assert hasattr(Stacks, method)
