"""The kernel's settings that a kubelet changes, which are the whole machine's, and what they were before."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from embedded.cluster.plan import Files

SYSCTL = Path("/proc/sys")
BOOT_ID = SYSCTL / "kernel/random/boot_id"
CHANGED = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
"""By ``setupKernelTunables`` in the kubelet's container manager."""


def remember(files: Files) -> None:
    """Write down what the settings are, unless that was done since the machine started."""
    if _remembered(files) is None:
        settings = {name: (SYSCTL / name).read_text().strip() for name in CHANGED if (SYSCTL / name).exists()}
        _record(files).write_text(json.dumps({"boot": _boot(), "settings": settings}))


def put_back(files: Files) -> None:
    """Set them to what :func:`remember` found, if it was called since the machine started."""
    for name, value in (_remembered(files) or {}).items():
        with contextlib.suppress(OSError):  # where the kubelet couldn't either
            (SYSCTL / name).write_text(value)
    _record(files).unlink(missing_ok=True)


def _remembered(files: Files) -> dict[str, str] | None:
    try:
        record = json.loads(_record(files).read_text())
    except (FileNotFoundError, ValueError):
        return None
    settings: dict[str, str] = record["settings"]
    return settings if record["boot"] == _boot() else None


def _record(files: Files) -> Path:
    return files.state / "kernel-settings.json"


def _boot() -> str:
    return BOOT_ID.read_text().strip()
