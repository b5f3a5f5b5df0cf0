"""What upstream publishes for addons, charts and manifests: on this machine, if it is there."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from settings import SettingsError
from settings.problems import qualified

if TYPE_CHECKING:
    from components.chart import Product, Release

SECONDS = 30
"""For upstream to answer."""


def located(product: Product, environ: Mapping[str, str] = os.environ) -> Product:
    """Return ``product`` with the folders of those of its charts that are on this machine, in exactly their version.

    The variable ``INSPIRATION_CHARTS`` names folders, as ``PATH`` does. What is published at ``oci://HOST/PATH/NAME``,
    or as NAME in the repository ``https://HOST/PATH``, is in ``HOST/PATH/NAME`` of one of them.
    """
    folders = _folders(environ)
    return replace(product, releases={key: _located(each, folders) for key, each in product.releases.items()})


def published(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the text that is published at ``url``, from the same folders if one has it.

    Raises:
        SettingsError: It can't be had.
    """
    for folder in _folders(environ):
        if (file := Path(folder, url.partition("://")[2])).is_file():
            return file.read_text()
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 upstream's, never the user's
            return str(answer.read().decode())
    except OSError as error:
        key = qualified("addons.ingress.gatewayAPI")
        raise SettingsError(
            [
                f"{key}: {url} can't be read: {error}; run script/up if this is the embedded cluster, check the "
                "network, or set it to false where the cluster has the definitions"
            ]
        ) from None


def _folders(environ: Mapping[str, str]) -> list[str]:
    return list(filter(None, environ.get("INSPIRATION_CHARTS", "").split(os.pathsep)))


def _located(release: Release, folders: list[str]) -> Release:
    url = f"{release.repository.rstrip('/')}/{release.chart}" if release.repository else release.chart
    for folder in folders:
        described = Path(folder, url.partition("://")[2], "Chart.yaml")
        if described.is_file() and yaml.safe_load(described.read_text())["version"] == release.version:
            return replace(release, chart=str(described.parent), repository=None)
    return release
