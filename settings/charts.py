"""What is allowed in the list of Helm charts."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from components.addons.chart import unpinned
from settings.models import LABEL, RESERVED_NAMES, Model, problem
from settings.problems import shown


def _free_namespace(name: str) -> str:
    if name in RESERVED_NAMES or name.startswith("kube-"):
        raise problem(f"{shown(name)} is a namespace of the cluster; give the chart one of its own")
    return name


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
    chart: Annotated[str, Field(min_length=1, description="a folder of the project, the name of a chart, or a URL")]
    version: Annotated[str | None, Field(description="an exact version, such as 1.21.2")] = None
    repository: Annotated[
        str | None, Field(pattern=r"^https?://[^\s]+$", description="the URL of a chart repository, https://…")
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

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if text := unpinned(self.chart, self.version, self.repository):
            raise problem(text)
        local = Path(self.chart)
        if self.repository or "://" in self.chart:
            return self
        if local.is_absolute() or ".." in local.parts or not (local.is_file() or (local / "Chart.yaml").is_file()):
            raise problem(
                f"{shown(self.chart)} is no chart inside the project (a folder with a Chart.yaml, or an archive); "
                "correct it, or give the repository that has it"
            )
        return self
