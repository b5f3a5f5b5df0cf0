"""The installer of plugins, with the real engine and a download server of our own."""

import contextlib
import functools
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.errors import Failure
from embedded.plugins import install
from embedded.stack import backend_url
from tests.archives import unpack
from tests.plugins.language.project import engine_in
from tests.servers import serving
from tests.waiting import eventually

PYTHON = Path(sys.executable)
RESOURCES = install.RESOURCE_PLUGINS
VERSIONS = {name: install.wanted_version(name, PYTHON) for name in RESOURCES}
EACH = {"language-python", *RESOURCES}


@pytest.fixture
def pulumi(variables: dict[str, str], tmp_path: Path) -> Path:
    """An engine in a folder of its own."""
    return engine_in(tmp_path / "bin")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be downloaded."""
    monkeypatch.setenv("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES", ".*=http://127.0.0.1:1")


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[http.server.BaseHTTPRequestHandler]], None]]:
    """Makes the engine download plugins from a handler of HTTP requests."""
    with contextlib.ExitStack() as stack:

        def start(handler: type[http.server.BaseHTTPRequestHandler]) -> None:
            port = stack.enter_context(serving(handler))
            monkeypatch.setenv("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES", f".*=http://127.0.0.1:{port}")

        yield start


def summary(installed: list[install.Installed]) -> dict[str, tuple[bool, bool]]:
    """Whether each of the folder is official, and whether it was installed just now."""
    return {each.name: (each.official, each.changed) for each in installed if each.name != install.KUBERNETES}


@pytest.mark.usefixtures("offline")
def test_installs_its_own_where_nothing_can_be_downloaded_and_only_once(pulumi: Path, home: Path) -> None:
    said: list[str] = []
    first = install.install(pulumi, home, PYTHON, progress=said.append)
    assert summary(first) == dict.fromkeys(EACH, (False, True))
    assert {each.name: each.version for each in first[2:]} == VERSIONS
    assert f"looking for the official docker plugin {VERSIONS['docker']}" in said
    said.clear()
    second = install.install(pulumi, home, PYTHON, progress=said.append)
    assert summary(second) == dict.fromkeys(EACH, (False, False))
    assert said == []


@pytest.mark.usefixtures("offline")
def test_the_engine_counts_them_as_installed(pulumi: Path, home: Path) -> None:
    install.install(pulumi, home, PYTHON)
    listed = subprocess.check_output(
        [pulumi, "plugin", "ls", "--json"], env=os.environ | {"PULUMI_HOME": str(home)}, cwd=home
    )
    assert {each["name"]: each["version"] for each in json.loads(listed)} == VERSIONS


@pytest.mark.usefixtures("offline")
def test_changed_sources_are_installed_again(pulumi: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install.install(pulumi, home, PYTHON)
    before = sorted(home.glob("language-python-*"))
    runnable = install._runnable
    monkeypatch.setattr(install, "_runnable", lambda *names: runnable(*names) | {"new.py": b"# new"})
    changed = install.install(pulumi, home, PYTHON)
    assert {each.name for each in changed if each.changed} == EACH
    after = sorted(home.glob("language-python-*"))
    assert len(after) == 1
    assert after != before


@pytest.mark.usefixtures("offline")
def test_another_interpreter_is_a_change(pulumi: Path, home: Path, tmp_path: Path) -> None:
    install.install(pulumi, home, PYTHON)
    environment = tmp_path / "it's another"
    environment.symlink_to(PYTHON.parent.parent)
    changed = install.install(pulumi, home, environment / "bin/python")
    assert {each.name for each in changed if each.changed} == EACH
    launcher = home / f"plugins/resource-docker-v{VERSIONS['docker']}/pulumi-resource-docker"
    started = subprocess.Popen(
        [launcher, "127.0.0.1:1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline().strip().isdigit(), started.communicate()
    started.communicate()  # closes its standard input, which ends it
    assert started.returncode == 0


@pytest.mark.parametrize("name", RESOURCES)
def test_an_archive_runs_by_itself(tmp_path: Path, name: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(install.archive(install.plugin_files(name, PYTHON)))) as tar:
        unpack(tar, tmp_path)
    launcher = tmp_path / f"pulumi-resource-{name}"
    with subprocess.Popen(
        [launcher, "127.0.0.1:1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline().strip().isdigit(), started.communicate()
        started.terminate()
        assert started.communicate()[1] == ""
    assert started.returncode == 0


@pytest.mark.usefixtures("offline")
def test_an_official_language_host_is_kept(pulumi: Path, home: Path) -> None:
    official = pulumi.with_name("pulumi-language-python")
    official.write_bytes(b"\x7fELF official")
    assert summary(install.install(pulumi, home, PYTHON))["language-python"] == (True, False)
    assert official.read_bytes() == b"\x7fELF official"


@pytest.mark.usefixtures("offline")
def test_an_official_plugin_that_is_there_is_kept(pulumi: Path, home: Path) -> None:
    plugin = home / f"plugins/resource-docker-v{VERSIONS['docker']}/pulumi-resource-docker"
    plugin.parent.mkdir(parents=True)
    plugin.write_bytes(b"\x7fELF official")
    assert summary(install.install(pulumi, home, PYTHON))["docker"] == (True, False)
    assert plugin.read_bytes() == b"\x7fELF official"


Serve = Callable[[type[http.server.BaseHTTPRequestHandler]], None]


def site_of(folder: Path) -> type[http.server.BaseHTTPRequestHandler]:
    """A download site with the official plugins."""
    folder.mkdir()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    for name, version in VERSIONS.items():
        with tarfile.open(folder / f"pulumi-resource-{name}-v{version}-linux-{machine}.tar.gz", "w:gz") as tar:
            member = tarfile.TarInfo(f"pulumi-resource-{name}")
            member.mode, member.size = 0o755, 8
            tar.addfile(member, io.BytesIO(b"official"))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    return functools.partial(Handler, directory=str(folder))  # type: ignore[return-value]  # as good as a class


def downloads(pulumi: Path, home: Path) -> list[str]:
    """What is downloaded beside a run that takes as long as that does."""
    with install.OfficialDownloads(pulumi, home, PYTHON) as beside:
        assert eventually(lambda: bool(beside._processes))
        for process in beside._processes.values():
            process.wait()
    return beside.done


def test_the_official_plugin_is_preferred_where_it_can_be_downloaded(
    pulumi: Path, home: Path, tmp_path: Path, serve: Serve
) -> None:
    serve(site_of(tmp_path / "site"))
    installed = install.install(pulumi, home, PYTHON)
    assert summary(installed) == dict.fromkeys(RESOURCES, (True, True)) | {"language-python": (False, True)}
    assert summary(install.install(pulumi, home, PYTHON))["docker"] == (True, False)
    plugin = home / f"plugins/resource-docker-v{VERSIONS['docker']}/pulumi-resource-docker"
    assert plugin.read_bytes() == b"official"


def test_a_download_that_hangs_is_given_up_and_not_waited_for_again(
    pulumi: Path, home: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    released = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(404)

        def do_GET(self) -> None:
            asked.append(self.path)
            released.wait()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    serve(Handler)
    monkeypatch.setattr(install, "OFFICIAL_TIMEOUT", 10)
    assert summary(install.install(pulumi, home, PYTHON))["docker"] == (False, True)
    assert any("pulumi-resource-docker" in path for path in asked)
    asked.clear()
    began = time.monotonic()
    assert summary(install.install(pulumi, home, PYTHON)) == dict.fromkeys(EACH, (False, False))
    assert asked == []
    # It is tried beside the rest, as long as that takes.
    with install.OfficialDownloads(pulumi, home, PYTHON) as beside:
        assert eventually(lambda: bool(asked))
        processes = beside._processes.values()
    assert beside.done == []
    assert all(process.poll() is not None for process in processes)
    assert time.monotonic() - began < 10
    assert not (home / install.DOWNLOADS).exists()
    released.set()


def test_what_couldnt_be_downloaded_is_the_next_time(
    pulumi: Path, home: Path, tmp_path: Path, serve: Serve, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "SITES", ())
    assert summary(install.install(pulumi, home, PYTHON)) == dict.fromkeys(EACH, (False, True))
    began = time.monotonic()
    with install.OfficialDownloads(pulumi, home, PYTHON) as beside:
        time.sleep(0.5)
    assert beside.done == []
    assert not beside._processes  # no engine is started where no site can be reached
    assert time.monotonic() - began < 2

    serve(site_of(tmp_path / "site"))
    # Not waited for where ours is there.
    assert summary(install.install(pulumi, home, PYTHON))["docker"] == (False, False)
    assert downloads(pulumi, home) == list(RESOURCES)
    assert summary(install.install(pulumi, home, PYTHON)) == dict.fromkeys(RESOURCES, (True, False)) | {
        "language-python": (False, False)
    }
    for name, version in VERSIONS.items():
        assert (home / f"plugins/resource-{name}-v{version}/pulumi-resource-{name}").read_bytes() == b"official"
    listed = subprocess.check_output(
        [pulumi, "plugin", "ls", "--json"], env=os.environ | {"PULUMI_HOME": str(home)}, cwd=home
    )
    assert {each["name"]: each["version"] for each in json.loads(listed)} == VERSIONS
    with install.OfficialDownloads(pulumi, home, PYTHON) as beside:
        pass
    assert not beside._processes


def test_a_site_is_looked_for_by_the_users_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    serve(Proxy)
    proxy = os.environ["PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"].partition("=")[2]
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv(
        "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES", "^github=http://plugins.invalid/x,^https=http://b.invalid"
    )
    assert install._sites()[:2] == ["http://plugins.invalid/x", "http://b.invalid"]
    assert install._answers("http://plugins.invalid/x")
    assert asked == ["http://plugins.invalid/x"]
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert not install._answers("http://plugins.invalid/x")
    assert not install._answers("nonsense")


def test_official_plugins_are_asked_for_side_by_side(pulumi: Path, home: Path, serve: Serve) -> None:
    all_asked = threading.Barrier(len(RESOURCES), timeout=60)
    waiting = set(RESOURCES)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {name for name in RESOURCES if f"pulumi-resource-{name}-" in self.path}
            if asked & waiting:
                waiting.difference_update(asked)
                with contextlib.suppress(threading.BrokenBarrierError):
                    all_asked.wait()
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    serve(Handler)
    assert summary(install.install(pulumi, home, PYTHON)) == dict.fromkeys(EACH, (False, True))
    assert waiting == set()
    assert not all_asked.broken


@pytest.mark.usefixtures("offline")
def test_the_kubernetes_plugin_that_was_built_is_installed_once_and_again_when_it_is_another(
    pulumi: Path, home: Path, tmp_path: Path
) -> None:
    version = install.wanted_version("kubernetes", PYTHON)
    installed = home / f"plugins/resource-kubernetes-v{version}/pulumi-resource-kubernetes"
    for name in "one", "two":
        built = tmp_path / name / "pulumi-resource-kubernetes"
        built.parent.mkdir()
        built.write_bytes(b"\x7fELF " + name.encode())
        built.chmod(0o755)
        for changed in True, False:
            done = install.install(pulumi, home, PYTHON, built)[1]
            assert done == install.Installed("kubernetes", version, official=True, changed=changed)
            assert installed.read_bytes() == built.read_bytes()
            assert os.access(installed, os.X_OK)


@pytest.mark.usefixtures("offline")
def test_a_kubernetes_plugin_that_was_downloaded_is_kept_and_needs_no_build(
    pulumi: Path, home: Path, tmp_path: Path
) -> None:
    assert not install.download_kubernetes(pulumi, home, PYTHON)
    version = install.wanted_version("kubernetes", PYTHON)
    plugin = home / f"plugins/resource-kubernetes-v{version}/pulumi-resource-kubernetes"
    plugin.parent.mkdir(parents=True)
    plugin.write_bytes(b"\x7fELF official")
    assert install.download_kubernetes(pulumi, home, PYTHON)
    built = tmp_path / "pulumi-resource-kubernetes"
    built.write_bytes(b"\x7fELF built")
    assert not install.install(pulumi, home, PYTHON, built)[1].changed
    assert plugin.read_bytes() == b"\x7fELF official"


@pytest.mark.usefixtures("offline")
def test_a_kubernetes_plugin_that_was_built_is_not_looked_for_again(
    pulumi: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(install, "_install_official", lambda *words: asked.append(words))
    built = tmp_path / "pulumi-resource-kubernetes"
    built.write_bytes(b"\x7fELF built")
    built.chmod(0o755)
    install.install(pulumi, home, PYTHON, built, download=False)
    assert not install.download_kubernetes(pulumi, home, PYTHON)
    assert asked == []
    built.unlink()  # it would have to be built again
    assert not install.download_kubernetes(pulumi, home, PYTHON)
    assert len(asked) == 1


def test_an_sdk_that_is_missing_is_named(pulumi: Path, home: Path, tmp_path: Path) -> None:
    python = tmp_path / "environment/bin/python"
    with pytest.raises(Failure) as raised:
        install.install(pulumi, home, python)
    assert str(raised.value) == (
        f"the Python package pulumi-docker is not installed for {python}; "
        f"run {python} -m pip install -r requirements.txt"
    )


def test_what_the_engine_refuses_is_shown(home: Path, tmp_path: Path) -> None:
    binary = tmp_path / "pulumi"
    binary.write_text("#!/bin/sh\necho error: no space left on device >&2\nexit 1\n")
    binary.chmod(0o755)
    with pytest.raises(Failure, match=r"failed: error: no space left on device; check that .* can be written to"):
        install.install(binary, home, PYTHON)


def test_an_archive_is_the_same_each_time() -> None:
    files, others = (install.plugin_files("docker", python) for python in (PYTHON, Path("/another/python")))
    assert install.archive(files) == install.archive(dict(reversed(files.items())))
    assert install.archive(files) != install.archive(others)


def test_an_engine_without_a_host_in_its_home_says_so(pulumi: Path, home: Path, tmp_path: Path) -> None:
    pulumi.with_name("pulumi-language-python").write_text(install.launcher("pulumi-language-python"))
    pulumi.with_name("pulumi-language-python").chmod(0o755)
    (tmp_path / "Pulumi.yaml").write_text("{name: test, runtime: python}")
    variables = os.environ | {
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": backend_url(tmp_path),
        "PULUMI_CONFIG_PASSPHRASE": "test",
    }
    subprocess.run([pulumi, "stack", "init", "dev"], cwd=tmp_path, env=variables, check=True, capture_output=True)
    command = [str(pulumi), "preview", "--non-interactive"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert done.returncode != 0
    assert (
        f"there is no Python language host at {home}/pulumi-language-python; run script/up" in done.stdout + done.stderr
    )
