"""The command that draws the graph: see its ``--help``."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from docs.graph.model import graph
from docs.graph.recorded import from_export
from docs.graph.svg import drawn

PROJECT = Path(__file__).resolve().parents[2]
PICTURES = (PROJECT / "docs" / "graph.svg", PROJECT / "site" / "public" / "graph.svg")
"""The same drawing, for the README and for the site."""


def main() -> int:
    """Draw the graph; returns 0 if it did."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.graph",
        description="Draws the dependency graph of the stack, as Pulumi's engine recorded it at the last `pulumi up`, "
        "into docs/graph.svg and site/public/graph.svg.",
    )
    parser.add_argument("--stack", help="the stack; default: the one that is selected")
    parser.add_argument("--file", type=Path, help="what `pulumi stack export` has written; default: it is run")
    arguments = parser.parse_args()
    try:
        text = arguments.file.read_text() if arguments.file else exported(arguments.stack)
        drawing = drawn(graph(from_export(json.loads(text))))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error: {arguments.file or 'pulumi stack export'}: {error}\n")
        return 1
    for picture in PICTURES:
        picture.write_text(drawing, encoding="utf-8")
    return 0


def exported(stack: str | None) -> str:
    """Return what ``pulumi stack export`` writes about a stack; secrets in it stay encrypted.

    Raises:
        ValueError: There is no ``pulumi``, or it failed; its own words are the text.
    """
    if not shutil.which("pulumi"):
        raise ValueError('there is no pulumi on PATH; for that of the embedded default: eval "$(script/env)"')
    command = ["pulumi", "stack", "export", "--non-interactive", *(["--stack", stack] if stack else [])]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip().removeprefix("error: "))
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
