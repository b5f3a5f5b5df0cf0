"""A checkout of the project that a test may do anything with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Checkout:
    """A folder with the project, used as its users do: by its scripts and by ``pulumi``."""

    path: Path

    @classmethod
    def copy_of(cls, project: Path, target: Path) -> Self:
        """Copy what git knows of ``project``, changed files as they are, into a repository of its own."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=project, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (project / name).exists():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(project / name, target / name)
        from embedded.stack import forget_salt  # here, since the tests of the program alone do without embedded/

        forget_salt(target)  # this checkout's is of another passphrase
        (target / ".venv").symlink_to(project / ".venv")
        with (target / ".gitignore").open("a") as file:
            file.write("/.venv\n")  # a link here, a folder elsewhere
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "As it is"]):
            subprocess.run(
                ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", *command], cwd=target, check=True
            )
        return cls(target)

    @property
    def state(self) -> Path:
        """Where its cluster and its stack keep what they have."""
        return self.path / ".inspiration"

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in it; the environment is that of a newcomer's shell plus ``environment``."""
        return subprocess.run(
            command, cwd=self.path, env={**newcomer(), **(environment or {})},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """What ``eval "$(script/env)"`` sets in a newcomer's shell."""
        from embedded.cluster.plan import Files  # as above

        kept = Files(self.state).environment
        return dict(_environment(self, kept.read_bytes() if kept.exists() else b"", frozenset(newcomer().items())))

    def pulumi(self, *arguments: str, stack: str = "dev") -> subprocess.CompletedProcess[str]:
        """Run plain ``pulumi`` in it, as after ``eval "$(script/env)"``."""
        return self.run(
            "pulumi", *arguments, "--stack", stack, "--non-interactive", "--color=never", environment=self.environment()
        )

    def kubectl(self, *arguments: str) -> str:
        """Run ``kubectl`` on its cluster and return what it prints.

        Raises:
            AssertionError: It fails.
        """
        done = self.run("kubectl", *arguments, environment=self.environment())
        assert done.returncode == 0, done.stderr
        return done.stdout

    def nodes(self) -> list[str]:
        """Return the nodes of its cluster, as ``node/inspiration``.

        Raises:
            AssertionError: There is no answer.
        """
        return self.kubectl("get", "nodes", "-o", "name").split()

    def volumes(self) -> list[Path]:
        """Return the folders of its cluster's volumes, on whichever node they are."""
        return [path for each in ("data", "nodes/*/data") for path in self.state.glob(f"{each}/volumes/volumes/*")]

    def images(self) -> set[str]:
        """Return the identity of each image that the Docker Engine has.

        Raises:
            AssertionError: It doesn't answer.
        """
        done = self.run("docker", "images", "--quiet", "--no-trunc", environment=self.environment())
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    def up(self, stack: str = "dev") -> None:
        """Run ``pulumi up``.

        Raises:
            AssertionError: It fails.
        """
        done = self.pulumi("up", "--yes", "--skip-preview", stack=stack)
        assert done.returncode == 0, done.stdout + done.stderr

    def configure(self, options: Mapping[str, object], *words: str) -> None:
        """Set options in the stack's file, by path; ``words`` are further ones of ``pulumi config set-all --path``.

        Raises:
            AssertionError: They can't be set.
        """
        given = [word for path, value in options.items() for word in ("--plaintext", f"{path}={value}")]
        done = self.pulumi("config", "set-all", "--path", *given, *words)
        assert done.returncode == 0, done.stderr

    @contextmanager
    def addon(self, name: str, options: Mapping[str, object] | None = None) -> Iterator[Self]:
        """Have the stack with an addon for the length of a block, and as it was before after that.

        Args:
            name: Its name in ``inspiration:addons``.
            options: What the configuration gives it, by path below its name: ``{"viewers[0]": "alice"}``.
        """
        try:
            self.switch_on(name, options)
            yield self
        finally:
            self.restore()

    def switch_on(self, addon: str, options: Mapping[str, object] | None = None) -> None:
        """Name an addon in the configuration, and run ``script/up``, which makes what it needs.

        Raises:
            AssertionError: It fails.
        """
        key = f"addons.{addon}"
        given = {f"{key}.{path}": value for path, value in (options or {}).items()} or {key: "true"}
        self.configure(given)
        done = self.run("script/up")
        assert done.returncode == 0, done.stdout + done.stderr

    def switch_off(self, addon: str) -> None:
        """Take an addon out of the configuration, and run ``pulumi up``.

        Raises:
            AssertionError: It fails.
        """
        done = self.pulumi("config", "rm", "--path", f"addons.{addon}")
        assert done.returncode == 0, done.stderr
        self.up()

    def restore(self) -> None:
        """Have the files as they were committed, and the stack as these say.

        Raises:
            AssertionError: It fails.
        """
        self.run("git", "checkout", "-q", ".")
        self.run("git", "clean", "-qfd")
        self.up()

    def outputs(self, *, secrets: bool = False, stack: str = "dev") -> dict[str, Any]:
        """Return the stack's outputs, secrets masked unless asked for."""
        shown = self.pulumi("stack", "output", "--json", *(["--show-secrets"] if secrets else []), stack=stack)
        assert shown.returncode == 0, shown.stderr
        outputs: dict[str, Any] = json.loads(shown.stdout)
        return outputs


@cache
def _environment(checkout: Checkout, _: bytes, before: frozenset[tuple[str, str]]) -> Mapping[str, str]:
    """Ask for it once: hundreds of tests need it, and it is the same until ``script/up`` keeps another one."""
    shown = checkout.run("sh", "-c", 'ours=$(script/env) && eval "$ours" && env -0')
    assert shown.returncode == 0, shown.stderr
    variables = dict(entry.split("=", 1) for entry in shown.stdout.split("\0") if "=" in entry)
    return {name: value for name, value in variables.items() - before if name != "_"}


def newcomer() -> dict[str, str]:
    """This process's environment without what an earlier ``script/env`` has set, and pytest for each test."""
    ours = ("PULUMI_", "KUBECONFIG", "DOCKER_HOST", "INSPIRATION_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
