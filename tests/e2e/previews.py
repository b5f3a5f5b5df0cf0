"""What a preview says, in short."""

from __future__ import annotations

import json
from typing import Any

from tests.checkout import Checkout


def steps(checkout: Checkout, *arguments: str) -> list[dict[str, Any]]:
    """Return what ``pulumi preview`` would do, in its order, without what stays the same."""
    done = checkout.pulumi("preview", "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return [step for step in json.loads(done.stdout)["steps"] if step["op"] != "same"]


def name_of(step: dict[str, Any]) -> str:
    """Return the name of a step's resource."""
    return str(step["urn"]).rpartition("::")[2]


def changes(checkout: Checkout, *arguments: str) -> dict[str, str]:
    """Return the operation by name of resource."""
    return {name_of(step): step["op"] for step in steps(checkout, *arguments)}


def fields(checkout: Checkout, name: str) -> list[str]:
    """Return the fields of the resource ``name`` that would change, sorted."""
    [step] = [step for step in steps(checkout) if name_of(step) == name]
    return sorted(step["detailedDiff"])
