"""What the embedded cluster is doing, for ``script/up --status``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import psutil

from embedded.cluster.supervision import Supervisor

PODS = "(pods)"
"""How the row of everything that runs in containers begins."""


@dataclass(frozen=True)
class ProcessStatus:
    """One program of the cluster."""

    name: str
    state: str
    """Supervisor's word for it, as ``running`` or ``backoff``."""
    pid: int | None
    """As the machine numbers it."""
    seconds: float
    """Since its start."""
    memory: int
    """Proportional set size in bytes: what it shares is divided among those that share it."""

    @property
    def of_pods(self) -> bool:
        """Whether this is what runs in containers."""
        return self.name.startswith(PODS)


def processes(supervisor: Supervisor) -> list[ProcessStatus]:
    """The cluster's programs, the supervisor first and the pods' processes, taken together, last."""
    root = supervisor.root()
    if root is None:
        return []
    running = supervisor.processes()
    rows = [_status("supervisor", "running", root, [root])]
    ours = {root.pid}
    for state in supervisor.states():
        process = running.get(state["name"])
        family = [process, *_descendants(process)] if process else []
        ours.update(member.pid for member in family)
        rows.append(_status(state["name"], state["statename"].lower(), process, family))
    pods = [process for process in _descendants(root) if process.pid not in ours]
    rows.append(_status(PODS, f"{len(pods)} processes", None, pods))
    return rows


def node(name: str, supervisor: Supervisor) -> list[ProcessStatus]:
    """A further node's programs, taken together, and its pods' processes."""
    rows = processes(supervisor)
    if not rows:
        return [ProcessStatus(name, "stopped", None, 0.0, 0)]
    *programs, pods = rows
    others = ", ".join(f"{row.name} {row.state}" for row in programs if row.state != "running")
    memory = sum(row.memory for row in programs)
    together = replace(programs[0], name=name, state=others or programs[0].state, memory=memory)
    return [together, replace(pods, name=f"{PODS} of {name}")]


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _status(name: str, state: str, process: psutil.Process | None, family: Iterable[psutil.Process]) -> ProcessStatus:
    memory = 0
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            memory += member.memory_full_info().pss
    seconds = time.time() - process.create_time() if process else 0.0
    return ProcessStatus(name, state, process.pid if process else None, seconds, memory)
