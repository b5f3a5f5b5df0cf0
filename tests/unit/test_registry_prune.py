"""What is deleted from the registry's volume, and what isn't: in a folder as the registry writes it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.addons.registry import prune
from components.addons.registry.prune import store, workloads
from components.addons.registry.prune.errors import PruneError
from components.addons.registry.prune.store import Store
from components.addons.registry.prune.workloads import REVISION, Used, used
from tests.unit.api_servers import Authority
from tests.unit.api_servers import authority as authority
from tests.unit.api_servers import serve as serve
from tests.unit.api_servers import started as started

NOW = 1_800_000_000.0
Objects = Mapping[str, list[dict[str, Any]]]
"""What the cluster has, by the last part of the path."""


class Registry:
    """Writes a volume as Distribution does."""

    def __init__(self, volume: Path) -> None:
        self.volume = volume
        self.root = volume / "docker/registry/v2"
        self.clock = NOW - 90 * 24 * 3600.0
        (self.root / "repositories").mkdir(parents=True)

    def push(self, repository: str, tag: str, *layers: str, index: bool = False) -> str:
        """Push an image with these layers, and return its digest."""
        config = self.blob(f"config of {repository}:{tag}{layers}")
        digests = [config, *map(self.blob, layers)]
        for digest in digests:
            self.link(f"{repository}/_layers/sha256/{digest}", digest)
        manifest = self.manifest(repository, *digests)
        if index:
            manifest = self.manifest(repository, manifest)
        self.link(f"{repository}/_manifests/tags/{tag}/index/sha256/{manifest}", manifest)
        self.link(f"{repository}/_manifests/tags/{tag}/current", manifest)
        (self.root / "repositories" / repository / "_uploads").mkdir(exist_ok=True)
        self.clock += 60
        return manifest

    def manifest(self, repository: str, *named: str) -> str:
        digest = self.blob(json.dumps({"schemaVersion": 2, "layers": [f"sha256:{each}" for each in named]}))
        self.link(f"{repository}/_manifests/revisions/sha256/{digest}", digest)
        return digest

    def blob(self, content: str) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        path = self.root / "blobs/sha256" / digest[:2] / digest / "data"
        if not path.exists():
            self.write(path, content)
        return digest

    def link(self, folder: str, digest: str) -> None:
        self.write(self.root / "repositories" / folder / "link", f"sha256:{digest}")

    def write(self, path: Path, content: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (self.clock, self.clock))

    def contents(self) -> set[str]:
        """The contents of all blobs that aren't manifests or configurations."""
        texts = {path.read_text() for path in self.root.glob("blobs/sha256/*/*/data")}
        return {text for text in texts if not text.startswith(("{", "config"))}

    def is_whole(self, repository: str, digest: str) -> bool:
        """Whether an image can be pulled by its digest."""
        manifest = self.root / "blobs/sha256" / digest[:2] / digest / "data"
        revision = self.root / "repositories" / repository / f"_manifests/revisions/sha256/{digest}/link"
        return (
            revision.exists()
            and manifest.exists()
            and all(
                (self.root / "blobs/sha256" / named[:2] / named / "data").exists()
                and (
                    (self.root / "repositories" / repository / f"_layers/sha256/{named}/link").exists()
                    or self.is_whole(repository, named)
                )
                for named in store.DIGEST.findall(manifest.read_text())
            )
        )

    def tags(self, repository: str) -> set[str]:
        return {path.name for path in (self.root / "repositories" / repository / "_manifests/tags").iterdir()}

    def files(self) -> set[str]:
        return {path.relative_to(self.volume).as_posix() for path in self.volume.rglob("*") if path.is_file()}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], object]]]:
    """Time that passes as soon as somebody waits; each wait does the next thing in the list."""
    passed = [0.0]
    doings: list[Callable[[], object]] = []

    def sleep(seconds: float) -> None:
        passed[0] += seconds
        if doings:
            doings.pop(0)()

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "time", lambda: NOW + passed[0])
    monkeypatch.setattr(time, "monotonic", lambda: passed[0])
    yield doings


def tag(number: int) -> str:
    return f"{number:016x}"


