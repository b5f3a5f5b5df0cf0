"""An image of a Python program is made of the Python that is here, and runs with nothing else."""

import dataclasses
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from embedded import paths
from embedded.addons import dashboard
from embedded.errors import Failure
from embedded.images.archive import Entry, Image, tree
from embedded.images.python_image import INTERPRETER, PACKAGES, PythonImage
from tests.archives import unpack
from tests.unit.embedded.test_images import layer, member

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")

WHEEL = {
    "hello/__init__.py": "VALUES = {'a', 'b', 'c'}\ndef main(): return 'hello'\n",
    "hello/tests/test_hello.py": "",
    "hello/hello.pyi": "",
    "hello-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: hello\nVersion: 1\nRequires-Dist: no-such-package\n",
    "hello-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "hello-1.dist-info/RECORD": "".join(f"{name},,\n" for name in ("hello/__init__.py", "hello-1.dist-info/RECORD")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of a package."""
    folder = tmp_path_factory.mktemp("python-image")
    with zipfile.ZipFile(folder / "hello-1-py3-none-any.whl", "w") as wheel:
        for name, text in WHEEL.items():
            wheel.writestr(name, text)
    (folder / "requirements.txt").write_text("hello==1\n")
    return folder


@pytest.fixture(scope="module")
def image(folder: Path) -> PythonImage:
    """An image of the package."""
    base = Image("docker.io/example/hello:1", [Entry("/etc/hello", b"x", mode=0o644)], {"Entrypoint": [INTERPRETER]})
    return PythonImage(base, folder / "requirements.txt", "hello", "do without")


@pytest.fixture(autouse=True, scope="module")
def offline(folder: Path, request: pytest.FixtureRequest) -> None:
    """pip has nothing but the wheel, and its log goes elsewhere."""
    patch = pytest.MonkeyPatch()
    request.addfinalizer(patch.undo)
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(folder))
    patch.setattr(paths, "CACHE", folder / "cache")


@pytest.fixture(scope="module")
def archive(image: PythonImage, folder: Path) -> Path:
    """Its archive."""
    image.write(folder / "image.tar")
    return folder / "image.tar"


@pytest.fixture(scope="module")
def root(archive: Path, folder: Path) -> Path:
    """Its root folder, unpacked."""
    with layer(archive) as tar:
        unpack(tar, folder / "root")
    return folder / "root"


def run(root: Path, code: str) -> str:
    """What Python says to ``code`` with nothing but the image around it."""
    command = ["chroot", str(root), "/usr/local/bin/python3", "-B", "-c", code]
    environment = {"PATH": os.environ["PATH"] + ":/usr/sbin", "PYTHONPATH": PACKAGES}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@needs_root
def test_the_program_runs_with_nothing_but_the_image(root: Path) -> None:
    assert run(root, "import hello; print(hello.main())") == "hello"
    assert run(root, "import sys; print(sys.version)") == sys.version
    assert run(root, "import sys; print(sys.base_prefix)") == "/usr/local"


@needs_root
def test_extensions_of_the_library_find_their_shared_libraries(root: Path) -> None:
    assert run(root, "import asyncio, ctypes, hashlib, ssl, zlib; print(ssl.OPENSSL_VERSION)").startswith("OpenSSL ")
    unloadable = """
import importlib.util, os, sysconfig
folder = os.path.join(sysconfig.get_path("stdlib"), "lib-dynload")
for file in sorted(os.listdir(folder)):
    try:
        importlib.import_module(file.partition(".")[0])
    except ImportError as error:
        print(file, error)
"""
    assert run(root, unloadable) == ""


@needs_root
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_the_library_that_the_c_library_loads_when_a_thread_ends_early_is_there(root: Path) -> None:
    assert run(root, "import ctypes; ctypes.CDLL('libgcc_s.so.1')") == ""


