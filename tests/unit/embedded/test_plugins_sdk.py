"""A plugin starts without the parts of Pulumi's SDK that it never uses, and with all that it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
PROGRAM = """
from embedded.plugins.shared import sdk
from pulumi.provider.experimental import provider, server
import sys
print(*sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "pulumi.automation."))))
"""


def loaded(variables: dict[str, str]) -> list[str]:
    """What of the SDK's larger parts, and of what only they need, a plugin has loaded."""
    environment = {name: value for name, value in os.environ.items() if name != "TRACEPARENT"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=PROJECT, env={**environment, **variables}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_what_a_plugin_never_uses_isnt_loaded() -> None:
    assert loaded({}) == []


def test_a_trace_is_kept_where_one_is_asked_for() -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert "opentelemetry.sdk.trace" in loaded({"TRACEPARENT": traceparent})
