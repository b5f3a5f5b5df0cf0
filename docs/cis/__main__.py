"""Write ``docs/cis.md``: ``.venv/bin/python -m docs.cis``."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path

from docs.cis import Check, control_plane, nodes

PAGE = Path(__file__).resolve().parent.parent / "cis.md"
CHECKS = (*control_plane.CHECKS, *nodes.CHECKS)
SECTIONS = {
    "1.1": "Files of the control plane",
    "1.2": "API server",
    "1.3": "Controller manager",
    "1.4": "Scheduler",
    "2": "etcd",
    "3.1": "Authentication",
    "3.2": "Audit log",
    "4.1": "Files of the node",
    "4.2": "Kubelet",
    "4.3": "kube-proxy",
    "5.1": "RBAC and accounts",
    "5.2": "Pod Security",
    "5.3": "Network",
    "5.4": "Secrets",
    "5.5": "Admission",
    "5.6": "In general",
}
INTRODUCTION = """\
# The embedded cluster beside the CIS Kubernetes Benchmark

The points are those of version 1.12, in our own words. Flags and fields are quoted from the real command lines and
files; the files are in the folder `.inspiration`. A mode is the most that others may do. Tests check all of it:
`tests/unit/embedded/test_cis.py` without a cluster, `tests/e2e/test_hardening.py` on a running one. Sections 1 to 4
say nothing about other clusters.

Of {points} points, {met} are met, {differs} differ for a reason, and {na} don't apply.
"""


def page() -> str:
    """Return the page of today."""
    counts = Counter(dict.fromkeys(("met", "differs", "not applicable"), 0))
    for check in CHECKS:
        counts[check.state] += len(check.points)
    parts = [
        INTRODUCTION.format(
            points=counts.total(), met=counts["met"], differs=counts["differs"], na=counts["not applicable"]
        )
    ]
    for section, checks in groupby(CHECKS, key=section_of):
        rows = [f"| {numbers(check)} | {check.what} | {check.state} | {check.here} |" for check in checks]
        head = ["| point | what | state | here |", "|---|---|---|---|"]
        parts.append("\n".join([f"## {section} {SECTIONS[section]}", "", *head, *rows, ""]))
    return "\n".join(parts)


def section_of(check: Check) -> str:
    """Return the section that a check is in: ``1.2`` of ``1.2.29``."""
    return check.points[0].rpartition(".")[0]


def numbers(check: Check) -> str:
    """Return the points of a check, with those in a row as ``1.1.1–8``."""
    last = [int(point.rpartition(".")[2]) for point in check.points]
    runs: list[list[int]] = []
    for number in last:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    return f"{section_of(check)}.{', '.join(shown)}"


if __name__ == "__main__":
    PAGE.write_text(page())
