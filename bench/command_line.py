"""What ``script/bench`` takes."""

from __future__ import annotations

import argparse

SUBJECTS = {
    "edit": "edit a page -> the new one is served: Pulumi, the bare commands, Helm, Helmfile",
    "preview": "nothing has changed: Pulumi, kubectl diff, Helm, Helmfile, OpenTofu",
    "first-up": "the full stack on an empty cluster: Pulumi, kubectl",
    "destroy": "the way back (measured together with first-up)",
    "removal": "the way back of 50 sites: Pulumi, kubectl",
    "growth": "1 to 200 sites in one stack: up, preview, one site changed",
    "site": "the site's web server and nginx: requests a second, 99th percentile",
    "embedded": "the embedded cluster: start with a warm cache; memory and processor when idle",
    "cold": "the first script/up, with no cache at all: once",
    "profile": "which processes a preview and an update are made of, and what each uses of the processor",
    "nodes": "500 simulated nodes with 2,000 pods: what grows with them",
    "soak": "updates and restarts under load: failed requests, memory",
}
SIZES = (1, 10, 50, 200)
"""Numbers of sites of the subject growth, unless others are given."""


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
        "  tools     builds what it is measured against, Helm, Helmfile, OpenTofu, and kwok (once, some minutes)\n\n"
        "results go to bench/results/*.json, tables and drawings of all of them to docs/bench.md and docs/bench/*.svg\n"
        "exit codes: 0 done, 1 failed (the reason is printed), 2 a wrong command line, 130 interrupted",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help="what to measure; default all but cold, nodes and soak"
    )
    made.add_argument("--runs", type=int, default=5, metavar="N", help="how often each is measured, default 5")
    made.add_argument("--minutes", type=int, default=15, metavar="N", help="length of soak, default 15")
    made.add_argument(
        "--sites", type=_sizes, default=list(SIZES), metavar="N,N",
        help=f"numbers of sites of growth, default {','.join(map(str, SIZES))}",
    )  # fmt: skip
    return made


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(word) for word in text.split(",")})
    if sizes[0] < 1:
        raise argparse.ArgumentTypeError("a stack has one site or more")
    return sizes
