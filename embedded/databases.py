"""The databases of the addon ``postgres`` in a backup: as a dump, since files that are being written make no database.

The server loads it when it starts with no other data.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from embedded.errors import Failure

DATA, DUMP = "data/volumes/volumes/*_postgres_postgres/15", "data/volumes/volumes/*_postgres_postgres/dump.sql"
"""Where the addon's volume has them, relative to the folder of its node."""
NODES = ("", "nodes/[2-9]/")
"""The folders of the nodes, relative to the state folder, as patterns."""

_DUMP = "umask 077; pg_dumpall --file=/data/dump.sql.partial; mv /data/dump.sql.partial /data/dump.sql"


@contextlib.contextmanager
def dumped(state: Path, environment: Mapping[str, str]) -> Iterator[Sequence[str]]:
    """Have a dump of the databases beside them for the block.

    Args:
        state: The state folder of a cluster that runs.
        environment: What ``kubectl`` needs.

    Yields:
        What to leave out of a backup for it, relative to the state folder.

    Raises:
        Failure: There are databases, and they can't be dumped.
    """
    found = [str(path.relative_to(state)) for node in NODES for path in state.glob(node + DATA)]
    if not found:
        yield ()
        return
    server = ["-n", "postgres", "statefulset/postgres", "--container=postgres"]
    done = subprocess.run(
        ["kubectl", "exec", *server, "--", "sh", "-euc", _DUMP],
        env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Failure(f"the databases can't be dumped: {reason}", fix="see script/up --status, then run this again")
        yield found
    finally:
        for dump in (path for node in NODES for name in (DUMP, f"{DUMP}.partial") for path in state.glob(node + name)):
            dump.unlink()
