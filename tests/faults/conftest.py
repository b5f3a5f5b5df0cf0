"""What the tests of faults share: sites beside the first one, and a way back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.checkout import Checkout
from tests.waiting import eventually

CONFIG = "Pulumi.dev.yaml"


@pytest.fixture
def undone(site: Checkout) -> Iterator[Checkout]:
    """The checkout as it was before the test, committed files and the stack alike."""
    yield site
    site.run("git", "checkout", "-q", ".")
    site.run("git", "clean", "-qfd")
    done = site.run("script/up")
    assert done.returncode == 0, done.stdout + done.stderr


def write_page(checkout: Checkout, folder: str, text: str) -> None:
    """Make a site of one page."""
    (checkout.path / folder).mkdir(exist_ok=True)
    (checkout.path / folder / "index.html").write_text(f"<!doctype html><title>{folder}</title><h1>{text}</h1>")


def configure_sites(checkout: Checkout, *sites: Mapping[str, Any]) -> None:
    """Have these sites besides the first one, which stays as the default has it."""
    path = checkout.path / CONFIG
    document = yaml.safe_load(path.read_text())
    document["config"]["inspiration:sites"] = [{"name": "inspiration", "healthPath": "/healthz"}, *map(dict, sites)]
    path.write_text(yaml.safe_dump(document))


def resources(checkout: Checkout) -> list[dict[str, Any]]:
    """The resources in the stack's state."""
    exported = json.loads(checkout.pulumi("stack", "export").stdout)
    found: list[dict[str, Any]] = exported["deployment"].get("resources", [])
    return found


def assert_complete(checkout: Checkout) -> None:
    """A preview finds nothing to do, and nothing waits for an operation that nobody knows the end of."""
    said = ""

    def nothing_to_do() -> bool:
        nonlocal said
        done = checkout.pulumi("preview", "--refresh", "--expect-no-changes")
        said = done.stdout + done.stderr
        return done.returncode == 0

    # A pod that was restarted may have to become ready first.
    assert eventually(nothing_to_do, 300), said
    exported = json.loads(checkout.pulumi("stack", "export").stdout)
    assert not exported["deployment"].get("pending_operations")
