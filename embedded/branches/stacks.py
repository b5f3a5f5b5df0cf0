"""The stacks of branches: which there are, and what their tags say."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from embedded.errors import Failure

BRANCH, EXPIRES, PHASE = "inspiration:branch", "inspiration:expires", "inspiration:phase"
"""Tags: the branch; until when its stack is kept; and one of the following."""
MAKING, MADE, FAILED, REMOVING = "making", "made", "failed", "removing"


@dataclass(frozen=True)
class BranchStack:
    """A stack of a branch, or what there is of one."""

    name: str
    """The stack's."""
    branch: str | None = None
    """``None``: who made it was ended before it could say so."""
    expires: datetime | None = None
    phase: str = MAKING

    @property
    def is_half(self) -> bool:
        """Whether who made or removed it was ended, if nobody is at it."""
        return self.branch is None or self.expires is None or self.phase in (MAKING, REMOVING)

    def is_expired(self, now: datetime) -> bool:
        """Tell whether its time has come."""
        return self.expires is not None and self.expires <= now


class Stacks:
    """The stacks of a project, as ``pulumi`` knows them. Safe for several threads.

    Args:
        project: The folder of the project.
    """

    def __init__(self, project: Path) -> None:
        self._project = project

    def of_branches(self, base: str, folders: list[str]) -> list[BranchStack]:
        """Return the stacks of branches beside the stack ``base``, those that are whole first.

        Args:
            base: Name of the stack.
            folders: Names of those that have a checkout here, which may have no stack yet, or no more.

        Raises:
            Failure: Pulumi can't tell.
        """
        listed = json.loads(self.run("stack", "ls", "--json"))
        own = base.rpartition("/")[2]
        names = [name for each in listed if _is_beside(own, name := str(each["name"]).rpartition("/")[2])]
        with ThreadPoolExecutor(8) as pool:
            found = dict(zip(names, pool.map(self._tagged, names), strict=True))
        # One without tags and without a checkout is somebody's whose name looks alike.
        of_ours = [each for name, each in found.items() if each.branch or name in folders]
        gone = [BranchStack(name) for name in folders if name not in found and _is_beside(own, name)]
        return sorted([*of_ours, *gone], key=lambda each: (each.is_half, each.name))

    def exists(self, name: str) -> bool:
        """Tell whether there is a stack."""
        return self._pulumi("stack", "tag", "ls", "--stack", name).returncode == 0

    def tag(self, name: str, **tags: str) -> None:
        """Set tags of a stack, given by the names of the constants above in lower case."""
        known = {"branch": BRANCH, "expires": EXPIRES, "phase": PHASE}
        # One after another: each writes all of them.
        for tag, value in tags.items():
            self.run("stack", "tag", "set", known[tag], value, "--stack", name)

    def run(self, *arguments: str, text: str = "", folder: Path | None = None) -> str:
        """Run a ``pulumi`` command with ``text`` as its input, and return what it prints.

        Raises:
            Failure: It fails.
        """
        done = self._pulumi(*arguments, text=text, folder=folder)
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1].removeprefix("error: ")
            raise Failure(f"`pulumi {' '.join(arguments[:2])}` failed: {said}", fix="see `pulumi stack ls`")
        return done.stdout

    def _tagged(self, name: str) -> BranchStack:
        tags: Mapping[str, str] = json.loads(self.run("stack", "tag", "ls", "--json", "--stack", name) or "{}") or {}
        try:
            expires = datetime.fromisoformat(tags[EXPIRES]).astimezone(UTC)
        except (KeyError, ValueError):
            expires = None
        return BranchStack(name, tags.get(BRANCH), expires, tags.get(PHASE, MAKING))

    def _pulumi(self, *arguments: str, text: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["pulumi", *arguments, "--non-interactive", "--color=never"],
                cwd=folder or self._project, env=environment(), input=text, capture_output=True, text=True, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise Failure(
                "there is no pulumi on PATH",
                fix='install it: https://www.pulumi.com/docs/iac/download-install/, or eval "$(script/env)" for ours',
            ) from None


def environment() -> dict[str, str]:
    """Return the variables for ``pulumi``; what has decrypted a stack's secrets is found without its file, too."""
    return {**os.environ, "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true"}


def _is_beside(base: str, name: str) -> bool:
    # In a label there is no dot.
    return name.rpartition(".")[0] == base
