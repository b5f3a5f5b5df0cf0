"""What upstream ships as Helm charts: charts of pinned versions, in a namespace of their own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v4 import Chart

from components.manifests import namespace

PodSecurity: TypeAlias = Literal["privileged", "baseline", "restricted"]
"""A Pod Security Standard."""

_EXACT = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


@dataclass(frozen=True)
class Release:
    """A chart that is installed."""

    name: str
    """Helm's name of it, which upstream's documentation uses: a chart names its objects after it."""
    chart: str
    """A folder or archive of the project, the name of a chart in ``repository``, or a URL (``oci://`` or ``https://``)."""
    version: str | None = None
    """The exact version, see `unpinned`."""
    repository: str | None = None
    """URL of the chart repository."""
    crds: bool = True
    """Whether to install the definitions in the chart's folder ``crds``."""
    value_file: str | None = None
    """YAML of a values file, for what values can't say: null, by which Helm takes a default of the chart away."""


@dataclass(frozen=True)
class Product:
    """What is installed together, in a namespace of its own."""

    namespace: str
    pod_security: PodSecurity
    """The strictest Pod Security Standard that its pods pass."""
    releases: Mapping[str, Release]
    """In the order of installation, by what the names of their resources end in."""


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
    pod_security: NotRequired[PodSecurity]
    """Pod Security Standard of the namespace; default ``restricted``."""
    values: NotRequired[pulumi.Input[Mapping[str, Any]] | None]
    """What differs from the chart's own ``values.yaml``; default nothing."""
    crds: NotRequired[bool]
    """Whether to install the definitions in the chart's folder ``crds``; default true."""
    after: NotRequired[Sequence[pulumi.Resource]]
    """What its objects may need, and so goes after them; default nothing."""


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
        release = Release(name, args["chart"], args.get("version"), args.get("repository"), args.get("crds", True))
        product = Product(args["namespace"], args.get("pod_security", "restricted"), {"chart": release})
        ns = home(name, product, self).metadata.name
        self.namespace = install(name, product, ns, {"chart": args.get("values")}, self, args.get("after", ()))
        self.register_outputs({"namespace": self.namespace})


def home(name: str, product: Product, parent: pulumi.Resource, labels: Mapping[str, str] | None = None) -> Namespace:
    """Declare the namespace of a product; ``labels`` are further ones of it."""
    return Namespace(
        f"{name}-namespace",
        **namespace(product.namespace, name, product.pod_security, labels),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def install(
    name: str,
    product: Product,
    ns: pulumi.Input[str],
    values: Mapping[str, pulumi.Input[Mapping[str, Any]] | None],
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource] = (),
) -> pulumi.Output[str]:
    """Declare the charts of a product, each after the objects of the one before.

    Args:
        name: What the names of the resources begin with.
        product: What to install.
        ns: Its namespace.
        values: What differs from the ``values.yaml`` of each chart, by release as in `Product.releases`.
        parent: The component that it is a part of.
        after: What has to be there before, besides what the values come from.

    Returns:
        The namespace; known when all objects are ready.
    """
    urns: list[pulumi.Output[str]] = []
    for key, release in product.releases.items():
        installed = Chart(
            f"{name}-{key}",
            name=release.name,
            chart=release.chart,
            version=release.version,
            repository_opts={"repo": release.repository} if release.repository else None,
            namespace=ns,
            value_yaml_files=[pulumi.StringAsset(release.value_file)] if release.value_file else None,
            values=values.get(key),
            skip_crds=not release.crds,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=after),
        )
        after = [installed]
        # The URN of a component that a plugin makes is known when its children are there.
        urns.append(installed.urn)
    return pulumi.Output.all(ns, *urns).apply(lambda known: str(known[0]))


def unpinned(chart: str, version: str | None, repository: str | None) -> str | None:
    """Return what is wrong with a chart that may be another one tomorrow; ``None`` if it is pinned.

    A folder or an archive of the project is pinned by the project itself.
    """
    if version is None and (repository or "://" in chart):
        return f"{chart} needs a version: the newest one isn't the same for ever"
    if version is not None and not _EXACT.fullmatch(version):
        return f"version {version!r} of {chart} isn't exact: write one such as 1.2.3, without a range"
    return None
