"""A Pulumi project in a folder of its own, run by the real engine with the plugins of this checkout."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from embedded import paths, toolchain
from embedded.plugins import install
from embedded.progress import Progress
from embedded.stack import backend_url


def engine_in(folder: Path) -> Path:
    """An engine in a ``folder`` of its own: it takes the language host beside it.

    It is the one on PATH, else that of the embedded default, for which no cluster has to run.
    """
    binary = Path(shutil.which("pulumi") or toolchain.provide(Progress(Console(quiet=True))).pulumi)
    folder.mkdir()
    engine = folder / "pulumi"
    try:
        engine.hardlink_to(binary.resolve())
    except OSError:  # another file system
        shutil.copy2(binary, engine)
    return engine


def built_kubernetes() -> Path | None:
    """The Kubernetes plugin that the toolchain has built last, if it has."""
    built = paths.CACHE.glob(f"toolchain/pulumi-kubernetes-{'[0-9a-f]' * 12}/bin/pulumi-resource-kubernetes")
    return max(built, key=lambda file: file.stat().st_mtime, default=None)


def install_plugins(folder: Path) -> dict[str, str]:
    """Install an engine and the plugins of this checkout in ``folder``; return the environment variables to run it."""
    engine, home, python = engine_in(folder / "bin"), folder / "home", Path(sys.executable)
    # The tests are about the embedded plugins: whether the official ones could be had doesn't matter.
    install.install(engine, home, python, built_kubernetes(), download=False)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    # Pulumi's Kubernetes provider leaves a copy of each kubeconfig there that it is given as a text.
    (folder / "tmp").mkdir()
    return variables | {
        "TMPDIR": str(folder / "tmp"),
        "PATH": f"{engine.parent}{os.pathsep}{variables['PATH']}",
        "PULUMI_HOME": str(home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "NO_COLOR": "1",
    }


@dataclass
class Project:
    """A project with one stack, ``dev``."""

    folder: Path
    variables: dict[str, str]
    runtime: dict[str, Any] = field(default_factory=lambda: {"name": "python"})

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.backend.mkdir()
        self.variables = self.variables | {"PULUMI_BACKEND_URL": backend_url(self.backend)}
        self.write("Pulumi.yaml", json.dumps({"name": "test", "runtime": self.runtime}))
        self.pulumi("stack", "init", "dev")

    @property
    def backend(self) -> Path:
        """Where the state is."""
        return self.folder.parent / f"{self.folder.name}-state"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def pulumi(self, *words: str, fails: bool = False) -> str:
        """Run Pulumi and return all its output; ``fails`` says what is expected of it."""
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def up(self, fails: bool = False) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", fails=fails)

    def outputs(self) -> dict[str, Any]:
        text = self.pulumi("stack", "output", "--json", "--show-secrets")
        outputs: dict[str, Any] = json.loads(text)
        return outputs

    def resources(self) -> list[dict[str, Any]]:
        state = json.loads(self.pulumi("stack", "export"))
        resources: list[dict[str, Any]] = state["deployment"].get("resources", [])
        return resources
