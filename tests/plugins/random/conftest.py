"""Fixtures for the tests of the random plugin: it needs the engine, and no cluster."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.engine import with_plugin
from tests.plugins.language.project import Project


@dataclass
class RandomProject(Project):
    """A project whose programs make passwords."""

    def declare(self, *parts: str) -> None:
        """Write a program from parts, each with an indentation of its own.

        All outputs of its resource ``password`` are outputs of the stack.
        """
        start = """
        import pulumi, pulumi_random as random
        from pulumi import ResourceOptions as Options
        """
        end = """
        if "password" in globals():
            pulumi.export("password", password)
        """
        self.write("__main__.py", "".join(textwrap.dedent(part) for part in (start, *parts, end)))

    def preview(self, *words: str, fails: bool = False) -> str:
        """Preview in detail."""
        return self.pulumi("preview", "--diff", *words, fails=fails)

    def assert_no_change(self) -> None:
        """A preview finds nothing to do."""
        self.pulumi("preview", "--expect-no-changes")

    def password(self) -> dict[str, Any]:
        """The outputs of ``password``."""
        outputs: dict[str, Any] = self.outputs()["password"]
        return outputs

    def state(self) -> dict[str, Any]:
        """The one password as it is in the state."""
        [found] = [each for each in self.resources() if each["type"].endswith(":RandomPassword")]
        return found

    def stored(self) -> str:
        """All that Pulumi has written down."""
        return "".join(path.read_text() for path in self.backend.rglob("*.json*"))


@pytest.fixture(scope="session")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables with which the engine uses the random plugin of this checkout."""
    return with_plugin("random", tmp_path_factory)


@pytest.fixture
def project(tmp_path: Path, variables: dict[str, str]) -> RandomProject:
    return RandomProject(tmp_path / "project", variables)
