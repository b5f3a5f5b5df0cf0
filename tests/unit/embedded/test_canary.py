"""How the trial of a new version ends: what is written into the configuration, and what is said."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.commands import canary, deployment, releases
from embedded.errors import Failure
from settings.releases import CONTENT

KEY = "sites[0].promoted"
PART_OF_THE_REQUESTS = {"app.kubernetes.io/component": "canary"}


def running(content: str, image: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"annotations": {CONTENT: content}, "labels": labels},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
    }


class Cluster:
    """An API server with a site, and its trials, one after each update."""

    def __init__(self, stable: str, *trials: dict[str, Any] | None) -> None:
        self.stable, self.trials = stable, list(trials)

    def get(self, *_: object) -> dict[str, Any]:
        return running("old", self.stable)

    def objects(self, *_: object) -> list[dict[str, Any]]:
        trial = self.trials.pop(0)
        return [self.get(), *([trial] if trial else [])]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done, in its order."""
    steps: list[str] = []
    monkeypatch.setattr(deployment, "running", lambda _: [])
    monkeypatch.setattr(canary, "components", lambda _: {})
    monkeypatch.setattr(deployment, "site_namespace", lambda *_: "shop")
    monkeypatch.setattr(deployment, "pulumi", lambda *words: steps.append(" ".join(words)))
    monkeypatch.setattr(canary, "key_of", lambda _, option, __: f"sites[0].{option}")
    monkeypatch.setattr(releases, "_up", lambda _: steps.append("up"))
    return steps


def given(monkeypatch: pytest.MonkeyPatch, *trials: dict[str, Any] | None, stable: str = "a@sha256:1a2b") -> None:
    api = Cluster(stable, *trials)
    monkeypatch.setattr(deployment, "api_server", lambda _: api)


def trial(content: str) -> dict[str, Any]:
    return running(content, "a@sha256:3c4d", **PART_OF_THE_REQUESTS)


def test_what_is_tried_is_named_for_one_update(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    given(monkeypatch, trial("new"), None)
    assert canary.promote("shop", stack=None) == 0
    assert done == [f"config set --stack dev --path {KEY} new", "up", f"config rm --stack dev --path {KEY}"]


def test_a_site_that_has_changed_since_has_a_newer_trial(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    given(monkeypatch, trial("new"), trial("newer"))
    with pytest.raises(Failure, match="shop has changed since new was deployed: newer gets a part of the requests now"):
        canary.promote("shop", stack=None)
    assert done[-1] == f"config rm --stack dev --path {KEY}"


def test_after_an_update_that_failed_the_key_stays(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    given(monkeypatch, trial("new"))
    monkeypatch.setattr(releases, "_up", lambda _: 1)
    with pytest.raises(Failure, match=r"`pulumi up` failed: the reasons are above; sites\[0\]\.promoted stays set"):
        canary.promote("shop", stack=None)
    assert done == [f"config set --stack dev --path {KEY} new"]


def test_what_ran_before_is_pinned(
    monkeypatch: pytest.MonkeyPatch, done: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, trial("new"))
    assert canary.abort("shop", stack="mine") == 0
    assert done == ["config set --stack mine --path sites[0].release sha256:1a2b", "up"]
    assert "script/rollback shop --undo tries what its folder says again" in capsys.readouterr().out


def test_what_isnt_named_by_digest_cant_be_pinned(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    given(monkeypatch, trial("new"), stable="a:latest")
    with pytest.raises(Failure, match="shop runs no image by digest"):
        canary.abort("shop", stack=None)
    assert done == []
