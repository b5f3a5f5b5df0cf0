"""``script/bench``: measures the stack against what people would use instead."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from bench import (
    edit,
    embedded,
    growth,
    lifecycle,
    nginx,
    nodes,
    preview,
    profile,
    removal,
    report,
    results,
    soak,
    tools,
    web,
)
from bench.command_line import SUBJECTS, parser
from bench.machine import refuse_another_cluster
from bench.session import session
from embedded.errors import Failure

ON_A_SESSION = {
    "edit": edit.measure,
    "preview": preview.measure,
    "profile": profile.measure,
    "site": web.measure,
    "lifecycle": lifecycle.measure,
    "removal": removal.measure,
    "growth": growth.measure,
    "nodes": nodes.measure,
}
"""What is measured on one running cluster, in this order: what leaves most behind comes last."""
ALONE = ("embedded", "soak", "cold")


def main() -> int:
    """Measure, and write results and drawings; returns 0 if nothing failed."""
    command_line = parser()
    arguments = command_line.parse_args()
    wanted = arguments.subjects or [subject for subject in SUBJECTS if subject not in ("cold", "nodes", "soak")]
    if unknown := [subject for subject in wanted if subject not in (*SUBJECTS, "report", "tools")]:
        command_line.error(f"unknown: {', '.join(unknown)}; allowed: {', '.join(SUBJECTS)}, report, tools")
    if not 1 <= arguments.minutes <= soak.MAX_MINUTES:
        command_line.error(f"--minutes {arguments.minutes}; allowed: 1 to {soak.MAX_MINUTES}")
    if arguments.runs < 1:
        command_line.error(f"--runs {arguments.runs}; allowed: 1 or more")
    # As Ctrl-C: the copy and its cluster are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if "tools" in wanted:
            tools.provide()
        if set(wanted) & set(SUBJECTS):
            refuse_another_cluster()
            _measure(wanted, arguments)
        report.write()
    except Failure as failure:
        sys.stderr.write(f"error: {failure.cause}\n  fix: {failure.fix}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was measured before is kept\n")
        return 130
    return 0


def _measure(wanted: Sequence[str], arguments: argparse.Namespace) -> None:
    names = ["lifecycle" if subject in ("first-up", "destroy") else subject for subject in wanted]
    together = [name for name in ON_A_SESSION if name in names]
    if "site" in together:
        nginx.provide_wrk()
    if together:
        modules = {module.name: module for name in together for module in tools.OF_SUBJECTS.get(name, ())}
        with session(arguments.runs, list(modules.values())) as running:
            for name in together:
                measure = partial(growth.measure, sizes=arguments.sites) if name == "growth" else ON_A_SESSION[name]
                _say(name)
                _keep(measure(running))
    for name in ALONE:
        if name in names:
            _say(name)
            if name == "embedded":
                _keep(embedded.warm(arguments.runs))
            else:
                _keep(embedded.cold() if name == "cold" else soak.measure(arguments.minutes))


def _keep(found: dict[str, dict[str, Any]]) -> None:
    for subject, result in found.items():
        results.write(subject, result)


def _say(name: str) -> None:
    sys.stderr.write(f"{name}\n")


if __name__ == "__main__":
    sys.exit(main())
