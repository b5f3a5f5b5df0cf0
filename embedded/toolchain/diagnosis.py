"""What prevents a build: too little room beforehand, and what Go says when it fails."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from embedded import paths
from embedded.errors import Failure
from embedded.toolchain.cache import MORE_ROOM

_GB = 1_000_000_000
_BUILD_CACHE_BYTES = 8 * _GB
"""Go's build cache (5.0 GB measured after the two modules, 6.5 GB with those of addons), and room to link in."""
_MODULE_CACHE_BYTES = 3 * _GB
"""The modules' sources (2.6 GB measured)."""


def require_space() -> None:
    """Check that a build finds room.

    Raises:
        Failure: It doesn't; says which folder, how much there is, and how much is needed.
    """
    sources = Path(os.environ.get("GOPATH") or Path.home() / "go") / "pkg/mod"
    sources = Path(os.environ.get("GOMODCACHE") or sources)
    needs: dict[int, tuple[Path, int]] = {}
    for folder, full in (paths.create_cache("go-build"), _BUILD_CACHE_BYTES), (sources, _MODULE_CACHE_BYTES):
        there = next(parent for parent in [folder, *folder.parents] if parent.is_dir())
        disk = there.stat().st_dev
        first, needed = needs.get(disk, (there, 0))
        needs[disk] = first, needed + max(full - _size(folder), _GB // 2)
    for folder, needed in needs.values():
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise Failure(
                f"{folder} has {free / _GB:.1f} GB free, building the toolchain needs {needed / _GB:.1f} GB",
                MORE_ROOM,
            )


def _size(folder: Path) -> int:
    """Bytes in Go's build cache, or in its module cache: that one isn't counted, it is there or it isn't."""
    if folder.name != "go-build":
        return _MODULE_CACHE_BYTES if (folder / "k8s.io").is_dir() else 0
    return sum(file.stat().st_size for part in os.scandir(folder) if part.is_dir() for file in os.scandir(part.path))


def explain(said: Sequence[str], log: Path) -> Failure:
    """Make an error of what ``go`` said before it failed."""
    text = "\n".join(said)
    if "no space left on device" in text:
        return Failure(f"The disk became full while building into {paths.CACHE}", MORE_ROOM, log)
    if "GOPROXY=off" in text:
        fix = "unset GOPROXY, or fill GOMODCACHE"
        return Failure("Go modules are missing, and GOPROXY=off forbids to download them", fix, log)
    if match := re.search(
        r"(\S+@v[^\s:/]+)[^\n]*?: ((?:Get \"|reading |dial |lookup |module lookup |verifying )[^\n]*)", text
    ):
        module, reason = match[1], re.sub(r'^(?:Get|reading) "?[^\s"]+"?: ', "", match[2])
        fix = "check the network, HTTPS_PROXY and GOPROXY; what has been downloaded is kept"
        if "x509: " in reason:
            fix = "install the package ca-certificates, or the certificate of your network's proxy"
        return Failure(f"The Go module {module} can't be downloaded: {reason}", fix, log)
    if "signal: killed" in text:
        return Failure(
            "A compiler was killed, most likely for lack of memory", "close other programs, or add memory or swap", log
        )
    errors = [line for line in said if line and not re.match(r"#|go: downloading|[\w./~-]+$", line)]
    return Failure(
        f"The toolchain doesn't build: {errors[0].strip() if errors else 'go says nothing of why'}",
        "see the log; this is a fault of the project unless Go or the cache is damaged (then `go clean -cache` helps)",
        log,
    )
