"""Where the charts of addons are, if they are on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from components.chart import Product, Release


def located(product: Product, environ: Mapping[str, str] = os.environ) -> Product:
    """Return ``product`` with the folders of those of its charts that are on this machine, in exactly their version.

    The variable ``INSPIRATION_CHARTS`` names folders, as ``PATH`` does. What is published at ``oci://HOST/PATH/NAME``,
    or as NAME in the repository ``https://HOST/PATH``, is in ``HOST/PATH/NAME`` of one of them.
    """
    folders = list(filter(None, environ.get("INSPIRATION_CHARTS", "").split(os.pathsep)))
    return replace(product, releases={key: _located(each, folders) for key, each in product.releases.items()})


def _located(release: Release, folders: list[str]) -> Release:
    url = f"{release.repository.rstrip('/')}/{release.chart}" if release.repository else release.chart
    for folder in folders:
        described = Path(folder, url.partition("://")[2], "Chart.yaml")
        if described.is_file() and yaml.safe_load(described.read_text())["version"] == release.version:
            return replace(release, chart=str(described.parent), repository=None)
    return release
