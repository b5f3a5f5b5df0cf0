"""The programs that the stack is measured against, built as the toolchain's own are: from pinned Go modules, once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedded import paths
from embedded.progress import Progress
from embedded.toolchain.build import Builder
from embedded.toolchain.gomod import CLUSTER, Module

_HERE = Path(__file__).resolve().parent

HELM = Module(
    folder=_HERE / "helm",
    product="Helm",
    main="helm.sh/helm/v4",
    stamps={"helm.sh/helm/v4/internal/version.version": "helm.sh/helm/v4"},
    after=CLUSTER,
)

HELMFILE = Module(
    folder=_HERE / "helmfile",
    product="Helmfile",
    main="github.com/helmfile/helmfile",
    stamps={"go.szostok.io/version.version": "github.com/helmfile/helmfile"},
)

OPENTOFU = Module(
    folder=_HERE / "opentofu",
    product="OpenTofu",
    main="github.com/opentofu/opentofu",
    stamps={},
)

KUBECTL_PROVIDER = Module(
    folder=_HERE / "kubectl-provider",
    product="OpenTofu's provider kubectl",
    main="github.com/gavinbunney/terraform-provider-kubectl",
    stamps={},
)

KWOK = Module(
    folder=_HERE / "kwok",
    product="kwok",
    main="sigs.k8s.io/kwok",
    stamps={},
    # What it has nodes and pods do.
    sources={f"stage/{kind}": f"kustomize/stage/{kind}/fast" for kind in ("node", "pod")},
    after=CLUSTER,
)

COMPARED = (HELM, HELMFILE, OPENTOFU, KUBECTL_PROVIDER)
MODULES = (*COMPARED, KWOK)
OF_SUBJECTS: Mapping[str, Sequence[Module]] = {"edit": (HELM, HELMFILE), "preview": COMPARED, "nodes": (KWOK,)}
"""What each subject is measured against, or with; the others need nothing that isn't there."""


@dataclass(frozen=True)
class Tools:
    """Where the programs are, each a folder for ``PATH``.

    Attributes:
        folders: By the name of the module.
    """

    folders: dict[str, Path]

    @property
    def path(self) -> str:
        """The start of ``PATH`` that has them."""
        return os.pathsep.join(map(str, self.folders.values()))

    @property
    def versions(self) -> dict[str, str]:
        """Product to version, for the results."""
        return {module.product: module.version.removeprefix("v") for module in MODULES if module.name in self.folders}


def provide(modules: Sequence[Module] = MODULES) -> Tools:
    """Return the programs of ``modules``; those that the cache hasn't got are built.

    Raises:
        Failure: One can't be had.
    """
    if not modules:
        return Tools({})
    builder = Builder(modules, paths.create_cache("toolchain"), paths.create_cache("log"), Progress())
    for missing in builder.missing:
        builder.build(missing)
    return Tools({name: folder / "bin" for name, folder in builder.folders.items()})
