"""The program without the embedded default."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.checkout import Checkout

PROJECT = Path(__file__).resolve().parents[3]


def test_nothing_but_the_embedded_default_needs_it(tmp_path: Path) -> None:
    copy = Checkout.copy_of(PROJECT, tmp_path / "copy")
    shutil.rmtree(copy.path / "embedded")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit", "tests/graph"],
        cwd=copy.path, capture_output=True, text=True, check=False,
        # script/test has this checkout on it, which still has the folder.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
