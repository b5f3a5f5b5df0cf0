"""The names that Pulumi knows the resources by: as long as they stay, an update of this program replaces nothing.

Where resources are added: ``.venv/bin/python -m tests.graph.test_graph_urns > tests/graph/urns.txt``, and look at the
difference.
"""

import sys
from pathlib import Path

from tests.graph.configurations import CHART, CONFIGURATIONS, TRAEFIK
from tests.graph.recorder import run

URNS = Path(__file__).with_name("urns.txt")
HOOKED = {"charts": [{**CHART, "hooks": True}]}
"""No policy can judge what Helm installs, so it isn't one of the other configurations."""


def made() -> set[str]:
    """Return the URN of all that a stack makes; what it only reads isn't its own."""
    recordings = (run(config, controller=TRAEFIK) for config in (*CONFIGURATIONS.values(), HOOKED))
    return {resource.urn for each in recordings for resource in each.resources.values() if not resource.read}


def test_nothing_that_runs_is_replaced() -> None:
    kept, now = set(URNS.read_text().splitlines()), made()
    assert not kept - now, (
        f"gone: {sorted(kept - now)}; new: {sorted(now - kept)}. A changed URN replaces what runs: `pulumi up` would "
        "remove it and make another one, with what a volume or a certificate had in it gone. Keep the resource's name, "
        f"type and parent; or give it an alias, and change {URNS.name}"
    )
    assert not now - kept, f"new: {sorted(now - kept)}. Nothing that runs is replaced; add them to {URNS.name}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{urn}\n" for urn in sorted(made()))
