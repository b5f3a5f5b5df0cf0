"""What docs/cis.md says of flags, fields and modes is so."""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.cis import Check, Field, Flag, Mode
from docs.cis.__main__ import CHECKS, PAGE, page
from embedded.cluster import configuration, pki
from embedded.cluster.plan import Files, Ports
from embedded.cluster.programs import Program, programs

SECTIONS = {
    "1.1": 21, "1.2": 30, "1.3": 7, "1.4": 2, "2": 7, "3.1": 3, "3.2": 2, "4.1": 10, "4.2": 14, "4.3": 1,
    "5.1": 13, "5.2": 12, "5.3": 2, "5.4": 2, "5.5": 1, "5.6": 4,
}  # fmt: skip
"""How many points each section of version 1.12 has."""

MADE_BY_RUNNING = {"data/etcd", "logs/audit.log", "config/supervisord.conf"}
"""What is there once the cluster runs; tests/e2e/test_hardening.py looks at these."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    made = Files(tmp_path_factory.mktemp("cis") / "state")
    made.make()
    pki.provide(made.pki)
    configuration.write(made, cni_bin=Path("/nowhere"))
    return made


@pytest.fixture(scope="module")
def started(files: Files) -> dict[str, Program]:
    every = programs(files, Path("/bin"), Path("/bin/kube-router"), Ports(), Path("/usr/sbin/dockerd"))
    return {program.name: program for program in every}


def evidence(kind: type) -> list[Any]:
    return [each for check in CHECKS for each in check.evidence if isinstance(each, kind)]


def value_in(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document[int(name)] if isinstance(document, list) else document.get(name)
        if document is None:
            return None
    return document


def test_every_point_is_there_once() -> None:
    expected = [f"{section}.{number}" for section, count in SECTIONS.items() for number in range(1, count + 1)]
    assert Counter(point for check in CHECKS for point in check.points) == Counter(expected)


@pytest.mark.parametrize("flag", evidence(Flag), ids=str)
def test_the_flags(started: dict[str, Program], flag: Flag) -> None:
    given = dict(
        word.removeprefix("--").partition("=")[::2] for word in started[flag.program].command if word.startswith("--")
    )
    if flag.value is None:
        assert flag.name not in given
    else:
        assert flag.name in given
        assert not flag.value or given[flag.name] == flag.value


@pytest.mark.parametrize("field", evidence(Field), ids=str)
def test_the_fields(files: Files, field: Field) -> None:
    assert value_in(yaml.safe_load((files.config / field.file).read_text()), field.path) == field.value


@pytest.mark.parametrize("mode", evidence(Mode), ids=str)
def test_the_modes(files: Files, mode: Mode) -> None:
    if mode.files in MADE_BY_RUNNING:
        return
    found = list(files.state.glob(mode.files))
    assert found
    owner = os.geteuid()  # root, where script/up makes them
    assert [
        path for path in found if stat.S_IMODE(path.stat().st_mode) & ~mode.mode or path.stat().st_uid != owner
    ] == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.points[0])
def test_what_differs_has_a_reason(check: Check) -> None:
    assert check.evidence or check.why
    assert check.why or check.state == "met"


def test_the_page_is_of_today() -> None:
    assert PAGE.read_text() == page(), "write it again: .venv/bin/python -m docs.cis"
