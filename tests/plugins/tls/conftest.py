"""Fixtures for the tests of the TLS plugin: it needs the engine, and no cluster."""

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.engine import with_plugin
from tests.plugins.language.project import Project


@dataclass
class TlsProject(Project):
    """A project whose programs make keys and certificates."""

    def declare(self, *parts: str) -> None:
        """Write a program from parts, each with an indentation of its own.

        All outputs of its resources ``key``, ``request``, ``ca`` and ``leaf`` are outputs of the stack.
        """
        start = """
        import pulumi, pulumi_tls as tls
        from pulumi import ResourceOptions as Options
        """
        end = """
        for name in ("key", "request", "ca", "leaf"):
            if name in globals():
                pulumi.export(name, globals()[name])
        """
        self.write("__main__.py", "".join(textwrap.dedent(part) for part in (start, *parts, end)))

    def preview(self, *words: str, fails: bool = False) -> str:
        """Preview in detail."""
        return self.pulumi("preview", "--diff", *words, fails=fails)

    def assert_no_change(self) -> None:
        """A preview finds nothing to do."""
        self.pulumi("preview", "--expect-no-changes")

    def state(self, type_: str) -> dict[str, Any]:
        """The one resource of a type, such as ``PrivateKey``, as it is in the state."""
        [found] = [each for each in self.resources() if each["type"].endswith(f":{type_}")]
        return found

    def edit_state(self, type_: str, **outputs: object) -> None:
        """Change outputs of the one resource of a type, as if they had been so all the time."""
        exported = json.loads(self.pulumi("stack", "export"))
        for each in exported["deployment"]["resources"]:
            if each["type"].endswith(f":{type_}"):
                each["outputs"] |= outputs
        self.pulumi("stack", "import", "--file", str(self.write("state.json", json.dumps(exported))))


@pytest.fixture(scope="session")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables with which the engine uses the TLS plugin of this checkout."""
    return with_plugin("tls", tmp_path_factory)


@pytest.fixture
def project(tmp_path: Path, variables: dict[str, str]) -> TlsProject:
    return TlsProject(tmp_path / "project", variables)