def pod(image: str) -> dict[str, Any]:
    return {"metadata": {"name": "pod"}, "spec": {"containers": [{"image": image}]}}


def replica_set(image: str, revision: int, replicas: int = 0) -> dict[str, Any]:
    metadata = {
        "ownerReferences": [{"kind": "Deployment", "uid": "blog"}],
        "annotations": {REVISION: str(revision)},
        "creationTimestamp": "2026-11-28T10:00:00Z",
    }
    return {"metadata": metadata, "spec": {"replicas": replicas, "template": pod(image)}}


def cluster(objects: Objects, keep: int) -> Callable[[], Used]:
    return lambda: used(lambda path: objects.get(path.rpartition("/")[2], []), keep)


def pruned(registry: Registry, objects: Objects | None = None, keep: int = 2) -> list[str]:
    said: list[str] = []
    prune.prune(Store(registry.volume), cluster({} if objects is None else objects, keep), keep, said.append)
    assert not list(registry.volume.glob(".pruned/*"))
    return said


def five(registry: Registry, repository: str = "blog") -> list[str]:
    return [registry.push(repository, tag(number), "base", f"page {number}") for number in range(5)]


def test_the_newest_releases_of_each_site_stay_whole(registry: Registry) -> None:
    images, others = five(registry), five(registry, "shop/admin")
    said = pruned(registry)
    assert [registry.is_whole("blog", each) for each in images] == [False, False, False, True, True]
    assert [registry.is_whole("shop/admin", each) for each in others] == [False, False, False, True, True]
    assert registry.tags("blog") == {tag(3), tag(4)}
    assert registry.contents() == {"base", "page 3", "page 4"}
    kept = "3 releases deleted, 2 kept"
    assert said == [f"blog: {kept}", f"shop/admin: {kept}", "0.0 MiB given back, 0.0 MiB in use"]


def test_a_second_run_deletes_nothing(registry: Registry) -> None:
    five(registry)
    pruned(registry)
    before = registry.files()
    assert pruned(registry)[0] == "no release to delete: each is among the last 2 of its site, or in use"
    assert registry.files() == before


def test_releases_of_the_last_minutes_go_as_well(registry: Registry) -> None:
    registry.clock = NOW - 310
    images = five(registry)
    assert pruned(registry)[0] == "blog: 3 releases deleted, 2 kept"
    assert [registry.is_whole("blog", each) for each in images] == [False, False, False, True, True]
    assert registry.contents() == {"base", "page 3", "page 4"}


def test_nothing_is_left_of_what_is_deleted(registry: Registry, tmp_path: Path) -> None:
    five(registry)
    pruned(registry)
    left = registry.files()
    other = Registry(tmp_path / "other")
    other.clock += 180
    for number in (3, 4):
        other.push("blog", tag(number), "base", f"page {number}")
    assert left == other.files()


def test_what_was_pushed_last_is_the_newest_whenever_it_was_made(registry: Registry) -> None:
    first, *others = five(registry)
    assert registry.push("blog", tag(0), "base", "page 0") == first
    pruned(registry)
    assert [registry.is_whole("blog", each) for each in (first, *others)] == [True, False, False, False, True]


@pytest.mark.parametrize(
    "objects",
    [
        {"pods": [pod("localhost:32000/blog@sha256:DIGEST")]},
        {"pods": [pod(f"localhost:32000/blog:{tag(0)}")]},
        {"pods": [pod(f"registry.container-registry.svc:5000/blog:{tag(0)}")]},
        {"pods": [pod("x") | {"status": {"containerStatuses": [{"imageID": "localhost:32000/blog@sha256:DIGEST"}]}}]},
        {"pods": [pod("x") | {"spec": {"volumes": [{"image": {"reference": f"localhost:32000/blog:{tag(0)}"}}]}}]},
        {"deployments": [{"spec": {"replicas": 0, "template": pod("localhost:32000/blog@sha256:DIGEST")}}]},
        {"cronjobs": [{"spec": {"jobTemplate": {"spec": {"template": pod(f"localhost:32000/blog:{tag(0)}")}}}}]},
        {"statefulsets": [{"spec": {"template": pod("localhost:32000/blog@sha256:DIGEST")}}]},
        {"daemonsets": [{"spec": {"template": pod("localhost:32000/blog@sha256:DIGEST")}}]},
        {"jobs": [{"spec": {"template": pod("localhost:32000/blog@sha256:DIGEST")}}]},
        {"replicasets": [replica_set("localhost:32000/blog@sha256:DIGEST", 7)]},
    ],
)
def test_what_the_cluster_names_stays(registry: Registry, objects: Objects) -> None:
    images = five(registry)
    named = json.loads(json.dumps(objects).replace("DIGEST", images[0]))
    pruned(registry, named)
    assert [registry.is_whole("blog", each) for each in images] == [True, False, False, True, True]


