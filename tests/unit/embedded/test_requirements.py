"""Each Python package that is installed is pinned, and so is the content of its files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
LOCKED = sorted(
    str(path.relative_to(PROJECT).with_suffix(""))
    for path in [
        *PROJECT.glob("requirements.in"),
        *PROJECT.glob("*/requirements.in"),
        *PROJECT.glob("embedded/images/*.in"),
    ]
)
PINNED = re.compile(r"([a-z0-9._-]+)==([a-z0-9.]+)( ; [^\\]+)?((?: --hash=sha256:[0-9a-f]{64})+)")


def requirements(name: str) -> list[str]:
    """The requirements of a file, each on one line."""
    text = (PROJECT / name).read_text().replace("\\\n", "")
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def pinned(name: str) -> dict[str, str]:
    """The versions in a lock file."""
    found = [PINNED.fullmatch(line) for line in requirements(f"{name}.txt")]
    return {match[1]: match[2] for match in found if match}


def test_what_the_scripts_install_is_locked() -> None:
    installed = set(re.findall(r"\S+requirements\.txt|requirements\.txt", (PROJECT / "script/test").read_text()))
    assert installed == {"requirements.txt", "embedded/requirements.txt", "tests/requirements.txt"}
    assert {Path(name).with_suffix(".txt").as_posix() for name in LOCKED} >= installed


@pytest.mark.parametrize("name", LOCKED)
def test_every_requirement_has_a_version_and_hashes(name: str) -> None:
    assert requirements(f"{name}.txt")
    assert [line for line in requirements(f"{name}.txt") if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("name", LOCKED)
def test_the_lock_has_what_is_asked_for(name: str) -> None:
    """With ``script/lock`` forgotten, an edited file and its lock differ."""
    asked = dict(line.split("==") for line in requirements(f"{name}.in"))
    found = pinned(name)
    assert {package: found.get(package.lower().replace("_", "-")) for package in asked} == asked


def test_the_locks_that_are_installed_together_agree() -> None:
    first, second, third = (pinned(name) for name in ("requirements", "embedded/requirements", "tests/requirements"))
    for one, other in (first, second), (first, third), (second, third):
        shared = one.keys() & other.keys()
        assert {name: one[name] for name in shared} == {name: other[name] for name in shared}


def test_a_file_for_each_platform_will_do() -> None:
    """A package that is compiled has files for many: not only those of the machine where the lock was written."""
    [line] = [line for line in requirements("requirements.txt") if line.startswith("pydantic-core==")]
    assert line.count("--hash=") > 20
