"""The cgroups below which each kubelet puts its pods: made for cgroup v1 and v2, and taken away again."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

ROOT = Path("/sys/fs/cgroup")


def up(node: str) -> None:
    """Make a cgroup named after a node in every hierarchy."""
    for hierarchy in hierarchies():
        (hierarchy / node).mkdir(exist_ok=True)
        for folder in (hierarchy, hierarchy / node):
            hand_down(folder)


def hand_down(folder: Path) -> None:
    """Let those below a cgroup use what it may use itself: of version 2, where that isn't so by default."""
    available = folder / "cgroup.controllers"
    if available.exists():
        wanted = " ".join(f"+{controller}" for controller in available.read_text().split())
        with contextlib.suppress(OSError):  # those of them that the kernel can't hand down
            (folder / "cgroup.subtree_control").write_text(wanted)


def down(*nodes: str) -> None:
    """Remove those of nodes, from the leaves up; their processes must have ended."""
    for top in (hierarchy / node for hierarchy in hierarchies() for node in nodes):
        if not top.is_dir():
            continue
        folders = [folder for folder in top.rglob("*") if folder.is_dir()]
        for folder in [*sorted(folders, key=lambda path: len(path.parts), reverse=True), top]:
            with contextlib.suppress(OSError):
                folder.rmdir()


def hierarchies() -> list[Path]:
    """Return where each is mounted: one of version 2, or one for each controller of version 1."""
    return [
        Path(mount.mountpoint)
        for mount in psutil.disk_partitions(all=True)
        if mount.fstype in ("cgroup", "cgroup2") and Path(mount.mountpoint).is_relative_to(ROOT)
    ]
