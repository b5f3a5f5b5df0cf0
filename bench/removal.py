"""The removal of many sites, and of all else that the stack has, against kubectl with the same objects."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from bench import growth, manifests
from bench.copies import wait_for_page
from bench.interleaving import interleaved
from bench.lifecycle import AWAIT, TIDY, compared
from bench.session import DESTROY, UP, Session

SITES = 50
"""Of one pod each."""
APPLY, DELETE = f"kubectl apply --filename all.yaml\n{AWAIT}", "kubectl delete --filename all.yaml"


def measure(session: Session) -> dict[str, dict[str, Any]]:
    """Return the seconds of both ways."""
    session.have_stack()
    session.configure("sites", growth.sites(SITES, session.image()))
    session.shell.run(UP, session.project)
    folder, objects, resources = session.folder("removal"), session.objects(), session.resources()
    manifests.write(objects, folder / "all.yaml")
    session.shell.run(DESTROY, session.project)
    ways = {
        "pulumi": partial(_remove, session, session.project, UP, DESTROY, ""),
        "kubectl": partial(_remove, session, folder, APPLY, DELETE, TIDY),
    }
    seconds = interleaved(ways, session.runs)
    return {"removal": {"sites": SITES, "objects": len(objects), "resources": resources, **compared(seconds)}}


def _remove(session: Session, folder: Path, make: str, remove: str, tidy: str, _turn: int) -> float:
    session.shell.run(make, folder)
    wait_for_page(host=f"{growth.name(SITES)}.localhost")
    seconds = session.shell.seconds(remove, folder)
    session.shell.run(tidy, folder)
    return seconds
