"""What is allowed in the list of Helm charts."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, Field, model_validator

from components.addons.chart import Product, Release, unpinned
from settings.models import LABEL, RESERVED_NAMES, Model
from settings.problems import problem, problem_of_secret, shown


def _free_namespace(name: str) -> str:
    if name in RESERVED_NAMES or name.startswith("kube-"):
        raise problem(f"{shown(name)} is a namespace of the cluster; give the chart one of its own")
    return name


def _without_password(place: str) -> str:
    # Pulumi would show it.
    if "://" in place and "@" in urlsplit(place).netloc:
        raise problem_of_secret("has a user or a password in it, which would be shown; name one that asks for none")
    return place


class ChartSettings(Model):
    """A Helm chart: a folder or an archive of the project, or an exact version from elsewhere."""

    name: Annotated[
        str,
        # Helm's limit for the name of a release.
        Field(
            pattern=r"^[a-z]([-a-z0-9]{0,51}[a-z0-9])?$",
            description="1 to 53 lower-case letters, digits, hyphens, beginning with a letter, not ending in a hyphen",
        ),
    ]
    chart: Annotated[
        str,
        Field(
            pattern=r"^[^\x00-\x1f]+$",
            max_length=500,
            description="a folder of the project, the name of a chart, or a URL",
        ),
        AfterValidator(_without_password),
    ]
    version: Annotated[str | None, Field(description="an exact version, such as 1.21.2")] = None
    repository: Annotated[
        str | None,
        Field(pattern=r"^https?://[^\s]+$", description="the URL of a chart repository, https://…"),
        AfterValidator(lambda url: url and _without_password(url)),
    ] = None
    namespace: Annotated[
        str,
        Field(
            # Validated, since the chart's name may be that of a namespace of the cluster.
            default_factory=lambda fields: fields.get("name", "chart"),
            validate_default=True,
            pattern=rf"^{LABEL}$",
            description="the name of a namespace to make",
        ),
        AfterValidator(_free_namespace),
    ]
    pod_security: Annotated[
        Literal["privileged", "baseline", "restricted"],
        Field(description="a Pod Security Standard: privileged, baseline, restricted"),
    ] = "restricted"
    values: dict[str, Any] = Field(default={}, description="a map of what differs from the chart's values.yaml")
    crds: Annotated[bool, Field(description="true or false")] = True
    hooks: Annotated[bool, Field(description="true or false")] = False

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if text := unpinned(self.chart, self.version, self.repository):
            raise problem(text)
        if self.repository and "://" in self.chart:
            raise problem(f"{shown(self.chart)} is a URL, and repository is given too; allowed: one of them")
        if "://" in self.chart and not re.match(r"(oci|https?)://[^/]", self.chart):
            raise problem(f"{shown(self.chart)} is no URL that Helm reads; allowed: oci://…, https://…")
        if not self.repository and "://" not in self.chart and (text := _unusable(self.chart)):
            raise problem(f"{shown(self.chart)} {text}; correct it, or give the repository that has it")
        if self.repository and Path(self.chart).exists():
            raise problem(f"{shown(self.chart)} is in the project too, where Helm looks first; rename that")
        if self.hooks and _has_null(self.values):
            raise problem("values have a null, which isn't passed on where hooks is true; name a value")
        return self


def _unusable(chart: str) -> str | None:
    """Return what is wrong with ``chart`` as a folder or an archive of the project."""
    path = Path(chart)
    none = "is no chart inside the project (a folder with a Chart.yaml, or an archive)"
    if "\0" in chart or path.is_absolute() or ".." in path.parts:
        return none
    try:
        if not path.is_file() and not (path / "Chart.yaml").is_file():
            return none
        target = path.resolve()
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return (
        None if target.is_relative_to(Path.cwd().resolve()) else f"is a link that leads out of the project, to {target}"
    )


def _has_null(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_has_null, inner))


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
