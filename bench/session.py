"""A running embedded cluster with a copy of this checkout, for what is measured on it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench import manifests, tools
from bench.copies import Copy, Shell, up, wait_for_page
from bench.manifests import Manifest
from bench.tools import Tools
from embedded.stack import project_name
from embedded.toolchain.gomod import Module

UP, DESTROY = "pulumi up --yes --skip-preview", "pulumi destroy --yes --skip-preview"


@dataclass(frozen=True)
class Session:
    """What is measured.

    Attributes:
        copy: A copy of this checkout, whose cluster runs.
        shell: The shell of its user, with the tools that it is measured against.
        tools: These.
        runs: How often each thing is measured.
    """

    copy: Copy
    shell: Shell
    tools: Tools
    runs: int

    @property
    def project(self) -> Path:
        """The copy's folder."""
        return self.copy.checkout.path

    def folder(self, name: str) -> Path:
        """A new folder beside the copy."""
        folder = self.copy.folder / name
        folder.mkdir()
        return folder

    def have_stack(self) -> None:
        """Have the full stack, as it is committed, and its page served."""
        self.copy.checkout.restore()
        wait_for_page()

    def image(self) -> str:
        """The image of the stack's site, by digest."""
        return str(self.copy.checkout.outputs()["images"]["inspiration"])

    def remove(self, namespaces: Iterable[str]) -> None:
        """Remove namespaces with all that is in them, so that what is measured next has the cluster for itself."""
        self.shell.run(f"kubectl delete namespaces {' '.join(namespaces)}", self.project)

    def objects(self) -> list[Manifest]:
        """The objects of the stack, as somebody would have written them."""
        return manifests.of_stack(self.shell, self.project)

    def resources(self) -> int:
        """How many resources the stack has: objects, components, providers, certificates and all."""
        state = json.loads(self.shell.run("pulumi stack export --stack dev", self.project))
        return len(state["deployment"]["resources"])

    def configure(self, key: str, value: object) -> None:
        """Set a structure in the stack's configuration."""
        path = self.project / "Pulumi.dev.yaml"
        document = yaml.safe_load(path.read_text())
        document["config"][f"{project_name(self.project)}:{key}"] = value
        path.write_text(yaml.safe_dump(document))


@contextmanager
def session(runs: int, modules: Sequence[Module]) -> Iterator[Session]:
    """Start the cluster for the length of a block, without the stack; the tools of ``modules`` are there then."""
    provided = tools.provide(modules)
    with Copy() as copy:
        up(copy.checkout, "--cluster-only")
        homes = {f"HELM_{name}_HOME": str(copy.folder / f"helm-{name.lower()}") for name in ("CACHE", "CONFIG", "DATA")}
        shell = Shell(copy.checkout, provided.path, {**homes, "HELMFILE_UPGRADE_NOTICE_DISABLED": "true"})
        yield Session(copy, shell, provided, runs)