@pytest.mark.parametrize("image", [f"localhost:32000/log:{tag(0)}", f"localhost:32000/blog:{tag(0)}0", "blog"])
def test_what_it_only_seems_to_name_does_not(registry: Registry, image: str) -> None:
    first, *_ = five(registry)
    pruned(registry, {"pods": [pod(image)]})
    assert not registry.is_whole("blog", first)


def test_of_replica_sets_the_newest_count_and_those_with_pods(registry: Registry) -> None:
    images = five(registry)
    sets = [replica_set(f"localhost:32000/blog@sha256:{each}", revision) for revision, each in enumerate(images)]
    # Rolled back to the second, and the first hasn't ended yet.
    sets[1]["metadata"]["annotations"][REVISION] = "10"
    sets[0]["spec"]["replicas"] = 1
    pruned(registry, {"replicasets": sets})
    assert [registry.is_whole("blog", each) for each in images] == [True, True, False, True, True]


def test_the_one_that_runs_is_one_of_the_newest(registry: Registry) -> None:
    images = five(registry)
    sets = [replica_set(f"localhost:32000/blog@sha256:{each}", revision) for revision, each in enumerate(images)]
    sets[4]["spec"]["replicas"] = 2
    pruned(registry, {"replicasets": sets})
    assert [registry.is_whole("blog", each) for each in images] == [False, False, False, True, True]


def test_images_of_other_people_stay(registry: Registry) -> None:
    mine = [registry.push("tool", f"v{number}", "base", f"tool {number}") for number in range(5)]
    moved = [registry.push("tool", "latest", "base", f"nightly {number}") for number in range(5)]
    images = five(registry)
    registry.link("blog/_manifests/tags/keep-this/index/sha256/" + images[0], images[0])
    registry.link("blog/_manifests/tags/keep-this/current", images[0])
    pruned(registry)
    assert all(registry.is_whole("tool", each) for each in (*mine, *moved))
    assert [registry.is_whole("blog", each) for each in images] == [True, False, False, True, True]


def test_layers_of_another_repository_stay(registry: Registry) -> None:
    five(registry)
    shared = registry.push("tool", "v1", "page 0")
    pruned(registry)
    assert registry.is_whole("tool", shared)
    assert registry.contents() == {"base", "page 0", "page 3", "page 4"}


def test_a_tag_that_was_pushed_anew_has_several_releases(registry: Registry) -> None:
    images = [registry.push("blog", tag(0), f"base {number}") for number in range(4)]
    pruned(registry)
    assert [registry.is_whole("blog", each) for each in images] == [False, False, True, True]
    assert registry.tags("blog") == {tag(0)}


def test_an_index_goes_with_the_images_that_only_it_has(registry: Registry) -> None:
    images = [registry.push("blog", tag(number), f"page {number}", index=True) for number in range(4)]
    pruned(registry)
    assert [registry.is_whole("blog", each) for each in images] == [False, False, True, True]
    assert registry.contents() == {"page 2", "page 3"}
    revisions = registry.root / "repositories/blog/_manifests/revisions/sha256"
    assert len(list(revisions.iterdir())) == 4


def test_what_no_manifest_names_goes_when_it_is_stale(registry: Registry) -> None:
    five(registry)
    registry.blob("left by a push")
    registry.clock = NOW - store.STALE_SECONDS + 60
    registry.blob("of a push in between")
    pruned(registry)
    assert registry.contents() == {"base", "page 3", "page 4", "of a push in between"}


