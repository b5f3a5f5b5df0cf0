"""The Pulumi engine: an official one on PATH if its version fits."""

import os
import re
import subprocess
from pathlib import Path

from embedded import paths

_OLDEST = (3, 200)
"""What the pinned SDK is tried with; a next major version isn't."""


def official(path: str | None = None) -> Path | None:
    """Return the official ``pulumi`` on ``path`` (default: PATH) whose version fits, if there is one.

    Official ones come with the Python language host beside them; an engine that this project built doesn't count.
    """
    for folder in map(Path, (path or os.environ.get("PATH", "")).split(os.pathsep)):
        command = folder / "pulumi"
        if not os.access(command, os.X_OK) or not (folder / "pulumi-language-python").exists():
            continue
        if any(command.resolve().is_relative_to(ours) for ours in (paths.CACHE.resolve(), paths.STATE.resolve())):
            continue
        environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        answer = subprocess.run([command, "version"], env=environment, capture_output=True, text=True, check=False)
        version = re.match(r"v?(\d+)\.(\d+)", answer.stdout)
        if version and int(version[1]) == _OLDEST[0] and (int(version[1]), int(version[2])) >= _OLDEST:
            return command
    return None
