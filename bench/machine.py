"""What the measurements were made on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

import psutil

from embedded.cluster import network
from embedded.errors import Failure


def machine() -> dict[str, Any]:
    """What it is, and how busy it was with other things at the time."""
    return {
        "cores": os.cpu_count(),
        "processor": processor(Path("/proc/cpuinfo").read_text()),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def processor(cpuinfo: str) -> str:
    """The model in the text of ``/proc/cpuinfo``; of machines that don't tell, the architecture."""
    found = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    return found[1] if found else platform.machine()


def refuse_another_cluster() -> None:
    """Refuse to measure beside a cluster that runs already.

    Raises:
        Failure: There is one.
    """
    if owner := network.link_owner():
        raise Failure(
            f"an embedded cluster runs on this machine: that of {Path(owner).parent}",
            fix="stop it first, there: script/down --keep",
        )
