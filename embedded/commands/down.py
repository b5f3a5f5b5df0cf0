"""``script/down``: the machine as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console

from embedded import stack
from embedded.cluster.cluster import Cluster
from embedded.cluster.kubectl import Kubectl
from embedded.commands.connection import remembered
from embedded.commands.exclusive import exclusive
from embedded.errors import Failure
from embedded.paths import PROJECT, STATE
from embedded.progress import Progress


def run(console: Console, *, purge: bool, keep: bool) -> int:
    """Destroy the stack, stop the cluster.

    Args:
        console: Where to say what was done.
        purge: Also remove all data.
        keep: Don't destroy the stack.

    Raises:
        Failure: `pulumi destroy` fails, or a branch's stack can't be removed. Nothing is stopped or removed then, but
            where ``purge`` removes it all anyway.
    """
    with exclusive(console):
        return _run(console, Cluster(STATE), Progress(), purge=purge, keep=keep)


def _run(console: Console, cluster: Cluster, progress: Progress, *, purge: bool, keep: bool) -> int:
    running = not keep and cluster.supervisor.root() is not None and cluster.is_answering()
    if running and (environment := _environment(purge)) is not None:
        if kubectl := shutil.which("kubectl", path=environment["PATH"]):
            cluster.further.forget_dead(Kubectl(Path(kubectl), cluster.files.kubeconfig))
        _remove_branches(console, purge=purge)
        dev = stack.Stack(PROJECT, STATE, environment)
        code = dev.run("destroy", "--stack", stack.STACK, "--yes", "--skip-preview")
        if code != 0 and not purge:
            raise Failure(
                "`pulumi destroy` failed, see above; the cluster keeps running",
                fix="run script/down again, or script/down --purge to remove everything all the same",
            )
    with progress.stage("Stop the cluster"):
        cluster.stop()
    if purge:
        with progress.stage(f"Remove {STATE}"):
            stack.forget_salt(PROJECT)
            shutil.rmtree(STATE, ignore_errors=True)
            if STATE.exists() and any(STATE.iterdir()):
                raise Failure(f"{STATE} can't be removed completely", fix="see what holds it, and remove it by hand")
        console.print("The cluster and its data are gone. The toolchain stays in the cache, so that script/up is fast.")
    else:
        console.print("The cluster is stopped; its data stays (script/down --purge removes it).")
    return 0


def _remove_branches(console: Console, *, purge: bool) -> None:
    """Remove the stacks of branches, which need what the stack itself has deployed."""
    # Imported where it is used: it takes twice as long as all of the rest.
    from embedded.commands import preview_site

    try:
        preview_site.remove_all()
    except Failure as failure:
        if not purge:
            raise
        console.print(f"note: {failure}", markup=False)


def _environment(purge: bool) -> dict[str, str] | None:
    """What Pulumi needs; None where it has nothing to destroy, or can't, and all is removed anyway."""
    try:
        return remembered()
    except Failure:
        if not purge:
            raise
        return None
