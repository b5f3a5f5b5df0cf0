"""What upstream ships as a Helm chart: one chart of a pinned version, in a namespace of its own."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v4 import Chart

from components.manifests import namespace

_EXACT = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


class ChartAddonArgs(TypedDict):
    """A Helm chart."""

    chart: str
    """A folder or archive of the project, the name of a chart in ``repository``, or a URL (``oci://`` or ``https://``)."""
    version: NotRequired[str | None]
    """The exact version, such as ``1.21.2``; needed unless ``chart`` is a folder or an archive."""
    repository: NotRequired[str | None]
    """URL of the chart repository."""
    namespace: str
    """Namespace to make for it."""
    pod_security: NotRequired[Literal["privileged", "baseline", "restricted"]]
    """Pod Security Standard of the namespace; default ``restricted``."""
    values: NotRequired[Mapping[str, Any] | None]
    """What differs from the chart's own ``values.yaml``; default nothing."""
    crds: NotRequired[bool]
    """Whether to install the definitions in the chart's folder ``crds``; default true."""


class ChartAddon(pulumi.ComponentResource):
    """A Helm chart whose objects are resources of the stack: previewed, awaited and removed like all others.

    Raises:
        ValueError: The chart isn't pinned, see `unpinned`.
    """

    namespace: pulumi.Output[str]
    """Where it is installed; known when its objects are ready."""

    def __init__(self, name: str, args: ChartAddonArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if problem := unpinned(args["chart"], args.get("version"), args.get("repository")):
            raise ValueError(f"chart {name}: {problem}")
        super().__init__("inspiration:index:ChartAddon", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        level = args.get("pod_security", "restricted")
        repository = args.get("repository")
        home = Namespace(f"{name}-namespace", **namespace(args["namespace"], name, level), opts=child)
        installed = Chart(
            f"{name}-chart",
            name=name,
            chart=args["chart"],
            version=args.get("version"),
            repository_opts={"repo": repository} if repository else None,
            namespace=home.metadata.name,
            values=args.get("values"),
            skip_crds=not args.get("crds", True),
            opts=child,
        )
        # The URN of a component that a plugin makes is known when its children are there.
        self.namespace = pulumi.Output.all(home.metadata.name, installed.urn).apply(lambda known: str(known[0]))
        self.register_outputs({"namespace": self.namespace})


def unpinned(chart: str, version: str | None, repository: str | None) -> str | None:
    """Return what is wrong with a chart that may be another one tomorrow; ``None`` if it is pinned.

    A folder or an archive of the project is pinned by the project itself.
    """
    if version is None and (repository or "://" in chart):
        return f"{chart} needs a version: the newest one isn't the same for ever"
    if version is not None and not _EXACT.fullmatch(version):
        return f"version {version!r} of {chart} isn't exact: write one such as 1.2.3, without a range"
    return None
