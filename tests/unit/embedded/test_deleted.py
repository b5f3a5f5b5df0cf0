"""The program without the embedded default."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.checkout import Checkout

PROJECT = Path(__file__).resolve().parents[3]


ALONE = ("__main__.py", "components", "policy", "settings", "tests/graph", "tests/unit")
"""What stands without it, but for the tests that `tests/conftest.py` leaves out then."""


def test_the_program_runs_and_all_its_tests_are_found(tmp_path: Path) -> None:
    """Whether a function imports it when it is called, ``lint-imports`` says."""
    copy = Checkout.copy_of(PROJECT, tmp_path / "copy")
    shutil.rmtree(copy.path / "embedded")

    done = subprocess.run(
        # All are collected, which imports all there is; these run the whole program.
        [sys.executable, "-m", "pytest", "-qp", "no:cacheprovider", "tests/unit", "tests/graph", "-k", "test_graph.py"],
        cwd=copy.path, capture_output=True, text=True, check=False,
        # script/test has this checkout on it, which still has the folder.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) deselected", done.stdout)[0]) > 1000, done.stdout


def test_nothing_reads_what_is_in_it() -> None:
    named = [
        str(file.relative_to(PROJECT))
        for place in ALONE
        for file in ([PROJECT / place] if place.endswith(".py") else (PROJECT / place).rglob("*.py"))
        if re.search(r"""embedded[/"']""", file.read_text())
    ]
    needing = ("tests/unit/bench/", "tests/unit/embedded/", "tests/unit/test_page_errors.py")
    assert [name for name in named if not name.startswith(needing)] == []
