"""What comes from the machine's own package manager: programs that need its kernel, or its users' trust."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedded.errors import Failure
from embedded.progress import Stage

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The folders of system programs: PATH for what mustn't depend on the user's."""

PATH = os.pathsep.join(filter(None, [os.environ.get("PATH"), SYSTEM_PATH]))
"""The user's PATH with the folders of system programs, which it often lacks."""

PACKAGES: Mapping[str, tuple[str, str, str]] = {
    "certutil": ("libnss3-tools", "nss-tools", "nss"),
    "chromium": ("chromium", "chromium", "chromium"),
    "curl": ("curl", "curl", "curl"),
    "dockerd": ("docker.io", "moby-engine", "docker"),
    "ip": ("iproute2", "iproute", "iproute2"),
    "ipset": ("ipset", "ipset", "ipset"),
    "iptables": ("iptables", "iptables-nft", "iptables-nft"),
    "mmdebstrap": ("mmdebstrap", "mmdebstrap", "mmdebstrap"),
    "modprobe": ("kmod", "kmod", "kmod"),
    "mount": ("mount", "util-linux", "util-linux"),
    "nsenter": ("util-linux", "util-linux", "util-linux"),
    "runc": ("runc", "runc", "runc"),
    "slirp4netns": ("slirp4netns", "slirp4netns", "slirp4netns"),
}
"""Program to the package that has it, on Debian and Ubuntu, on Fedora, on Arch."""

FOR_TESTS = frozenset({"certutil", "chromium", "curl", "slirp4netns"})
"""Those of the programs that only the tests need."""

FOR_IMAGES = frozenset({"mmdebstrap"})
"""Those that only images of Debian's packages are made with."""

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_SAVED = Path("/usr/sbin/policy-rc.d.before-inspiration")
_POLICY_TEXT = (
    "#!/bin/sh\n# Of inspiration, for the time of an apt-get install: no service is to be started.\nexit 101\n"
)


def find(program: str) -> Path | None:
    """Return where ``program`` is, system folders included."""
    found = shutil.which(program, path=PATH)
    return Path(found) if found else None


def missing(programs: Iterable[str]) -> list[str]:
    """Return those of ``programs`` that the machine lacks."""
    return sorted(program for program in programs if find(program) is None)


def packages_of(programs: Iterable[str]) -> list[str]:
    """Return the Debian packages that have ``programs``.

    Raises:
        Failure: They can't be installed, as there is no apt or we aren't root; names them for other distributions too.
    """
    programs = sorted(programs)
    debian, fedora, arch = (sorted({PACKAGES[program][column] for program in programs}) for column in range(3))
    if programs and (os.geteuid() != 0 or find("apt-get") is None):
        raise Failure(
            f"This machine lacks {', '.join(programs)}",
            f"install as root: apt-get install {' '.join(debian)} (Debian, Ubuntu), "
            f"dnf install {' '.join(fedora)} (Fedora), pacman -S {' '.join(arch)} (Arch)",
        )
    return debian


def install(packages: Sequence[str], stage: Stage, log: Path) -> None:
    """Install Debian ``packages``, and let none of their services start.

    Raises:
        Failure: apt fails.
    """
    stage.update(f"apt-get install {' '.join(packages)}")
    here_before = _services()
    with log.open("w") as transcript, _no_services_start():
        # Lists may be old, or missing; where they can't be renewed, what they name may still be there.
        _apt(["update"], transcript.fileno())
        code = _apt(["install", "--no-install-recommends", *packages], transcript.fileno())
    if code:
        errors = re.findall(r"^E: (.*)", log.read_text(), re.MULTILINE)
        raise Failure(
            f"{' '.join(packages)} can't be installed: {errors[0] if errors else f'apt-get exited with {code}'}",
            f"check apt's sources and the network, then try: apt-get install {' '.join(packages)}",
            log,
        )
    # Debian has them start with the machine, which nobody has asked for.
    for service in sorted(_services() - here_before):
        name = service.partition(".")[0]
        for command in ["systemctl", "disable", service], ["update-rc.d", name, "disable"]:
            if tool := find(command[0]):
                subprocess.run([tool, *command[1:]], capture_output=True, check=False)


def _services() -> set[str]:
    """Those services of our packages that the machine has."""
    names = {"containerd.service", "docker.service", "docker.socket"}
    return {name for name in names if Path("/lib/systemd/system", name).exists()}


def _apt(arguments: list[str], output: int) -> int:
    command = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=300", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "PATH": PATH}
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
    ).returncode


@contextmanager
def _no_services_start() -> Iterator[None]:
    """Have Debian's policy-rc.d forbid the start of services for the block."""
    _restore_policy()  # of a run that was killed
    if _POLICY.exists() or _POLICY.is_symlink():
        _POLICY.rename(_POLICY_SAVED)
    try:
        _POLICY.write_text(_POLICY_TEXT)
        _POLICY.chmod(0o755)
        yield
    finally:
        _restore_policy()


def _restore_policy() -> None:
    if _POLICY.is_file() and _POLICY.read_text(errors="replace") == _POLICY_TEXT:
        _POLICY.unlink()
    if _POLICY_SAVED.exists() or _POLICY_SAVED.is_symlink():
        _POLICY_SAVED.rename(_POLICY)
