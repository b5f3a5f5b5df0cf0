"""A copy of this checkout to measure, and what happens in it with its time."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedded.errors import Failure
from tests.checkout import Checkout, newcomer

PROJECT = Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 600


class Copy:
    """A copy of this checkout; its cluster and its files are gone at the end.

    Attributes:
        checkout: The copy.
        folder: Where it is; there is room for other things beside it.
    """

    def __init__(self, *, virtual_environment: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="inspiration-bench-", dir="/var/tmp"))
        self.checkout = Checkout.copy_of(PROJECT, self.folder / "inspiration")
        if not virtual_environment:
            (self.checkout.path / ".venv").unlink()

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *_: object) -> None:
        self.checkout.run("script/down", "--purge")
        shutil.rmtree(self.folder)


class Shell:
    """Runs commands as a user's shell does after ``eval "$(script/env)"``.

    Args:
        checkout: Whose environment.
        path: Folders of further programs, as in ``PATH``.
        variables: Further variables.
    """

    def __init__(self, checkout: Checkout, path: str = "", variables: Mapping[str, str] | None = None) -> None:
        self.environment = {**newcomer(), **checkout.environment(), **(variables or {})}
        self.environment["PATH"] = os.pathsep.join(filter(None, [path, self.environment["PATH"]]))

    def run(self, script: str, folder: Path, *, text: str | None = None) -> str:
        """Run the lines of ``script`` in ``folder``, and return what they print.

        Raises:
            Failure: One of them fails.
        """
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script], cwd=folder, env=self.environment,
            input=text or "", capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
            raise Failure(f"this failed with {done.returncode}:\n{script}\n{said}", fix="see what it says")
        return done.stdout

    def seconds(self, script: str, folder: Path) -> float:
        """Run ``script``, and return how long that took."""
        begin = time.monotonic()
        self.run(script, folder)
        return time.monotonic() - begin


def up(checkout: Checkout, *arguments: str, environment: Mapping[str, str] | None = None) -> list[tuple[float, str]]:
    """Run ``script/up``; returns the lines that it said, each with the seconds since its start.

    Raises:
        Failure: It fails.
    """
    begin, said = time.monotonic(), []
    with subprocess.Popen(
        ["script/up", *arguments], cwd=checkout.path, env={**newcomer(), "PYTHONUTF8": "1", **(environment or {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            said.append((time.monotonic() - begin, line.rstrip("\n")))
    if process.returncode != 0:
        raise Failure("script/up failed:\n" + "\n".join(line for _, line in said[-20:]), fix="see what it says")
    return said


def wait_for_page(text: str = "", host: str = "inspiration.localhost") -> None:
    """Wait until the site at ``host`` is served with a page that has ``text`` in it.

    Raises:
        Failure: It isn't after ten minutes.
    """
    end = time.monotonic() + TIMEOUT_SECONDS
    while not served(text, host):
        if time.monotonic() > end:
            raise Failure(f"{host} doesn't serve {text!r} after {TIMEOUT_SECONDS} s", fix="see script/up --status")
        time.sleep(0.02)


def served(text: str, host: str) -> bool:
    """Whether the site at ``host`` answers with a page that has ``text`` in it."""
    connection = http.client.HTTPConnection("127.0.0.1", timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": host})
        response = connection.getresponse()
        return response.status == http.client.OK and text in response.read().decode()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stages(said: Sequence[tuple[float, str]]) -> dict[str, tuple[float, float]]:
    """When each stage of ``script/up`` began and ended, in seconds since its start, by its title.

    Args:
        said: The lines that it printed, each with its time; a stage begins and ends with a line of its own.
    """
    began: dict[str, float] = {}
    found: dict[str, tuple[float, float]] = {}
    for seconds, line in said:
        mark, _, rest = line.partition(" ")
        if mark == "▸":
            began[rest] = seconds
        elif mark == "✓" and (title := rest.split("  ")[0]) in began:
            found[title] = (began[title], seconds)
    return found