def test_what_somebody_else_deleted_goes_at_once(registry: Registry, clock: list[Callable[[], object]]) -> None:
    registry.clock = NOW - 10
    digest = registry.push("tool", "v1", "base", "tool")
    manifests = registry.root / "repositories/tool/_manifests"
    shutil.rmtree(manifests / "tags/v1")
    shutil.rmtree(manifests / "revisions/sha256" / digest)
    assert pruned(registry)[-1] == "0.0 MiB given back, 0.0 MiB in use"
    assert registry.files() == set()


def test_what_is_uploaded_anew_is_no_part_of_what_was_deleted(registry: Registry) -> None:
    five(registry)
    # In one repository or the other, it is there again before its manifest is.
    registry.clock = NOW - prune.store.QUIET_SECONDS - 1
    for repository, number in (("blog", 0), ("new", 1)):
        page = hashlib.sha256(f"page {number}".encode()).hexdigest()
        registry.link(f"{repository}/_layers/sha256/{page}", page)
    pruned(registry)
    assert registry.contents() == {"base", "page 0", "page 1", "page 3", "page 4"}


def test_it_waits_for_an_upload(registry: Registry, clock: list[Callable[[], object]]) -> None:
    images = five(registry)
    registry.clock = NOW
    upload = registry.root / "repositories/new/_uploads/1/data"
    registry.write(upload, "x")
    clock.append(lambda: None)
    clock.append(lambda: shutil.rmtree(upload.parent))
    pruned(registry)
    assert [registry.is_whole("blog", each) for each in images] == [False, False, False, True, True]
    assert not clock


def test_it_waits_for_the_manifest_of_what_was_uploaded(registry: Registry, clock: list[Callable[[], object]]) -> None:
    five(registry)
    registry.clock = NOW
    layer = registry.blob("new page")
    registry.link(f"new/_layers/sha256/{layer}", layer)
    clock.append(lambda: None)
    clock.append(partial(registry.push, "new", tag(9), "new page"))
    pruned(registry)
    assert registry.contents() == {"base", "page 3", "page 4", "new page"}


def test_an_upload_that_was_given_up_is_none(registry: Registry) -> None:
    images = five(registry)
    registry.clock = NOW - store.QUIET_SECONDS - 1
    registry.write(registry.root / "repositories/new/_uploads/1/data", "x")
    pruned(registry)
    assert not registry.is_whole("blog", images[0])


