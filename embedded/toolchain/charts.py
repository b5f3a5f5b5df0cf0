"""Helm charts that a Go module brings, for those of upstream's registries, from which nothing is fetched here.

What upstream publishes at ``HOST/PATH/NAME`` is in the folder ``charts/HOST/PATH/NAME`` beside the binaries. The
program gets these folders ``charts`` in the variable ``INSPIRATION_CHARTS``, which ``settings.charts`` reads.
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

VARIABLE = "INSPIRATION_CHARTS"
"""Folders of charts, as in ``PATH``."""


def copy(source: Path, folder: Path) -> None:
    """Copy a folder of Go's cache, in which neither the files nor the folders can be written to, and so not removed."""
    shutil.copytree(source, folder, copy_function=shutil.copyfile)
    for inner in (folder, *(each for each in folder.rglob("*") if each.is_dir())):
        inner.chmod(0o755)


def join(folder: Path, file: Path) -> None:
    """Make one manifest of those in a ``folder``, as upstream does for what it publishes."""
    file.parent.mkdir(parents=True)
    file.write_text("\n---\n".join(path.read_text() for path in sorted(folder.glob("*.yaml"))))


def release(chart: Path, version: str) -> None:
    """Give a chart the version that upstream's release gives it, as ``helm package --version --app-version`` does."""
    file = chart / "Chart.yaml"
    described = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**described, "version": version, "appVersion": version}, sort_keys=False))


def environment(binaries: Iterable[Path]) -> Mapping[str, str]:
    """The variable that tells the program which charts there are, if any.

    Args:
        binaries: The folders of the programs of Go modules, beside which the charts are.
    """
    folders = [str(folder) for each in binaries if (folder := each.parent / "charts").is_dir()]
    return {VARIABLE: ":".join(folders)} if folders else {}
