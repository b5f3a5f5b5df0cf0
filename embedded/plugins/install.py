"""Installs the Pulumi plugins that the program needs: the official ones where possible, else those of this folder.

Official plugins come from Pulumi's download sites, when a version is wanted for the first time. Where that fails, ours
are installed, and nobody waits for a download again: `OfficialDownloads` tries it beside what else is done, each time.
The one for Kubernetes is Pulumi's own everywhere: where it can't be downloaded, the toolchain has built it.
"""

import functools
import gzip
import hashlib
import http.client
import importlib.metadata
import io
import json
import os
import shlex
import shutil
import ssl
import subprocess
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from embedded.errors import Failure

RESOURCE_PLUGINS = ("docker", "tls", "random")
"""The packages of this folder that are resource plugins, by Pulumi's names."""

KUBERNETES = "kubernetes"
"""The resource plugin that is built of Pulumi's own sources, by Pulumi's name."""

SHARED = "shared"
"""The package of this folder that they may import."""

LANGUAGE_HOST = "pulumi-language-python"

MARKER = "inspiration.sha256"
"""In an installed plugin: what it was made of. One that was downloaded has none."""

OFFICIAL_TIMEOUT = 20
"""Seconds for the attempt to download an official plugin that nothing stands in for yet."""

PROBE_TIMEOUT = 3
"""Seconds for a download site to answer at all."""

SITES = ("https://get.pulumi.com", "https://api.github.com")
"""Where the engine looks for official plugins."""

DOWNLOADS = "inspiration-downloads"
"""In ``PULUMI_HOME``: the ``PULUMI_HOME`` of `OfficialDownloads`."""

LANGUAGE_LAUNCHER_HEAD = "#!/bin/sh\n# Of inspiration: "

DYNAMIC_PROVIDER = "pulumi-resource-pulumi-python"
"""Runs the providers that a program defines itself (``pulumi.dynamic``): a module of the SDK."""


def launcher(name: str) -> str:
    """What lies beside the engine as ``name``, for which it doesn't look anywhere else."""
    return f"""\
{LANGUAGE_LAUNCHER_HEAD}starts the one in PULUMI_HOME: checkouts that share this engine each have their own.
host="${{PULUMI_HOME:-$HOME/.pulumi}}/{name}"
[ -x "$host" ] || {{ echo "there is no Python language host at $host; run script/up" >&2; exit 1; }}
exec "$host" "$@"
"""


HAND_OVER = """\
from {package}.shared.handover import hand_over

hand_over("{package}.{name}")

"""
"""How a resource plugin begins: it runs here only where nobody else runs it."""


@dataclass(frozen=True)
class Installed:
    """A plugin that is in place."""

    name: str
    """``language-python``, `KUBERNETES`, or one of `RESOURCE_PLUGINS`."""
    version: str
    """Without a leading ``v``; empty for an official language host, which is as old as its engine."""
    official: bool
    """Whether it is Pulumi's own, downloaded or built, or the one of this folder."""
    changed: bool
    """Whether it was installed just now."""


