"""Fixtures for the tests of the language host."""

from pathlib import Path

import pytest

from tests.plugins.language.project import Project, install_plugins


@pytest.fixture(scope="session")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables with which the engine uses the plugins of this checkout."""
    return install_plugins(tmp_path_factory.mktemp("pulumi"))


@pytest.fixture
def project(tmp_path: Path, variables: dict[str, str]) -> Project:
    return Project(tmp_path / "project", variables)
