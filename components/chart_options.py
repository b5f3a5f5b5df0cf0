"""The options of a Helm chart."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from components.addons import reserved
from components.options import LABEL, Allowed, Default, Model, problem, problem_of_secret, shown

PodSecurity: TypeAlias = Literal["privileged", "baseline", "restricted"]
"""A Pod Security Standard."""

_EXACT = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


def _free_namespace(name: str) -> str:
    if reserved(name):
        raise problem(f"{shown(name)} is a namespace of the cluster; give the chart one of its own")
    return name


def _without_password(place: str) -> str:
    # Pulumi would show it.
    if "://" in place and "@" in urlsplit(place).netloc:
        raise problem_of_secret("has a user or a password in it, which would be shown; name one that asks for none")
    return place


class ChartOptions(Model):
    """A Helm chart: a folder or an archive of the project, or an exact version from elsewhere."""

    name: Annotated[
        str,
        # Helm's limit for the name of a release.
        Field(pattern=r"^[a-z]([-a-z0-9]{0,51}[a-z0-9])?$", description="name of the release"),
        Allowed("1 to 53 lower-case letters, digits, hyphens, beginning with a letter, not ending in a hyphen"),
    ]
    chart: Annotated[
        str, AfterValidator(_without_password), Allowed("a folder of the project, the name of a chart, or a URL")
    ] = Field(
        pattern=r"^[^\x00-\x1f]+$",
        max_length=500,
        description="folder or archive of the project, name of a chart in repository, or URL (oci:// or https://)",
    )
    version: Annotated[str | None, Allowed("an exact version, such as 1.21.2")] = Field(
        default=None, description="exact version; needed unless chart is in the project"
    )
    repository: Annotated[
        str | None,
        AfterValidator(lambda url: url and _without_password(url)),
        Allowed("the URL of a chart repository, https://…"),
    ] = Field(default=None, pattern=r"^https?://[^\s]+$", description="URL of a chart repository")
    namespace: Annotated[
        str,
        AfterValidator(_free_namespace),
        Allowed("the name of a namespace to make"),
        Default("<name>"),
    ] = Field(
        # Validated, since the chart's name may be that of a namespace of the cluster.
        default_factory=lambda fields: fields.get("name", "chart"),
        validate_default=True,
        pattern=rf"^{LABEL}$",
        description="namespace to make for it",
    )
    pod_security: Annotated[PodSecurity, Allowed("a Pod Security Standard: privileged, baseline, restricted")] = Field(
        default="restricted", description="Pod Security Standard of the namespace: what its pods may do"
    )
    values: Annotated[
        dict[str, Any],
        Allowed("a map of what differs from the chart's values.yaml"),
        Default("nothing"),
    ] = Field(default_factory=dict, description="map of what differs from the chart's values.yaml")
    crds: bool = Field(default=True, description="false leaves out the definitions in the chart's folder crds")
    hooks: bool = Field(
        default=False,
        description="true has Helm install it and run its hooks, and its objects are no resources of the stack",
    )

    def _contradictions(self) -> Iterator[str]:
        if text := unpinned(self.chart, self.version, self.repository):
            yield text
        if self.repository and "://" in self.chart:
            yield f"{shown(self.chart)} is a URL, and repository is given too; allowed: one of them"
        if "://" in self.chart and not re.match(r"(oci|https?)://[^/]", self.chart):
            yield f"{shown(self.chart)} is no URL that Helm reads; allowed: oci://…, https://…"
        if not self.repository and "://" not in self.chart and (text := _unusable(self.chart)):
            yield f"{shown(self.chart)} {text}; correct it, or give the repository that has it"
        if self.repository and Path(self.chart).exists():
            yield f"{shown(self.chart)} is in the project too, where Helm looks first; rename that"
        if self.hooks and _has_null(self.values):
            yield "values have a null, which isn't passed on where hooks is true; name a value"


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


def unpinned(chart: str, version: str | None, repository: str | None) -> str | None:
    """Return what is wrong with a chart that may be another one tomorrow; ``None`` if it is pinned.

    A folder or an archive of the project is pinned by the project itself.
    """
    if version is None and (repository or "://" in chart):
        return f"{chart} needs a version: the newest one isn't the same for ever"
    if version is not None and not _EXACT.fullmatch(version):
        return f"version {version!r} of {chart} isn't exact: write one such as 1.2.3, without a range"
    return None
