"""``script/test``: the checks of the code, then all tests, the end-to-end ones on a real embedded cluster."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NO_TESTS = 5
"""Pytest's exit code where what is asked for is in other files."""
CHECKS = (
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy", "."],
    ["lint-imports", "--no-cache", "--no-logo"],
)

ON_SECOND_MACHINE = ("tests/plugins/language", "tests/plugins/kubernetes", "tests/e2e")
"""What runs at the same time as the rest, with a cluster of its own; either takes about as long."""
ALL = ("tests", "--ignore=tests/conformance")
ON_MACHINE = (*ALL, *(f"--ignore={each}" for each in ON_SECOND_MACHINE))
ON_CODE = ("tests/unit", "tests/graph", "tests/policy")
QUICK = (*ON_CODE, "--ignore=tests/policy/test_policy_engine.py")  # which has an engine built
"""What is tested on the code alone."""
CONFORMANCE = ("--nodes=3", "tests/conformance")
"""Kubernetes' own tests, which aren't among all the others."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``script/test``; what it doesn't know is pytest's."""
    made = argparse.ArgumentParser(
        prog="script/test",
        description=textwrap.fill(
            "Runs ruff, mypy, the rules of who imports whom, and all tests. The plugin, end-to-end and fault tests "
            "work on copies of this checkout with embedded clusters of their own, two at a time if nothing is chosen; "
            "a cluster that script/up has started here is stopped for that time, and is back afterwards with all it "
            "had.",
            78,
        ),
        epilog="""examples:
  script/test                       everything
  script/test --quick               for who changes a line
  script/test tests/unit -x         some of the tests, after the checks
  script/test --no-checks -k site   those with that word in their names
  script/test --addons all          the heavy addons too: their programs take long to build
  script/test --conformance         Kubernetes' own tests: an hour, and their build

Options that aren't listed go to pytest.
exit codes: 0 all is well, 1 a check or a test failed, 130 interrupted; others are pytest's""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--no-checks", action="store_true", help="only the tests, without ruff and mypy")
    made.add_argument(
        "--quick", action="store_true", help="what needs neither root nor a cluster: less than three minutes"
    )
    made.add_argument(
        "--conformance",
        action="store_true",
        help="Kubernetes' own conformance tests instead, on three nodes; writes docs/conformance.md",
    )
    return made


def main() -> int:
    """Run the checks and the tests; returns 0 only if all of them passed."""
    arguments, pytest_arguments = parser().parse_known_args()
    chosen = [*(QUICK if arguments.quick else ()), *(CONFORMANCE if arguments.conformance else ())]
    try:
        return _run(arguments.no_checks, [*chosen, *pytest_arguments], arguments.quick)
    except KeyboardInterrupt:
        return 130


def _run(no_checks: bool, pytest_arguments: Sequence[str], quick: bool) -> int:
    if not quick:
        provide_programs()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for check in () if no_checks else CHECKS:
        if subprocess.run(check, cwd=PROJECT, env=environment, check=False).returncode != 0:
            return 1
    pytest = [sys.executable, "-m", "pytest", *pytest_arguments]
    if any(Path(each.partition("::")[0]).exists() for each in pytest_arguments):
        return _run_alone(pytest, environment)
    return _run_all(pytest, environment)


def _run_all(pytest: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run all tests, on two machines at a time where that can be."""
    if (PROJECT / "embedded").is_dir():
        from embedded.errors import Failure
        from tests import second_machine

        with ExitStack() as undo:
            try:
                there = undo.enter_context(second_machine.provided())
            except Failure as reason:
                sys.stderr.write(f"all tests run on this machine, one after the other: {reason}\n")
            else:
                return _run_both([*pytest, *ON_MACHINE], [*there, *pytest, *ON_SECOND_MACHINE], environment)
    return _run_alone([*pytest, *ALL], environment)


def _run_both(here: Sequence[str], there: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one part of the tests beside another; returns 0 only if all of them passed."""
    with ThreadPoolExecutor() as threads:
        beside = threads.submit(_run_beside, there, environment)
        codes = (_run_alone(here, environment), beside.result())
    # No test that is asked for may be in one of them.
    return next((code for code in codes if code not in (0, NO_TESTS)), min(codes))


def _run_alone(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run pytest; returns its exit code. Interrupted as well, it takes away what it has made, and is waited for."""
    with subprocess.Popen(command, cwd=PROJECT, env=environment) as running:
        try:
            return running.wait()
        finally:
            running.wait()


def _run_beside(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run pytest, and show what it says in one piece when it is done; returns its exit code."""
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(command, cwd=PROJECT, env=environment, stdout=said, stderr=said, check=False)
        said.seek(0)
        sys.stdout.write(f"\n{said.read()}\n")
        sys.stdout.flush()
    return done.returncode


def provide_programs() -> None:
    """Install what only the tests need, where the embedded default is there to be tested."""
    if not (PROJECT / "embedded").is_dir():
        return
    from embedded import paths
    from embedded.errors import Failure
    from embedded.progress import Progress
    from embedded.toolchain import system
    from tests import second_machine

    missing = system.missing(system.FOR_TESTS | second_machine.PROGRAMS)
    if missing:
        try:
            with Progress().stage("Programs for the tests") as stage:
                system.install(system.packages_of(missing), stage, paths.create_cache("log") / "apt-tests.log")
        except Failure as failure:
            sys.exit(f"error: {failure}")


if __name__ == "__main__":
    sys.exit(main())
