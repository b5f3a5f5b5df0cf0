"""Fixtures for the tests of the Docker plugin: the machine's Docker Engine and registry, as they are."""

import os
import socket
import struct
import textwrap
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import psutil
import pytest

from tests.plugins.language.project import Project, install_plugins

REGISTRY = os.environ.get("TEST_REGISTRY", "localhost:32000")
"""A registry that the Docker Engine and this machine know by the same name: the cluster's, or one of your own."""

NOWHERE = "unix:///nonexistent/docker.sock"
"""Where no Docker Engine is."""


@dataclass
class ImageProject(Project):
    """A project with a folder ``site`` to build, and a name for its image that nobody else uses."""

    repository: str = ""

    def declare(self, arguments: str = "", build: str = "", name: str = "", options: str = "") -> None:
        """Write a program with one image; further Python text goes to where its name says."""
        name = name or f"{self.repository}:one"
        self.write(
            "__main__.py",
            textwrap.dedent(f"""
            import pulumi, pulumi_docker as docker
            OPTIONS
            image = docker.Image("site", build={{"context": "site", {" ".join(build.split())}}},
                                 image_name={name!r}, {arguments})
            image.repo_digest.apply(lambda digest: print(f"known: {{digest}}"))
            for key in ("base_image_name", "context", "dockerfile", "image_name", "platform", "registry_server",
                        "repo_digest"):
                pulumi.export(key, getattr(image, key))
            """).replace("OPTIONS", options),
        )

    @property
    def digest(self) -> str:
        """Of what the state says is pushed."""
        return str(self.outputs()["repo_digest"]).rpartition("@")[2]


@pytest.fixture(scope="session")
def variables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables with which the engine uses the plugins of this checkout."""
    if "TEST_REGISTRY" not in os.environ:
        request.getfixturevalue("site")  # the stack has the registry
    return install_plugins(tmp_path_factory.mktemp("pulumi"))


@pytest.fixture
def docker_engine(variables: dict[str, str]) -> Iterator[docker.DockerClient]:
    client = docker.from_env(environment=variables)
    yield client
    client.close()


@pytest.fixture
def project(tmp_path: Path, variables: dict[str, str], docker_engine: docker.DockerClient) -> Iterator[ImageProject]:
    repository = f"{REGISTRY}/test-{uuid.uuid4().hex[:12]}"
    project = ImageProject(tmp_path / "project", variables, repository=repository)
    project.write("site/index.html", "hello")
    project.write("site/Dockerfile", "FROM scratch\nCOPY . /\n")
    project.declare()
    yield project
    for image in docker_engine.images.list(name=repository):
        docker_engine.images.remove(str(image.id), force=True)


def engine_process(host: str) -> psutil.Process:
    """The process that listens for the Docker Engine's clients."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(host.removeprefix("unix://"))
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return psutil.Process(struct.unpack("3i", credentials)[0])
