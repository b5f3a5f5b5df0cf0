"""``script/up --status``: what runs, and how it is."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from embedded.cluster import status as cluster_status
from embedded.cluster.cluster import Cluster
from embedded.paths import STATE
from embedded.progress import duration


def show(stack: str | None = None) -> int:
    """Print the cluster's processes, and how what the stack has deployed is.

    Args:
        stack: A stack of the user's own, on whatever cluster it is, to be told of alone.

    Returns:
        0 if all of it is well, 3 if not, as ``systemctl status`` does.

    Raises:
        Failure: The stack's state can't be read.
    """
    # Imported where it is used: with Pulumi's SDK it takes half a second.
    from embedded.commands import health

    console = Console(highlight=False)
    if stack:
        return 0 if health.show(console, stack) else 3
    cluster = Cluster(STATE)
    rows = cluster_status.processes(cluster.supervisor)
    if not rows:
        console.print("The embedded cluster isn't running: script/up starts it.")
        return 3
    for each in cluster.further.wanted(cluster.further.count()):
        rows += cluster_status.node(each.node.name, each.supervisor)
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "state"):
        table.add_column(heading)
    for heading in ("pid", "since", "memory (PSS)"):
        table.add_column(heading, justify="right")
    for row in rows:
        since = duration(row.seconds) if row.pid else ""
        table.add_row(row.name, row.state, str(row.pid or ""), since, _mebibytes(row.memory))
    own = sum(row.memory for row in rows if not row.of_pods)
    table.add_section()
    table.add_row("the cluster without its pods", "", "", "", _mebibytes(own))
    table.add_row("in all", "", "", "", _mebibytes(sum(row.memory for row in rows)))
    console.print(table)
    console.print(f"logs: {cluster.files.logs}", end="\n\n")
    runs = all(row.state == "running" for row in rows if not row.of_pods)
    healthy = health.show(console)
    return 0 if runs and healthy else 3


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
