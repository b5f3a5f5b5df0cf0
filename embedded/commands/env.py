"""``script/env``: what another shell needs."""

from __future__ import annotations

import shlex
import sys

from embedded.commands.connection import recall
from embedded.errors import Failure


def run() -> int:
    """Print ``export`` lines for a POSIX shell.

    Raises:
        Failure: ``script/up`` has not run yet.
    """
    kept = recall()
    if kept is None:
        raise Failure("there is no embedded cluster yet", fix="run script/up first")
    environment, folders = kept
    for name, value in environment.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    # The shell that evaluates this expands $PATH: it may be another than ours, and have them already.
    first = shlex.quote(":".join(folders))
    sys.stdout.write(f'case "$PATH" in {first}:*) ;; *) export PATH={first}:"$PATH" ;; esac\n')
    return 0