def test_it_gives_up_where_pushes_do_not_end(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    five(registry)
    before = registry.files()
    monkeypatch.setattr(Store, "is_pushed_to", lambda _: True)
    with pytest.raises(PruneError) as told:
        pruned(registry)
    assert str(told.value) == "something has been pushed for 300 s; nothing was deleted, try again later"
    assert registry.files() == before


def test_what_is_deployed_meanwhile_comes_back(registry: Registry, clock: list[Callable[[], object]]) -> None:
    images = five(registry)
    objects: dict[str, list[dict[str, Any]]] = {}

    def deploy() -> None:
        assert not registry.is_whole("blog", images[1])
        objects["pods"] = [pod(f"localhost:32000/blog@sha256:{images[1]}")]

    clock.append(deploy)
    pruned(registry, objects)
    assert [registry.is_whole("blog", each) for each in images] == [False, True, False, True, True]


def test_a_release_that_is_pushed_meanwhile_comes_back(registry: Registry, clock: list[Callable[[], object]]) -> None:
    images = five(registry)
    # All of its layers were there when the push asked, so its manifest is what it sends.
    registry.clock = NOW

    def push() -> None:
        for part in ("revisions", f"tags/{tag(1)}/index"):
            registry.link(f"blog/_manifests/{part}/sha256/{images[1]}", images[1])
        registry.link(f"blog/_manifests/tags/{tag(1)}/current", images[1])

    clock.append(push)
    pruned(registry)
    assert [registry.is_whole("blog", each) for each in images] == [False, True, False, False, True]


def test_layers_that_another_image_needs_meanwhile_come_back(
    registry: Registry, clock: list[Callable[[], object]]
) -> None:
    five(registry)
    page = hashlib.sha256(b"page 0").hexdigest()
    registry.clock = NOW

    def push() -> None:
        # The registry had found the layer when it accepted the manifest.
        manifest = registry.manifest("blog", page)
        registry.link(f"blog/_manifests/tags/v1/index/sha256/{manifest}", manifest)
        registry.link("blog/_manifests/tags/v1/current", manifest)

    clock.append(push)
    pruned(registry)
    assert "page 0" in registry.contents()
    assert (registry.root / f"repositories/blog/_layers/sha256/{page}/link").exists()


def test_a_run_that_was_killed_is_made_good_by_the_next_one(
    registry: Registry, clock: list[Callable[[], object]]
) -> None:
    images = five(registry)
    before = registry.files()

    def kill() -> None:
        raise KeyboardInterrupt

    clock.append(kill)
    with pytest.raises(KeyboardInterrupt):
        pruned(registry)
    assert registry.files() != before
    pruned(registry, keep=5)
    assert {each for each in registry.files() if not each.startswith(".")} == before
    assert all(registry.is_whole("blog", each) for each in images)


def test_nothing_is_deleted_where_the_cluster_does_not_answer(registry: Registry) -> None:
    five(registry)
    before = registry.files()

    def refused(path: str) -> Iterable[dict[str, Any]]:
        raise PruneError(path)

    with pytest.raises(PruneError):
        prune.prune(Store(registry.volume), lambda: used(refused, 2), 2, lambda _: None)
    assert registry.files() == before


def test_an_empty_registry_is_no_error(tmp_path: Path) -> None:
    said: list[str] = []
    prune.prune(Store(tmp_path), cluster({}, 2), 2, said.append)
    assert said[-1] == "0.0 MiB given back, 0.0 MiB in use"


@pytest.fixture
def account(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a pod has to ask the API server."""
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text("s3cret")
    (folder / "ca.crt").write_text(authority.certificate)
    monkeypatch.setattr(workloads, "ACCOUNT", folder)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    return folder


def there(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.server_port))


def test_objects_are_listed_page_by_page(
    serve: Any, authority: Authority, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {
        "/api/v1/pods?limit=500&continue=": (200, {"items": [1, 2], "metadata": {"continue": "more"}}),
        "/api/v1/pods?limit=500&continue=more": (200, {"items": [3], "metadata": {}}),
    }
    server = serve(authority.server(account, "127.0.0.1"), pages)
    there(server, monkeypatch)
    found: list[Any] = list(workloads.list_objects("/api/v1/pods"))
    assert found == [1, 2, 3]
    assert server.values("Authorization") == {("Bearer s3cret",)}


@pytest.mark.parametrize(
    ("answers", "names", "said"),
    [
        ({}, "127.0.0.1", "the API server answered HTTP 404 to GET /api/v1/pods; nothing was deleted"),
        (
            {"/api/v1/pods?limit=500&continue=": (200, "x")},
            "127.0.0.1",
            "the API server doesn't answer: Expecting value",
        ),
        ({}, "127.0.0.2", "the API server doesn't answer: [SSL: CERTIFICATE_VERIFY_FAILED]"),
    ],
)
def test_what_is_said_where_they_are_not(
    answers: Any,
    names: str,
    said: str,
    serve: Any,
    authority: Authority,
    account: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there(serve(authority.server(account, names), answers), monkeypatch)
    with pytest.raises(PruneError) as told:
        list(workloads.list_objects("/api/v1/pods"))
    assert str(told.value).startswith(said)
    assert str(told.value).endswith("; nothing was deleted")


def test_its_exit_code_and_what_it_says(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    five(registry)
    monkeypatch.setattr(prune, "VOLUME", registry.volume)
    monkeypatch.setenv("KEEP", "4")
    monkeypatch.setattr(prune, "list_objects", lambda _: [])
    assert prune.main() == 0
    assert capsys.readouterr().out.splitlines()[0] == "blog: 1 release deleted, 4 kept"
    monkeypatch.setattr(Store, "is_pushed_to", lambda _: True)
    assert prune.main() == 1
    assert capsys.readouterr().err.startswith("something has been pushed for 300 s; nothing was deleted")
    monkeypatch.setattr(Store, "is_pushed_to", lambda _: (registry.volume / "nothing").stat())
    assert prune.main() == 1
    assert capsys.readouterr().err.startswith("the volume can't be changed: ")
