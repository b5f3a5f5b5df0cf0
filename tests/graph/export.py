"""Writes what `pulumi stack export` would write of the stack `dev` after `pulumi up`, as far as the graph goes."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import yaml

from tests.graph.recorder import PROJECT, run


def export() -> dict[str, Any]:
    """Return it; it is recorded where the program registers its resources, so there is no cluster."""
    config = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())["config"]
    recording = run({key.removeprefix("inspiration:"): value for key, value in config.items()})
    return {"deployment": {"resources": [
        {
            "urn": each.urn,
            "type": each.type,
            "parent": each.parent,
            "provider": each.provider,
            "dependencies": sorted(each.dependencies),
            "propertyDependencies": {name: sorted(urns) for name, urns in each.property_dependencies.items()},
        }
        for each in recording.resources.values()
    ]}}  # fmt: skip


if __name__ == "__main__":
    os.chdir(PROJECT)
    json.dump(export(), sys.stdout)
