"""What the end-to-end tests share: a browser, and a way back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.checkout import Checkout


@pytest.fixture(scope="module")
def browser(site: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium of a user who trusts the stack's certificate authority, as the README says how.

    For a module: tests of another one may have given the stack a new authority.
    """
    home = tmp_path_factory.mktemp("home")
    trust(home, site.outputs()["ca_certificate"])
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"], env={**os.environ, "HOME": str(home)}
        )
        yield chromium
        chromium.close()


def trust(home: Path, certificate: str) -> None:
    """Have Chromium trust a certificate authority: by the NSS database in the user's home folder."""
    where = new_trust_store(home)
    subprocess.run([*where, "-A", "-n", "inspiration", "-t", "C,,"], input=certificate, text=True, check=True)


def new_trust_store(home: Path) -> list[str]:
    """Make the NSS database of a user, as Chromium's first start does; return the command that works on it."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    where = ["certutil", "-d", f"sql:{database}"]
    subprocess.run([*where, "-N", "--empty-password"], check=True)
    return where


@pytest.fixture
def undone(site: Checkout) -> Iterator[Checkout]:
    """The checkout as it was before the test, committed files and the stack alike."""
    yield site
    site.restore()
