"""A static BusyBox: the shell of an image, not a program of the machine's."""

import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

from embedded import paths
from embedded.errors import Failure
from embedded.progress import Stage
from embedded.toolchain import cache, system


def provide(stage: Stage, log: Path) -> Path:
    """Return a static ``busybox``: the machine's, or else that of Debian's package, unpacked into the cache.

    Raises:
        Failure: The machine has none, and none can be had.
    """
    present = system.find("busybox")
    if present is not None and is_static(present):
        stage.result = "the machine's"
        return present

    def unpack(folder: Path, lock: int) -> None:
        stage.update("downloading busybox-static")
        fetch = ["apt-get", "download", "-o", "APT::Sandbox::User=root", "busybox-static"]
        with log.open("w") as output:
            run = partial(subprocess.run, cwd=folder, stdout=output, stderr=output, pass_fds=(lock,), check=False)
            run(fetch)
            if not any(folder.glob("*.deb")):  # apt's lists are missing, or name a package that is gone
                run(["apt-get", "update"])
                run(fetch)
            content = folder / "content"
            for package in folder.glob("*.deb"):
                run(["dpkg-deb", "-x", package, content])
                package.unlink()
        found = next((path for path in (content / "bin/busybox", content / "usr/bin/busybox") if is_static(path)), None)
        if found is None:
            errors = re.findall(r"^E: (.*)", log.read_text(), re.MULTILINE)
            raise Failure(
                f"busybox-static can't be downloaded: {errors[-1] if errors else 'the package has no static busybox'}",
                "check apt's sources and the network, or install it: apt-get install busybox-static",
                log,
            )
        found.rename(folder / "busybox")
        shutil.rmtree(content)

    if system.find("apt-get") is None:
        raise Failure(
            "This machine lacks a static busybox",
            "install as root: dnf install busybox (Fedora), pacman -S busybox (Arch)",
        )
    root = paths.create_cache("toolchain")
    waiting = "waiting for another run that is downloading it"
    folder, cached = cache.entry(root, "busybox", _release(), unpack, lambda: stage.update(waiting))
    stage.result = "from cache" if cached else "downloaded"
    return folder / "busybox"


def _release() -> str:
    """The distribution's name and version, ``debian-12-x86_64``."""
    text = Path("/etc/os-release").read_text()
    values = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)', text, re.MULTILINE))
    return "-".join([values.get("ID", "linux"), values.get("VERSION_ID", "rolling"), os.uname().machine])


def is_static(path: Path) -> bool:
    """Return whether ``path`` is a 64-bit little-endian ELF file that asks for no interpreter (has no PT_INTERP)."""
    try:
        with path.open("rb") as file:
            header = file.read(64)
            if header[:6] != b"\x7fELF\x02\x01":
                return False
            size, count = (int.from_bytes(header[at : at + 2], "little") for at in (54, 56))
            file.seek(int.from_bytes(header[32:40], "little"))
            segments = [file.read(size) for _ in range(count)]
    except OSError:
        return False
    return all(int.from_bytes(segment[:4], "little") != 3 for segment in segments)
