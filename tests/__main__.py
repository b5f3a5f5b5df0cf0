"""``script/test``: the checks of the code, then all tests, the end-to-end ones on a real embedded cluster."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
CHECKS = (
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy", "."],
    ["lint-imports", "--no-cache", "--no-logo"],
)

SLOW = ("tests/unit/embedded/test_deleted.py", "tests/policy/test_policy_engine.py")
"""What runs all of the others once more, without embedded/; and what has an engine built."""
QUICK = ("tests/unit", "tests/graph", "tests/policy", *(f"--ignore={each}" for each in SLOW))
"""What is tested on the code alone."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``script/test``; what it doesn't know is pytest's."""
    made = argparse.ArgumentParser(
        prog="script/test",
        description=textwrap.fill(
            "Runs ruff, mypy, the rules of who imports whom, and all tests. The plugin, end-to-end and fault tests "
            "work on a copy of this checkout with an embedded cluster of its own; a cluster that script/up has started "
            "here is stopped for that time, and is back afterwards with all it had.",
            78,
        ),
        epilog="""examples:
  script/test                       everything
  script/test --quick               for who changes a line
  script/test tests/unit -x         some of the tests, after the checks
  script/test --no-checks -k site   those with that word in their names
  script/test --addons all          the heavy addons too: their programs take long to build

Options that aren't listed go to pytest.
exit codes: 0 all is well, 1 a check or a test failed, 130 interrupted; others are pytest's""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--no-checks", action="store_true", help="only the tests, without ruff and mypy")
    made.add_argument(
        "--quick", action="store_true", help="what needs neither root nor a cluster: less than three minutes"
    )
    return made


def main() -> int:
    """Run the checks and the tests; returns 0 only if all of them passed."""
    arguments, pytest_arguments = parser().parse_known_args()
    try:
        return _run(arguments.no_checks, [*pytest_arguments, *(QUICK if arguments.quick else [])], arguments.quick)
    except KeyboardInterrupt:
        return 130


def _run(no_checks: bool, pytest_arguments: Sequence[str], quick: bool) -> int:
    if not quick:
        provide_browser()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for check in () if no_checks else CHECKS:
        if subprocess.run(check, cwd=PROJECT, env=environment, check=False).returncode != 0:
            return 1
    return subprocess.run(
        [sys.executable, "-m", "pytest", *pytest_arguments], cwd=PROJECT, env=environment, check=False
    ).returncode


def provide_browser() -> None:
    """Install what only the tests need, where the embedded default is there to be tested."""
    if not (PROJECT / "embedded").is_dir():
        return
    from embedded import paths
    from embedded.errors import Failure
    from embedded.progress import Progress
    from embedded.toolchain import system

    missing = system.missing(system.FOR_TESTS)
    if missing:
        try:
            with Progress().stage("A browser for the tests") as stage:
                system.install(system.packages_of(missing), stage, paths.create_cache("log") / "apt-tests.log")
        except Failure as failure:
            sys.exit(f"error: {failure}")


if __name__ == "__main__":
    sys.exit(main())
