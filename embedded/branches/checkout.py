"""The checkout of a branch: a worktree of the project's repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from embedded.errors import Failure

SHOWN = 10
"""Branches that an error lists."""


class Repository:
    """The git repository that a project is in.

    Args:
        project: The folder of the project.

    Raises:
        Failure: It is in none.
    """

    def __init__(self, project: Path) -> None:
        self._project = project
        found = self._git("rev-parse", "--show-prefix")
        if found.returncode != 0:
            raise Failure(
                f"{project} isn't a git repository ({_last(found)})", fix="clone it with git, which knows its branches"
            )
        self._prefix = found.stdout.strip()

    def commit(self, branch: str) -> str | None:
        """Return the last commit of a branch, of this repository or of a remote one; ``None``: there is none."""
        for kind in ("heads", "remotes"):
            found = self._git("rev-parse", "--verify", "--quiet", f"refs/{kind}/{branch}^{{commit}}")
            if found.returncode == 0:
                return found.stdout.strip()
        return None

    def named(self, branch: str) -> str:
        """Return the last commit of a branch.

        Raises:
            Failure: There is no such branch.
        """
        if commit := self.commit(branch):
            return commit
        listed = self._git("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes").stdout.split()
        names = ", ".join(listed[:SHOWN]) + (", …" if len(listed) > SHOWN else "")
        raise Failure(f"there is no branch {branch}", fix=f"name one of {names or 'yours, once there is one'}")

    def check_out(self, folder: Path, commit: str) -> Path:
        """Have a worktree in ``folder`` with the files of a commit, and return where the project is in it.

        Raises:
            Failure: It can't be had.
        """
        if self._git("-C", str(folder), "checkout", "--quiet", "--force", "--detach", commit).returncode != 0:
            self.remove(folder)
            # It is at no branch, since one may be checked out only once.
            added = self._git("worktree", "add", "--quiet", "--force", "--detach", str(folder), commit)
            if added.returncode != 0:
                raise Failure(f"the branch can't be checked out: {_last(added)}", fix="put that right")
        return self.project_in(folder)

    def project_in(self, folder: Path) -> Path:
        """Return where the project is in a worktree."""
        return folder / self._prefix

    def remove(self, folder: Path) -> None:
        """Remove a worktree, or what there is of it."""
        # Of one whose making was cut short, the lock has stayed.
        self._git("worktree", "unlock", str(folder))
        self._git("worktree", "remove", "--force", "--force", str(folder))
        shutil.rmtree(folder, ignore_errors=True)

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(["git", "-C", self._project, *arguments], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Failure("there is no git on PATH", fix="install git") from None


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1].removeprefix("fatal: ")
