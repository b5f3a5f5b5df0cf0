"""What a site has run before, as the cluster's ReplicaSets say, and which of it is meant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from embedded.commands import releases
from embedded.commands.releases import Release, choose
from embedded.errors import Failure
from embedded.health.api import Api

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def workload(digest: str, revision: int, owner: str = "blog", **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {
            "creationTimestamp": f"2026-11-28T10:0{revision}:00Z",
            "ownerReferences": [{"kind": "Deployment", "name": owner}],
            "annotations": {"deployment.kubernetes.io/revision": str(revision), **annotations},
        },
        "spec": {"template": {"spec": {"containers": [{"image": f"localhost:32000/blog@{digest}"}]}}},
    }


class Cluster:
    """An API server with a site's objects."""

    def __init__(self, running: str, *sets: dict[str, Any]) -> None:
        self.running, self.sets = running, sets

    def get(self, *_: object) -> dict[str, Any]:
        return workload(self.running, 0)

    def objects(self, *_: object) -> list[dict[str, Any]]:
        return list(self.sets)


def found(running: str, *sets: dict[str, Any]) -> list[Release]:
    return releases.releases(cast(Api, Cluster(running, *sets)), "blog", "blog")


def test_the_newest_comes_first_and_what_runs_is_marked() -> None:
    listed = found(OLD, workload(OLD, 1), workload(NEW, 2))
    assert [(each.digest, each.running) for each in listed] == [(NEW, False), (OLD, True)]


def test_a_change_of_the_environment_is_no_release() -> None:
    assert [each.digest for each in found(OLD, workload(OLD, 1), workload(OLD, 2))] == [OLD]


def test_what_others_own_is_none() -> None:
    assert found(OLD, workload(NEW, 1, owner="blog-redirects")) == []


def test_it_says_what_it_was_built_from() -> None:
    [only] = found(OLD, workload(OLD, 1, **{"inspiration/content": "1a2b", "inspiration/commit": "c0ffee-dirty"}))
    assert (only.content, only.commit) == ("1a2b", "c0ffee-dirty")


def test_what_is_said_of_two_images_is_said_of_none() -> None:
    [new, old] = found(OLD, *(workload(each, 1, **{"inspiration/content": "1a2b"}) for each in (NEW, OLD)))
    assert (new.content, old.content) == ("", "")


def test_a_release_whose_image_the_registry_has_not_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def is_gone(registry: str, repository: str, digest: str) -> bool:
        asked.append((registry, repository))
        return digest == OLD

    monkeypatch.setattr(releases, "is_gone", is_gone)
    listed = releases.checked(found(NEW, workload(OLD, 1), workload(NEW, 2)))
    assert [(each.digest, each.gone) for each in listed] == [(NEW, False), (OLD, True)]
    assert set(asked) == {("localhost:32000", "blog")}


RUNS, BEFORE, FIRST = Release(NEW, "t", True), Release(OLD, "t", False), Release(f"sha256:{'c' * 64}", "t", False)


@pytest.mark.parametrize(
    ("asked", "chosen"), [(None, BEFORE), ("ccc", FIRST), (f"sha256:{'c' * 64}", FIRST), ("b", RUNS)]
)
def test_a_release_is_meant_by_the_digits_it_begins_with(asked: str | None, chosen: Release) -> None:
    assert choose("blog", [RUNS, BEFORE, FIRST], asked) is chosen


def test_one_that_is_gone_is_not_the_one_before() -> None:
    assert choose("blog", [RUNS, replace(BEFORE, gone=True), FIRST], None) is FIRST


@pytest.mark.parametrize(
    ("known", "asked", "cause", "fix"),
    [
        (
            [RUNS, replace(BEFORE, gone=True), FIRST],
            "aa",
            "the image of blog's release aaaaaaaaaaaa has been deleted from the registry",
            "name one of bbbbbbbbbbbb, cccccccccccc",
        ),
        ([RUNS], None, "blog has no release but the one that runs", "deploy another one first"),
        ([RUNS, BEFORE], "f00", "blog has no release f00", "name one of bbbbbbbbbbbb, aaaaaaaaaaaa"),
        ([RUNS, BEFORE], "", "blog has no release ", "name one of bbbbbbbbbbbb, aaaaaaaaaaaa"),
        (
            [BEFORE, Release(f"sha256:{'ab' * 32}", "t", False)],
            "a",
            "blog has several releases that begin with a",
            "name one of aaaaaaaaaaaa, abababababab",
        ),
    ],
)
def test_what_isnt_one_release_is_refused(known: list[Release], asked: str | None, cause: str, fix: str) -> None:
    with pytest.raises(Failure) as refused:
        choose("blog", known, asked)
    assert (refused.value.cause, refused.value.fix) == (cause, fix)
