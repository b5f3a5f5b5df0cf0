"""A Docker Engine that starts with its first client may have to try more than once."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from embedded.commands import up
from embedded.errors import Failure


def engine(monkeypatch: pytest.MonkeyPatch, failures: int) -> list[str]:
    """Have an Engine that resets so many connections before it answers; returns who has asked it."""
    asked: list[str] = []

    def connect(host: str) -> str:
        asked.append(host)
        if len(asked) <= failures:
            raise DockerException("Connection reset by peer")
        return "client"

    monkeypatch.setattr(docker, "DockerClient", connect)
    monkeypatch.setattr(up, "PAUSES", (0, 0))
    return asked


def test_a_connection_that_is_reset_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = engine(monkeypatch, failures=2)
    assert str(up._engine("unix:///engine", Path("log"))) == "client"
    assert len(asked) == 3


def test_an_engine_that_stays_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    engine(monkeypatch, failures=3)
    with pytest.raises(Failure) as failure:
        up._engine("unix:///engine", Path("log"))
    assert str(failure.value) == (
        "the Docker Engine unix:///engine doesn't answer: Connection reset by peer; run script/up again (log: log)"
    )
