"""``kubectl`` as the cluster's administrator, for what the cluster itself needs."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.errors import Failure


@dataclass(frozen=True)
class Kubectl:
    """Asks and changes the API."""

    program: Path
    kubeconfig: Path

    def run(self, *arguments: str, given: Any = None) -> str:
        """Run it, and return what it prints.

        Args:
            arguments: Its arguments.
            given: An object for its standard input.

        Raises:
            Failure: It fails.
        """
        done = subprocess.run(
            [str(self.program), "--kubeconfig", str(self.kubeconfig), *arguments],
            input=None if given is None else json.dumps(given), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Failure(f"kubectl {arguments[0]}: {done.stderr.strip()}", fix="run script/up again")
        return done.stdout

    def objects(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """Return the objects of a kind; of all namespaces, with ``--all-namespaces``.

        Raises:
            Failure: There is no answer.
        """
        listed: list[dict[str, Any]] = json.loads(self.run("get", kind, *arguments, "--output=json"))["items"]
        return listed
