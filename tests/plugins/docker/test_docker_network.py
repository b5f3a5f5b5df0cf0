"""What is run in an image that is made here reaches what the machine reaches, and leaves nothing of it behind."""

import http.server
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from embedded.images.archive import Archive, Entry
from embedded.images.base import image
from embedded.images.load import load_into_docker
from embedded.plugins.docker import made_here, package_indexes
from embedded.plugins.docker.engine import Engine, EngineOptions
from embedded.plugins.docker.image import Image
from embedded.plugins.shared.errors import PluginError
from embedded.progress import Stage
from embedded.toolchain import busybox
from tests.docker_engines import running_engine
from tests.servers import serving

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a Docker Engine needs root")

BASE = "debian:12-slim"
"""Of BusyBox alone, under the name of one that can install packages."""
APPLETS = ("env", "grep", "ip", "ls", "sh", "test", "true", "wc", "wget")
SECRET = "https://me:not-for-the-image@index.example/simple"
DOCKERFILE = f"""\
# syntax=docker/dockerfile:1
FROM {BASE} AS build
WORKDIR /out
ENV TEST=$TEST
RUN wget -q -O answer http://127.0.0.1:$PORT/ && \\
    grep -c index.example /etc/xdg/pip/pip.conf > found && ls -l /etc/xdg/pip/pip.conf >> found
COPY . .
FROM {BASE}
COPY --from=0 /out /out
USER 1000
RUN test -r /run/secrets/ca-certificates.crt
"""


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the machine")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server on the machine's loopback interface."""
    with serving(Answer) as port:
        yield port


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """An Engine with the base."""
    program = busybox.provide(Stage("busybox"), folder / "busybox.log")
    applets = [Entry(f"/bin/{name}", target="busybox", mode=0o777) for name in APPLETS]
    base = image(f"docker.io/library/{BASE}", [Entry("/bin/busybox", program), *applets], {"Cmd": ["sh"]})
    base.write(folder / "base.tar")
    with running_engine(folder) as address, closing(docker.DockerClient(address)) as client:
        load_into_docker(client, [Archive.read(folder / "base.tar")])
        yield address


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, request: pytest.FixtureRequest) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(made_here.VARIABLE, f"{BASE} python:3.11-slim")
    monkeypatch.setattr(made_here, "docker_hub_answers", lambda: False)
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {SECRET}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:not-for-the-image@proxy.example")
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("hello")
    (site / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    (site / "Dockerfile").write_text(DOCKERFILE.replace("$PORT", str(port)).replace("$TEST", request.node.name))
    return site


def build(address: str) -> list[str]:
    reported: list[str] = []
    Engine(EngineOptions(address)).build(
        Image.of({"imageName": "built:1", "build": {"context": "site"}}), reported.append
    )
    return reported


def files(client: docker.DockerClient, path: Path) -> dict[str, bytes]:
    """The files of the image, by name."""
    container = client.api.create_container("built:1", ["true"])
    with path.open("wb") as file:
        file.writelines(client.api.export(container))
    client.api.remove_container(container)
    with tarfile.open(path) as tar:
        sources = ((member.name, tar.extractfile(member)) for member in tar if member.isreg())
        return {name: source.read() for name, source in sources if source}


def test_it_has_the_network_and_the_package_indexes_of_the_machine(address: str, folder: Path, tmp_path: Path) -> None:
    reported = build(address)

    with closing(docker.DockerClient(address)) as client:
        found = files(client, tmp_path / "image.tar")
        built = client.images.get("built:1")
        told = json.dumps([built.attrs, built.history()])
    assert found["out/answer"] == b"from the machine"
    count, listed = found["out/found"].decode().splitlines()
    assert count == "1"
    assert listed.startswith("-r--r--r--")
    # Neither in the image, nor in what is told of it, nor in what the Engine keeps of the build.
    assert "pip.conf" not in " ".join(found)
    assert "run/secrets/ca-certificates.crt" not in found
    assert not [name for name, content in found.items() if b"not-for-the-image" in content]
    assert "not-for-the-image" not in told + " ".join(reported)
    kept = subprocess.run(
        ["grep", "-rlF", "@index.example", folder / "data", folder / "docker.log"], capture_output=True, text=True
    )
    assert (kept.returncode, kept.stdout) == (1, "")


def test_the_image_has_what_the_folder_has_and_shows_the_dockerfile_as_it_is_written(
    address: str, tmp_path: Path, port: int
) -> None:
    reported = build(address)
    assert not [line for line in reported if "--mount" in line or "--from=inspiration" in line]
    assert [line for line in reported if f"RUN wget -q -O answer http://127.0.0.1:{port}/" in line]
    with closing(docker.DockerClient(address)) as client:
        found = files(client, tmp_path / "image.tar")
        history = json.dumps(client.images.get("built:1").history())
    assert found["out/index.html"] == b"hello"
    assert not {"out/Dockerfile", "out/.dockerignore", "out/context"} & found.keys()
    assert "--mount" not in history


def test_a_command_that_fails_shows_its_last_lines(site: Path, address: str) -> None:
    (site / "Dockerfile").write_text(f"FROM {BASE}\nRUN echo no such package && \\\n  exit 3\n")
    with pytest.raises(PluginError) as caught:
        build(address)
    first, *output = str(caught.value).splitlines()
    assert first.startswith("building built:1 from site failed at [stage-1 2/2] RUN echo no such package && ")
    assert first.endswith(": exit code: 3")
    assert "--mount" not in first
    assert output == ["  no such package"]


def test_a_mistake_in_the_dockerfile_is_named_with_its_line(site: Path, address: str) -> None:
    (site / "Dockerfile").write_text(f"# syntax=docker/dockerfile:1\nFROM {BASE}\nRUN true\nCOPPY a b\n")
    with pytest.raises(PluginError, match=r"dockerfile parse error line 4: unknown instruction: COPPY; correct the"):
        build(address)


def test_what_the_program_says_of_the_network_counts(site: Path, address: str) -> None:
    (site / "Dockerfile").write_text(f"FROM {BASE}\nRUN ip -o link | wc -l > /links\n")
    inputs = {"imageName": "built:1", "build": {"context": "site", "network": "none"}}
    Engine(EngineOptions(address)).build(Image.of(inputs), lambda _: None)
    with closing(docker.DockerClient(address)) as client:
        assert files(client, site / "image.tar")["links"].strip() == b"1"


def test_a_base_that_is_not_made_yet_is_named(site: Path, address: str) -> None:
    (site / "Dockerfile").write_text("FROM python:3.11-slim\nRUN true\n")
    with pytest.raises(PluginError) as caught:
        build(address)
    assert str(caught.value) == (
        "site/Dockerfile names python:3.11-slim, which isn't made yet; run script/up, which makes what the Dockerfiles "
        "of sites name"
    )


def test_elsewhere_a_build_is_the_engine_s_own(site: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the list, the Engine is somebody's own, and nothing of this machine's configuration goes there."""
    monkeypatch.delenv(made_here.VARIABLE)
    monkeypatch.setattr(package_indexes, "secrets", lambda: pytest.fail("asked for"))
    (site / "Dockerfile").write_text(f"FROM {BASE}\nENV A=1\n")
    assert "Building built:1: Step 2/2 : ENV A=1" in build(address)
