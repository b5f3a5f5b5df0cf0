"""More and more sites in one stack, their image ready-made: ``up``, a preview without changes, and one site changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from bench.command_line import SIZES
from bench.copies import wait_for_page
from bench.figures import slope, summary
from bench.session import UP, Session


def measure(session: Session, sizes: Sequence[int] = SIZES) -> dict[str, dict[str, Any]]:
    """Return the seconds of each for each number of sites.

    Args:
        session: Where.
        sizes: The numbers of sites, growing.
    """
    session.have_stack()
    image = session.image()
    pulumi = partial(session.shell.seconds, folder=session.project)
    rows, before = [], session.resources()
    for size in sizes:
        session.configure("sites", sites(size, image))
        up = pulumi(UP)
        wait_for_page(host=f"{name(size)}.localhost")
        resources = session.resources()
        previews = [pulumi("pulumi preview --expect-no-changes") for _ in range(session.runs)]
        changes = []
        for turn in range(session.runs):
            session.configure("sites", sites(size, image, memory=f"{129 + turn}Mi"))
            begin = time.monotonic()
            pulumi(UP)
            changes.append(time.monotonic() - begin)
        rows.append(
            {
                "sites": size,
                "resources": resources,
                "made": resources - before,
                "up": round(up, 2),
                "preview": summary(previews),
                "change": summary(changes),
            }
        )
        before = resources
    return {"growth": {"rows": rows, **figures(rows)}}


def figures(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """What each resource more costs in a preview, in milliseconds, and one change among most to one among fewest."""
    previews = {row["resources"]: row["preview"]["median"] for row in rows}
    changes = [row["change"]["median"] for row in rows]
    found = {"change_ratio": round(changes[-1] / changes[0], 3)}
    if len(previews) > 1:
        found["preview_ms_per_resource"] = round(slope(previews) * 1000, 2)
    return found


def sites(number: int, image: str, memory: str = "128Mi") -> list[dict[str, Any]]:
    """So many sites of one pod each, the last of which may have another limit of ``memory``."""
    requests = {"cpu": "1m", "memory": "8Mi"}
    return [
        {
            "name": name(index),
            "image": image,
            "healthPath": "/healthz",
            "replicas": 1,
            "resources": {"requests": requests, "limits": {"memory": memory if index == number else "128Mi"}},
        }
        for index in range(1, number + 1)
    ]


def name(index: int) -> str:
    """The name of the site with this number."""
    return f"site-{index:03}"