@dataclass(frozen=True)
class _Pulumi:
    """The engine, and the ``PULUMI_HOME`` that it works with."""

    binary: Path
    home: Path

    def plugin_install(self, *words: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        command, variables = self._plugin_install(words)
        return subprocess.run(command, cwd=self.home, env=variables, timeout=timeout, capture_output=True, text=True)

    def start_plugin_install(self, *words: str) -> subprocess.Popen[bytes]:
        command, variables = self._plugin_install(words)
        nothing = subprocess.DEVNULL
        return subprocess.Popen(
            command, cwd=self.home, env=variables, stdin=nothing, stdout=nothing, stderr=nothing
        )  # fmt: skip

    def _plugin_install(self, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        command = [str(self.binary), "plugin", "install", "resource", *words, "--non-interactive"]
        # Of a download that is cut short, Pulumi leaves a file in its temporary folder.
        ours = {"PULUMI_HOME": str(self.home), "TMPDIR": str(self.home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        return command, os.environ | ours

    def plugin(self, name: str, version: str) -> Path:
        """Where the engine keeps a resource plugin."""
        return self.home / "plugins" / f"resource-{name}-v{version}"

    def has(self, name: str, version: str) -> bool:
        """Whether it has a resource plugin that it has downloaded."""
        folder = self.plugin(name, version)
        return (folder / f"pulumi-resource-{name}").is_file() and not self.has_ours(name, version)

    def has_ours(self, name: str, version: str) -> bool:
        """Whether it has a resource plugin that was installed here."""
        return (self.plugin(name, version) / MARKER).is_file()

    def install_file(self, name: str, version: str, file: Path) -> None:
        """Install a resource plugin from its executable, or an archive with that in it."""
        done = self.plugin_install(name, version, "--file", str(file), "--reinstall")
        if done.returncode:
            raise Failure(
                f"pulumi plugin install resource {name} {version} failed: {_last_line(done.stderr)}",
                f"check that {self.home} can be written to, and run script/up again",
            )


def install(
    pulumi: Path,
    pulumi_home: Path,
    python: Path,
    kubernetes: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    download: bool = True,
) -> list[Installed]:
    """Make every plugin that the program needs available to an engine.

    Args:
        pulumi: The engine's executable. An official one comes with its language host and keeps it.
        pulumi_home: The folder that the engine is run with as ``PULUMI_HOME``.
        python: The interpreter of the virtual environment with the SDKs; what is installed runs with it, and the
            SDKs in it say which versions are wanted.
        kubernetes: The executable of the Kubernetes plugin, where the toolchain has built it; ``None`` where
            `download_kubernetes` has found it.
        progress: Called with what is being done, in a few words; from several threads.
        download: Whether to look for the official plugins.

    Returns:
        The language host, the Kubernetes plugin, then the other resource plugins.

    Raises:
        Failure: An SDK isn't installed in ``python``'s environment, or the engine refuses a plugin.
    """
    pulumi_home.mkdir(parents=True, exist_ok=True)
    engine = _Pulumi(pulumi.resolve(), pulumi_home)
    versions = {name: wanted_version(name, python) for name in RESOURCE_PLUGINS}

    def install_one(name: str) -> Installed:
        return _install_resource_plugin(engine, name, versions[name], python, download, progress)

    with ThreadPoolExecutor(len(versions)) as executor:
        installed = list(executor.map(install_one, versions))
    return [
        _install_language_host(engine, python, progress),
        _install_kubernetes(engine, wanted_version(KUBERNETES, python), kubernetes, progress),
        *installed,
    ]


def download_kubernetes(pulumi: Path, pulumi_home: Path, python: Path) -> bool:
    """Tell whether the engine has Pulumi's Kubernetes plugin in the wanted version, or can download it now.

    Where it was built and is there, nobody waits for another one.
    """
    pulumi_home.mkdir(parents=True, exist_ok=True)
    engine, version = _Pulumi(pulumi.resolve(), pulumi_home), wanted_version(KUBERNETES, python)
    if engine.has(KUBERNETES, version):
        return True
    marker = engine.plugin(KUBERNETES, version) / MARKER
    if marker.is_file() and Path(marker.read_text()).exists():
        return False
    return _install_official(engine, KUBERNETES, version)


class OfficialDownloads:
    """Downloads the official plugins that ours stand in for, while the block does something else.

    Nothing waits for them: what isn't there when the block ends is tried again the next time. What is there is put in
    place then, when no engine is at work.

    Args:
        pulumi: The engine's executable.
        pulumi_home: The folder that the engine is run with as ``PULUMI_HOME``.
        python: The interpreter of the virtual environment with the SDKs.

    Attributes:
        done: After the block, the names of those that are official from now on.
    """

    def __init__(self, pulumi: Path, pulumi_home: Path, python: Path) -> None:
        self.done: list[str] = []
        self._engine = _Pulumi(pulumi.resolve(), pulumi_home)
        self._aside = _Pulumi(pulumi.resolve(), pulumi_home / DOWNLOADS)
        self._python = python
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ended = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._versions = {name: wanted_version(name, self._python) for name in RESOURCE_PLUGINS}
        if any(self._engine.has_ours(name, version) for name, version in self._versions.items()):
            # A daemon: looking up a name can't be cut short.
            threading.Thread(target=self._start, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._ended = True
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        for name, process in self._processes.items():
            if process.returncode == 0 and self._aside.has(name, self._versions[name]):
                self._put_in_place(name)
                self.done.append(name)
        shutil.rmtree(self._aside.home, ignore_errors=True)

    def _start(self) -> None:
        if not any(map(_answers, _sites())):
            return
        with self._lock:
            if self._ended:
                return
            shutil.rmtree(self._aside.home, ignore_errors=True)  # of a run that was killed
            self._aside.home.mkdir()
            for name, version in self._versions.items():
                if self._engine.has_ours(name, version):
                    self._processes[name] = self._aside.start_plugin_install(name, version)

    def _put_in_place(self, name: str) -> None:
        version = self._versions[name]
        place = self._engine.plugin(name, version)
        place.rename(self._aside.home / f"ours-{name}")
        self._aside.plugin(name, version).rename(place)


def plugin_files(name: str, python: Path) -> dict[str, bytes]:
    """What the resource plugin ``name``, run by ``python``, consists of, by path.

    It is an executable, as the engine wants it, and copies of its package and of `SHARED`, so that it outlives this
    checkout.
    """
    executable = f"pulumi-resource-{name}"
    package = executable.replace("-", "_")
    files = _runnable(package, name, SHARED)
    files["__main__.py"] = HAND_OVER.format(package=package, name=name).encode() + files["__main__.py"]
    # Isolated: neither the user's PYTHONPATH nor packages in the home folder change what a plugin imports.
    files[executable] = f'#!/bin/sh\nexec {shlex.quote(str(python))} -I "${{0%/*}}" "$@"\n'.encode()
    files[MARKER] = _digest(files)
    return files


def archive(files: Mapping[str, bytes]) -> bytes:
    """A plugin's tarball: the same bytes for the same files."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            member.mode = 0o755 if content.startswith(b"#!") else 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _install_resource_plugin(
    engine: _Pulumi, name: str, version: str, python: Path, download: bool, progress: Callable[[str], None]
) -> Installed:
    if engine.has(name, version):
        return Installed(name, version, official=True, changed=False)
    if download and not engine.has_ours(name, version):
        progress(f"looking for the official {name} plugin {version}")
        if _install_official(engine, name, version):
            return Installed(name, version, official=True, changed=True)
    files, marker = plugin_files(name, python), engine.plugin(name, version) / MARKER
    if marker.is_file() and marker.read_bytes() == files[MARKER]:
        return Installed(name, version, official=False, changed=False)
    progress(f"installing the embedded {name} plugin {version}")
    with tempfile.NamedTemporaryFile(suffix=".tar.gz", dir=engine.home) as file:
        file.write(archive(files))
        file.flush()
        engine.install_file(name, version, Path(file.name))
    return Installed(name, version, official=False, changed=True)


def _install_kubernetes(
    engine: _Pulumi, version: str, built: Path | None, progress: Callable[[str], None]
) -> Installed:
    marker = engine.plugin(KUBERNETES, version) / MARKER
    # The toolchain's cache is keyed by content.
    if built is None or engine.has(KUBERNETES, version) or (marker.is_file() and marker.read_text() == str(built)):
        return Installed(KUBERNETES, version, official=True, changed=False)
    progress(f"installing the {KUBERNETES} plugin {version}")
    engine.install_file(KUBERNETES, version, built)
    marker.write_text(str(built))
    return Installed(KUBERNETES, version, official=True, changed=True)


def _install_official(engine: _Pulumi, name: str, version: str) -> bool:
    try:
        done = engine.plugin_install(name, version, "--reinstall", timeout=OFFICIAL_TIMEOUT)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _sites() -> list[str]:
    """Where official plugins are downloaded from, as the user may have it: by pairs of REGEXP=URL."""
    overrides = os.environ.get("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES", "")
    urls = [url for pair in overrides.split(",") if (url := pair.partition("=")[2])]
    return list(dict.fromkeys([*(url for url in urls if url.startswith(("http://", "https://"))), *SITES]))


def _answers(url: str) -> bool:
    """Whether a site can be reached, by the user's proxy where there is one; what it answers doesn't matter."""
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - HTTP only
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_trusted()))
        with opener.open(request, timeout=PROBE_TIMEOUT):
            return True
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # the engine may trust whom Python doesn't
    except (OSError, ValueError, http.client.HTTPException):
        return False


@functools.cache
def _trusted() -> ssl.SSLContext:
    """What the machine trusts; to read its certificates takes 50 ms."""
    return ssl.create_default_context()


def _install_language_host(engine: _Pulumi, python: Path, progress: Callable[[str], None]) -> Installed:
    beside = engine.binary.with_name(LANGUAGE_HOST)
    if beside.is_file() and not _is_launcher(beside):
        return Installed("language-python", "", official=True, changed=False)
    files = _runnable("pulumi_language_python", "language", SHARED)
    digest = _digest(files).decode()
    folder = engine.home / f"language-python-{digest[:16]}"
    run = f"#!/bin/sh\nexec {shlex.quote(str(python))} -u"
    starts = {LANGUAGE_HOST: shlex.quote(str(folder)), DYNAMIC_PROVIDER: "-m pulumi.dynamic"}
    wanted = {engine.home / name: f'{run} {what} "$@"\n'.encode() for name, what in starts.items()}
    wanted |= {engine.binary.with_name(name): launcher(name).encode() for name in starts}
    version = _sdk_version(python)
    current = all(path.is_file() and path.read_bytes() == content for path, content in wanted.items())
    if folder.is_dir() and current:
        return Installed("language-python", version, official=False, changed=False)
    progress(f"installing the embedded Python language host {version}")
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for place, start in wanted.items():
        _put_executable(place, start)
    for old in engine.home.glob("language-python-*"):
        if old != folder:
            shutil.rmtree(old)
    return Installed("language-python", version, official=False, changed=True)


def _is_launcher(path: Path) -> bool:
    head = LANGUAGE_LAUNCHER_HEAD.encode()
    with path.open("rb") as file:  # an official one is a large binary
        return file.read(len(head)) == head


def _runnable(parent: str, start: str, *more: str) -> dict[str, bytes]:
    """The files of a folder that Python can run: packages of this folder in one called ``parent``; runs ``start``.

    They lie in it as in this folder, so that their relative imports mean the same.
    """
    root = Path(__file__).parent
    sources = [root / "__init__.py", *(path for package in (start, *more) for path in (root / package).rglob("*"))]
    files = {
        str(Path(parent, path.relative_to(root))): path.read_bytes()
        for path in sources
        if path.is_file() and "__pycache__" not in path.parts
    }
    main = f'import runpy\n\nrunpy.run_module("{parent}.{start}", run_name="__main__", alter_sys=True)\n'
    return files | {"__main__.py": main.encode()}


def _digest(files: dict[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest().encode()


def wanted_version(name: str, python: Path) -> str:
    """The version of the resource plugin ``name`` that its SDK in ``python``'s environment asks for.

    Raises:
        Failure: There is no such SDK.
    """
    for folder in _site_packages(python):
        description = folder / f"pulumi_{name}" / "pulumi-plugin.json"
        if description.is_file():
            return str(json.loads(description.read_text())["version"]).removeprefix("v")
    raise _not_installed(f"pulumi-{name}", python)


def _sdk_version(python: Path) -> str:
    for distribution in importlib.metadata.distributions(name="pulumi", path=list(map(str, _site_packages(python)))):
        return distribution.version
    raise _not_installed("pulumi", python)


def _site_packages(python: Path) -> list[Path]:
    # Not `resolve`: a virtual environment's python is a link to the interpreter that it was made with.
    return sorted(python.absolute().parent.parent.glob("lib/python3*/site-packages"))


def _not_installed(distribution: str, python: Path) -> Failure:
    return Failure(
        f"the Python package {distribution} is not installed for {python}",
        f"run {python} -m pip install -r requirements.txt",
    )


def _put_executable(path: Path, content: bytes) -> None:
    """Write ``path`` in one step: a run of Pulumi may be starting it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o755)
    Path(file.name).replace(path)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
