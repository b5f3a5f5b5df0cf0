"""``script/licences``: what is shipped, in which version, under which licence."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from embedded import addons, images, paths
from embedded.addons import dashboard
from embedded.errors import Failure
from embedded.images import bases
from embedded.licences import UNKNOWN, Part, others, python
from embedded.licences import go as go_licences
from embedded.toolchain import system
from embedded.toolchain.gomod import CLUSTER, KUBE_ROUTER, PULUMI, PULUMI_KUBERNETES, Module

DEBIAN_IMAGES = {"postgres", *(source.name for source in bases.sources().values())}
"""Names of the images that are made of Debian's packages."""

WIDTH = 200
"""Columns of the table where it doesn't go to a terminal."""


def run(*, as_json: bool) -> int:
    """Print what is shipped.

    Returns:
        0 if all licences are known, else 1.

    Raises:
        Failure: Nothing has been built yet.
    """
    parts = merged(_parts())
    if as_json:
        print(json.dumps([dataclasses.asdict(part) for part in parts], indent=1))  # noqa: T201 - what was asked for
    else:
        table = Table(box=None, pad_edge=False)
        for heading in ("from", "name", "version", "licence", "used by"):
            table.add_column(heading, overflow="fold")
        for part in parts:
            table.add_row(*dataclasses.astuple(part))
        Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH).print(table)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    unknown = [part for part in parts if part.licence == UNKNOWN]
    for part in unknown:
        console.print(f"the licence of {part.kind} {part.name} {part.version} isn't known", markup=False)
    if not_built := [module.title for module in _modules() if not _built(module)]:
        console.print(f"not built on this machine, and so not listed: {', '.join(not_built)}", markup=False)
    return 1 if unknown else 0


def merged(parts: Iterable[Part]) -> list[Part]:
    """Return the parts in order, each once, with all that uses it."""
    users: dict[tuple[str, str, str, str], set[str]] = {}
    for part in parts:
        users.setdefault((part.kind, part.name, part.version, part.licence), set()).add(part.used)
    return sorted(Part(*key, ", ".join(sorted(used))) for key, used in users.items())


def _parts() -> Iterator[Part]:
    built = [folder for module in _modules() if (folder := _built(module))]
    if not built:
        raise Failure("nothing has been built on this machine yet", "run script/up first")
    yield from python.installed()
    for folder in built:
        yield from go_licences.recorded(folder / go_licences.RECORD)
    for name, archive in _archives([dashboard.kube_web_view().name]):
        yield from python.in_image(archive, name)
    for name, archive in _archives(sorted(DEBIAN_IMAGES)):
        yield from others.debian_in_image(archive, name)
    for lock in Path(images.__file__).parent.glob("*/package-lock.json"):
        yield from others.npm(lock)
    needed = system.PACKAGES.keys() - system.FOR_TESTS
    yield from others.debian(system.PACKAGES[program][0] for program in needed)
    for shell in _toolchain().glob("busybox-*/busybox"):
        yield others.busybox(shell)


def _modules() -> list[Module]:
    return [CLUSTER, KUBE_ROUTER, PULUMI, PULUMI_KUBERNETES, *addons.modules()]


def _archives(names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Those of the images that this machine has made, the newest of each."""
    for name in names:
        if folder := _newest(paths.CACHE / "images", name, "image.tar"):
            yield name, folder / "image.tar"


def _built(module: Module) -> Path | None:
    """The cache's entry of ``module``, of any version; one of an older checkout may have no record."""
    return _newest(_toolchain(), module.name, go_licences.RECORD)


def _toolchain() -> Path:
    return paths.CACHE / "toolchain"


def _newest(root: Path, name: str, file: str) -> Path | None:
    """The cache's entry of that name that was used last, of those that have ``file``."""
    found = [path for path in root.glob(f"{name}-*") if path.name.rpartition("-")[0] == name and (path / file).exists()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)
