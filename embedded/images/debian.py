"""Images made of Debian's packages, by mmdebstrap, from where this machine's own apt gets them."""

import hashlib
import json
import re
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedded import paths
from embedded.errors import Failure
from embedded.images.archive import Entry, write_archive, write_layer
from embedded.progress import Stage
from embedded.toolchain import system

SUITE = "bookworm"
"""Debian's release, whichever the machine runs: images are named after what is in them."""

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# As in Debian's own slim images: https://github.com/debuerreotype/debuerreotype/blob/master/scripts/.slimify-excludes
_EXCLUDED = ("doc/*", "groff/*", "info/*", "linda/*", "lintian/*", "locale/*", "man/*")
_PROXIES = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::http::Proxy-Auto-Detect")
_KEPT = ("doc/*/copyright", "locale/locale.alias")

_installing = threading.Lock()


@dataclass(frozen=True)
class DebianImage:
    """An image of Debian's essential packages, apt, and others.

    It takes a while to make, so its key is that of what it is made of. It is made anew when apt, asked without the
    network, would install another version of one of the packages, or of ``base-files``, which each point release of
    Debian has: so after an ``apt-get update``, whoever has run it.

    Attributes:
        reference: Its complete name, as upstream's.
        packages: Debian's, besides the essential ones and apt; what they depend on comes along.
        config: How it runs: ``config`` of the OCI image configuration.
        extra: Files of ours in it.
        options: Further ones of mmdebstrap, hooks perhaps.
        without: How to do without it, as an imperative.
    """

    reference: str
    packages: tuple[str, ...]
    config: Mapping[str, object]
    extra: Sequence[Entry] = ()
    options: tuple[str, ...] = ()
    without: str = "name another image"

    @property
    def name(self) -> str:
        """The last part of its name, without the tag."""
        return self.reference.rpartition("/")[2].partition(":")[0]

    def key(self) -> str:
        """Twelve hex digits for everything that determines the archive."""
        recipe = [self.reference, SUITE, self.packages, self.config, self.options, *_candidates(self.packages)]
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
        for entry in self.extra:
            digest.update(repr((entry.path, entry.target, entry.mode, entry.owner, entry.binds_ports)).encode())
            if entry.source is not None:
                content = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
                digest.update(hashlib.sha256(content).digest())
        digest.update(Path(__file__).read_bytes())
        return digest.hexdigest()[:12]

    def write(self, path: Path) -> None:
        """Write the archive to ``path``.

        Raises:
            Failure: mmdebstrap, or a package, can't be had.
        """
        with _installing:  # another image may be at it
            if missing := system.missing(["mmdebstrap"]):
                logs = paths.create_cache("log")
                system.install(system.packages_of(missing), Stage("mmdebstrap"), logs / "apt-mmdebstrap.log")
        log = paths.create_cache("log") / f"{self.name}.log"
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            ours, root, proxies = (Path(folder, name) for name in ("extra.tar", "root.tar", "proxies.conf"))
            with ours.open("wb") as file:
                write_layer(file, self.extra)
            # mmdebstrap reads nothing of the machine's apt. They may hold passwords, so they don't stay in the image.
            proxies.write_text(_output(["apt-config", "dump", "--format", '%f "%v";%n', *_PROXIES]))
            command = [
                str(system.find("mmdebstrap")),
                "--variant=apt",
                *([f"--include={','.join(self.packages)}"] if self.packages else []),
                "--skip=output/dev",
                f"--setup-hook=copy-in {shlex.quote(str(proxies))} /etc/apt/apt.conf.d/",
                *(f"--dpkgopt=path-exclude=/usr/share/{pattern}" for pattern in _EXCLUDED),
                *(f"--dpkgopt=path-include=/usr/share/{pattern}" for pattern in _KEPT),
                *self.options,
                f'--customize-hook=rm "$1/etc/apt/apt.conf.d/{proxies.name}"',
                f"--customize-hook=tar-in {shlex.quote(str(ours))} /",
                SUITE,
                str(root),
                *sources(),
            ]
            with log.open("w") as output:
                code = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
                ).returncode
            if code:
                reasons = re.findall(r"^E: (.*)", log.read_text(errors="replace"), re.MULTILINE)
                raise Failure(
                    f"{self.name} can't be made of Debian's packages: "
                    f"{reasons[0] if reasons else f'mmdebstrap exited with {code}'}",
                    f"check apt's sources and the network, or {self.without}",
                    log,
                )
            with root.open("rb") as layer:
                write_archive(path, self.reference, self.config, layer)


def sources() -> list[str]:
    """Return the lines of a ``sources.list`` for `SUITE` that this machine's apt has; without any, mmdebstrap has some.

    What others offer for Debian isn't among them.
    """
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"]
    lines = _output([*asked, "Created-By: Packages"]).splitlines()
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    # Without apt's lists, nothing is known of the origin.
    ours = re.compile(rf"(\S+ {SUITE}(?:-updates|-security)? main) (?:Debian|\$\(ORIGIN\))?")
    found = [match[1] for line in lines if (match := ours.fullmatch(line))]
    return [f"deb {signed}{each}" for each in dict.fromkeys(found)]


def _candidates(packages: Sequence[str]) -> list[str]:
    """Return the versions that apt would install, by what it knows already."""
    policy = _output(["apt-cache", "policy", "base-files", *packages])
    return re.findall(r"^  Candidate: (\S+)", policy, re.MULTILINE)


def _output(command: list[str]) -> str:
    if system.find(command[0]) is None:
        return ""
    environment = {"PATH": system.PATH, "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
