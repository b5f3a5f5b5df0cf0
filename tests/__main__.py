"""``script/test``: the checks of the code, then all tests, the end-to-end ones on a real embedded cluster."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Mapping, Sequence
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

ON_CODE = ("tests/unit", "tests/graph", "tests/policy")
ON_ENGINE = ("tests/plugins/language", "tests/plugins/random", "tests/plugins/tls")
"""What needs Pulumi's engine, and no cluster."""
ENGINES = "tests/unit/embedded/test_images_load.py"
"""What starts a containerd and a Docker Engine, which the machine must not have while others look at it."""
HALVES = (
    ("tests/plugins/docker", "tests/plugins/kubernetes", "tests/e2e", "tests/faults", ENGINES),
    (*ON_CODE, f"--ignore={ENGINES}", *ON_ENGINE),
)
"""All tests: those of the first half mostly wait for a cluster, so the second one runs beside them."""
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
        provide_browser()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for check in () if no_checks else CHECKS:
        if subprocess.run(check, cwd=PROJECT, env=environment, check=False).returncode != 0:
            return 1
    pytest = [sys.executable, "-m", "pytest", *pytest_arguments]
    if any(Path(each.partition("::")[0]).exists() for each in pytest_arguments):
        with subprocess.Popen(pytest, cwd=PROJECT, env=environment) as running:
            try:
                return running.wait()
            finally:
                running.wait()  # interrupted as well, it takes away what it has made
    return _run_halves(pytest, environment)


def _run_halves(pytest: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run all tests, and show what the second half says in one piece, when it is done."""
    first, second = ([*pytest, *half] for half in HALVES)
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(second, cwd=PROJECT, env=environment, stdout=said, stderr=said) as beside,
        subprocess.Popen(first, cwd=PROJECT, env=environment) as mostly,
    ):

        def show() -> None:
            beside.wait()
            said.seek(0)
            sys.stdout.write(f"\n{said.read()}\n")
            sys.stdout.flush()

        shown = threading.Thread(target=show)
        shown.start()
        try:
            mostly.wait()
        finally:
            # Interrupted as well, they take away what they have made.
            codes = [mostly.wait(), beside.wait()]
            shown.join()
    # No test that is asked for may be in one of them.
    return next((code for code in codes if code not in (0, NO_TESTS)), min(codes))


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
