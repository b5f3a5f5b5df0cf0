"""``script/bench``: measures the stack against what people would use instead."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from bench import edit, embedded, growth, lifecycle, nginx, preview, profile, report, results, soak, tools, web
from bench.machine import refuse_another_cluster
from bench.session import session
from embedded.errors import Failure

SUBJECTS = {
    "edit": "edit a page -> the new one is served: Pulumi, the bare commands, Helm, Helmfile",
    "preview": "nothing has changed: Pulumi, kubectl diff, Helm, Helmfile, OpenTofu",
    "first-up": "the full stack on an empty cluster: Pulumi, kubectl",
    "destroy": "the way back (measured together with first-up)",
    "growth": "1 to 200 sites in one stack: up, preview, one site changed",
    "site": "the site's web server and nginx: requests a second, 99th percentile",
    "embedded": "the embedded cluster: start with a warm cache; memory and processor when idle",
    "cold": "the first script/up, with no cache at all: once",
    "profile": "which processes a preview and an update are made of, and what each uses of the processor",
    "soak": "updates and restarts under load: failed requests, memory",
}
ON_A_SESSION = {
    "edit": edit.measure,
    "preview": preview.measure,
    "profile": profile.measure,
    "site": web.measure,
    "lifecycle": lifecycle.measure,
    "growth": growth.measure,
}
"""What is measured on one running cluster, in this order: what leaves most behind comes last."""
ALONE = ("embedded", "soak", "cold")


def main() -> int:
    """Measure, and write results and drawings; returns 0 if nothing failed."""
    command_line = parser()
    arguments = command_line.parse_args()
    wanted = arguments.subjects or [subject for subject in SUBJECTS if subject not in ("cold", "soak")]
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


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="script/bench",
        description="Measures the stack against what people would use instead, side by side on one embedded cluster,\n"
        "on a copy of this checkout. Keep the machine quiet meanwhile, and stop a cluster of yours before\n"
        "(script/down --keep).",
        epilog="subjects:\n"
        + "".join(f"  {name:10}{what}\n" for name, what in SUBJECTS.items())
        + "  report    writes docs/bench.md and docs/bench/*.svg anew from the results that are there\n"
        "  tools     builds what it is measured against: Helm, Helmfile, OpenTofu (once, some minutes)\n\n"
        "results go to bench/results/*.json, tables and drawings of all of them to docs/bench.md and docs/bench/*.svg\n"
        "exit codes: 0 done, 1 failed (the reason is printed), 2 a wrong command line, 130 interrupted",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help="what to measure; default all but cold and soak, which take long"
    )
    made.add_argument("--runs", type=int, default=5, metavar="N", help="how often each is measured, default 5")
    made.add_argument("--minutes", type=int, default=15, metavar="N", help="length of soak, default 15")
    made.add_argument(
        "--sites", type=_sizes, default=list(growth.SIZES), metavar="N,N",
        help=f"numbers of sites of growth, default {','.join(map(str, growth.SIZES))}",
    )  # fmt: skip
    return made


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(word) for word in text.split(",")})
    if sizes[0] < 1:
        raise argparse.ArgumentTypeError("a stack has one site or more")
    return sizes


if __name__ == "__main__":
    sys.exit(main())
