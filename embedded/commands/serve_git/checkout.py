"""What was pushed, in a folder that Pulumi can run in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embedded.commands import deployment
from embedded.errors import Failure
from embedded.paths import PROJECT
from embedded.stack import project_name

INSTALLED = "requirements.txt"
"""What the program needs, which this checkout has installed."""
ENCRYPTION = ("encryptionsalt:", "encryptedkey:", "secretsprovider:")
"""How the lines of a stack's file begin that belong to its state, not to a commit."""


class Checkout:
    """Commits of a bare repository, for a stack.

    Args:
        repository: The repository.
        objects: Folders with its objects, also those that are being pushed.
        stack: Name of the stack.
    """

    def __init__(self, repository: Path, objects: Sequence[str], stack: str) -> None:
        self.folder = repository / "checkout"
        """Where they are while a push is received; what is left there was killed."""
        self.stack = stack
        self._objects = objects

    def of(self, commit: str) -> Path:
        """Check a commit out beside this checkout's Python environment, and return the folder.

        It is a repository, so that releases know of which commit they are; what is being pushed isn't in any other
        one's history yet.

        Raises:
            Failure: It isn't this project, needs what isn't installed, or there is no configuration of the stack.
        """
        folder = self.folder / commit
        shutil.rmtree(self.folder, ignore_errors=True)
        git("init", "--quiet", "--", str(folder))
        (folder / ".git" / "objects" / "info" / "alternates").write_text("".join(f"{each}\n" for each in self._objects))
        with (folder / ".git" / "info" / "exclude").open("a") as file:
            file.write("/.venv\n")
        git("-C", str(folder), "checkout", "--quiet", "--detach", commit)
        _refuse_other(folder)
        (folder / ".venv").symlink_to((PROJECT / ".venv").resolve())
        self._configure(folder)
        return folder

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets masked.

        Raises:
            Failure: They can't be read.
        """
        return deployment.pulumi("stack", "output", "--json", "--stack", self.stack)

    def _configure(self, folder: Path) -> None:
        """Have the stack's file: the commit's, or else this checkout's, which has the salt of its secrets, too."""
        name = f"Pulumi.{self.stack.rpartition('/')[2]}.yaml"
        pushed, own = folder / name, PROJECT / name
        if not pushed.exists():
            if not own.exists():
                raise Failure(f"there is no {name}, neither in what was pushed nor in {PROJECT}", fix="commit it")
            shutil.copyfile(own, pushed)
            return
        text = pushed.read_text(encoding="utf-8")
        lines = own.read_text(encoding="utf-8").splitlines() if own.exists() else []
        if not any(line.startswith(ENCRYPTION) for line in text.splitlines()):
            missing = [line for line in lines if line.startswith(ENCRYPTION)]
            pushed.write_text("\n".join([text.rstrip("\n"), *missing, ""]), encoding="utf-8")


def _refuse_other(folder: Path) -> None:
    ours = project_name(PROJECT)
    if not (folder / "Pulumi.yaml").is_file() or project_name(folder) != ours:
        raise Failure(
            f"refused: what was pushed isn't the project {ours}, whose Pulumi.yaml it would have",
            fix=f"push the history of {PROJECT}, with your sites in it",
        )
    if (folder / INSTALLED).read_bytes() != (PROJECT / INSTALLED).read_bytes():
        raise Failure(
            f"refused: {INSTALLED} is another one than in {PROJECT}, whose packages are used",
            fix="have that checkout at the same version, and run script/up there",
        )


def git(*arguments: str) -> None:
    """Run git.

    Raises:
        Failure: There is none, or it says no.
    """
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Failure("there is no git on PATH", fix="install it") from None
    if done.returncode:
        said = " ".join(done.stderr.split()).removeprefix("fatal: ")
        raise Failure(f"git says: {said}", fix="put that right")