def test_what_nobody_runs_is_not_in_the_image(archive: Path) -> None:
    with layer(archive) as tar:
        parts = {part for name in tar.getnames() for part in name.split("/")}
        suffixes = {Path(name).suffix for name in tar.getnames()}
    assert "asyncio" in parts
    assert not parts & {"test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "pip", "site-packages"}
    assert not suffixes & {".a", ".c", ".h", ".pyi"}


def test_all_byte_code_is_there_and_is_never_compared_with_its_source(archive: Path) -> None:
    cached = f".{sys.implementation.cache_tag}.pyc"
    with layer(archive) as tar:
        names = set(tar.getnames())
        header = member(tar, f"{PACKAGES[1:]}/hello/__pycache__/__init__{cached}").read(8)
    assert int.from_bytes(header[4:], "little") == 0b01  # hash-based and unchecked, by PEP 552
    sources = [Path(name) for name in names if name.endswith(".py")]
    assert [path for path in sources if f"{path.parent}/__pycache__/{path.stem}{cached}" not in names] == []


def test_the_same_program_gives_the_same_bytes(image: PythonImage, archive: Path, folder: Path) -> None:
    image.write(folder / "second.tar")
    assert (folder / "second.tar").read_bytes() == archive.read_bytes()


def test_nothing_is_left_beside_the_archive(archive: Path) -> None:
    assert [path.name for path in archive.parent.iterdir() if path.name.startswith("tmp")] == []


def test_the_key_changes_with_everything_that_the_image_is_made_of(
    image: PythonImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "requirements.txt"
    other.write_text("hello==2\n")
    keys = [
        image.key(),
        dataclasses.replace(image, requirements=other).key(),
        dataclasses.replace(image, module="hello.main").key(),
        dataclasses.replace(image, base=dataclasses.replace(image.base, reference="docker.io/example/hello:2")).key(),
    ]
    monkeypatch.setattr("ssl.OPENSSL_VERSION", "OpenSSL 9.9.9")
    keys.append(image.key())
    monkeypatch.setattr(sys, "version", "3.99")
    keys.append(image.key())
    assert len(set(keys)) == len(keys)


def test_the_key_does_not_depend_on_where_the_checkout_is(image: PythonImage, tmp_path: Path) -> None:
    assert image.requirements
    copy = tmp_path / "requirements.txt"
    copy.write_text(image.requirements.read_text())
    assert dataclasses.replace(image, requirements=copy).key() == image.key()


def test_a_package_that_cannot_be_had_is_named_with_the_way_out(image: PythonImage, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("hello==2\n")
    with pytest.raises(Failure) as caught:
        dataclasses.replace(image, requirements=requirements).write(tmp_path / "image.tar")
    assert caught.value.cause == "hello can't be installed from PyPI: No matching distribution found for hello==2"
    assert caught.value.fix == "check the network and pip's settings, or do without"
    assert caught.value.log is not None
    assert "hello==2" in caught.value.log.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["requirements.txt"]


@needs_root
def test_an_image_that_does_not_run_is_refused(image: PythonImage, root: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as output, pytest.raises(Failure) as caught:
        dataclasses.replace(image, module="no_such_module")._check(root, log, output.fileno())
    assert str(caught.value) == (
        f"hello doesn't run in an image made of the Python in {sys.base_prefix}: "
        "ModuleNotFoundError: No module named 'no_such_module'; "
        f"remove .venv and have your distribution's python3 first on PATH, or do without (log: {log})"
    )


def test_a_tree_has_links_as_links_and_modes_that_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    (tmp_path / "bin/tool").write_text("")
    (tmp_path / "bin/tool").chmod(0o710)
    (tmp_path / "bin/alias").symlink_to("tool")
    (tmp_path / "data").write_text("")
    (tmp_path / "data").chmod(0o600)
    assert sorted(tree(tmp_path), key=lambda entry: entry.path) == [
        Entry("/bin"),
        Entry("/bin/alias", target="tool", mode=0o777),
        Entry("/bin/tool", tmp_path / "bin/tool", mode=0o755),
        Entry("/data", tmp_path / "data", mode=0o644),
    ]


def test_the_dashboard_is_called_and_run_as_upstreams_image() -> None:
    image = dashboard.kube_web_view()
    assert image.base.reference == "docker.io/hjacobs/kube-web-view:21.2.0"
    assert image.base.config["Entrypoint"] == ["/usr/local/bin/python", "-m", "kube_web"]
    assert "User" not in image.base.config
    assert f"PYTHONPATH={PACKAGES}" in image.base.config["Env"]  # type: ignore[operator]


def test_the_dashboards_packages_are_listed_in_order() -> None:
    locked = dashboard.kube_web_view().requirements
    assert locked
    lines = locked.with_suffix(".in").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert packages == sorted(packages, key=lambda line: line.partition("==")[0])
