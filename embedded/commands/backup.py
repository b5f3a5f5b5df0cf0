"""``script/backup`` and ``script/restore``: the cluster and its stack in one file, and back."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from embedded import backup, databases, stack, stack_lock
from embedded.cluster.cluster import Cluster
from embedded.commands import connection
from embedded.commands.exclusive import exclusive
from embedded.paths import PROJECT, STATE
from embedded.progress import Progress


def write(console: Console, file: Path) -> int:
    """Write a backup; what runs goes on running.

    Raises:
        Failure: It can't be made; it says why.
    """
    with exclusive(console):
        stack_lock.release_dead(STATE / "pulumi", stack.project_name(PROJECT), stack.STACK)
        with Progress().stage(f"Back up to {file}") as stage:
            cluster, configuration = Cluster(STATE), stack.configuration(PROJECT)
            stack.parsed(configuration)
            # Of a cluster that is stopped, the files are at rest.
            dumped = databases.dumped(STATE, connection.remembered() or {}) if cluster.is_answering() else None
            backup.write(STATE, file, configuration, cluster.etcd_stopped(), dumped)
            stage.result = f"{file.stat().st_size / 1e6:.1f} MB"
    console.print("It holds keys and passwords: keep it as safe as those. script/restore brings all of it back.")
    return 0


def restore(console: Console, file: Path) -> int:
    """Put a backup in place; ``script/up`` starts what is in it.

    Raises:
        Failure: There is a cluster already, the stack has another configuration than the backup, or the file is none;
            nothing was changed.
    """
    with exclusive(console), Progress().stage(f"Restore {file}") as stage:
        made = backup.restore(STATE, file, stack.configuration(PROJECT))
        # What the stack's file has belongs to another passphrase.
        stack.forget_salt(PROJECT)
        stage.result = f"as of {made:%Y-%m-%d %H:%M} UTC"
    console.print("Now run script/up: it starts the cluster with all that was on it.")
    return 0
