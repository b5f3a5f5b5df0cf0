"""Charts that are on this machine already, for those of upstream's registries."""

import dataclasses
import os
from pathlib import Path

import yaml

from .helm import Chart

_VARIABLE = "INSPIRATION_CHARTS"


def located(chart: Chart) -> Chart:
    """Return where ``chart`` is on this machine, if it is.

    The variable ``INSPIRATION_CHARTS`` names folders, as ``PATH`` does. What is published at ``oci://HOST/PATH/NAME``,
    or as NAME in the repository ``https://HOST/PATH``, is in ``HOST/PATH/NAME`` of one of them. It is taken if it has
    exactly the version that is asked for.

    Args:
        chart: As the inputs name it.
    """
    reference = f"{chart.repository.rstrip('/')}/{chart.reference}" if chart.repository else chart.reference
    scheme, found, place = reference.partition("://")
    if not found or scheme not in ("oci", "https") or not chart.version:
        return chart
    for folder in filter(None, os.environ.get(_VARIABLE, "").split(":")):
        described = Path(folder, place, "Chart.yaml")
        if described.is_file() and _plain(yaml.safe_load(described.read_text())["version"]) == _plain(chart.version):
            return dataclasses.replace(chart, reference=str(described.parent), repository=None, version=None)
    return chart


def _plain(version: str) -> str:
    """Without the ``v``, with which Helm finds a chart too."""
    return version.removeprefix("v")
