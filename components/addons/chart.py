"""What upstream ships as Helm charts: charts of pinned versions, in a namespace of their own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm import v3 as helm
from pulumi_kubernetes.helm.v4 import Chart

from components.addons.chart_objects import forced, sealed
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
    hooks: bool = False
    """Whether Helm installs it, and runs its hooks: its objects are then no resources of the stack."""


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
    hooks: NotRequired[bool]
    """Whether it is a release of Helm's, which runs its hooks, and not objects of the stack; default false."""
    after: NotRequired[Sequence[pulumi.Resource]]
    """What its objects may need, and so goes after them; default nothing."""


class ChartAddon(pulumi.ComponentResource):
    """A Helm chart whose objects are resources of the stack: previewed, awaited and removed like all others.

    With ``hooks`` it is one resource, a Helm release, as ``helm install`` makes it.

    Raises:
        ValueError: The chart isn't pinned, see `unpinned`.
    """

    namespace: pulumi.Output[str]
    """Where it is installed; known when its objects are ready."""

    def __init__(self, name: str, args: ChartAddonArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if problem := unpinned(args["chart"], args.get("version"), args.get("repository")):
            raise ValueError(f"chart {name}: {problem}")
        super().__init__("inspiration:index:ChartAddon", name, None, opts)
        release = Release(
            name,
            args["chart"],
            args.get("version"),
            args.get("repository"),
            crds=args.get("crds", True),
            hooks=args.get("hooks", False),
        )
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
    done: list[pulumi.Output[str]] = []
    for key, release in product.releases.items():
        declare = _release if release.hooks else _chart
        opts = pulumi.ResourceOptions(parent=parent, depends_on=after)
        after = [installed := declare(f"{name}-{key}", release, ns, values.get(key), opts)]
        # The URN of a component that a plugin makes is known when its children are there.
        done.append(installed.id if isinstance(installed, pulumi.CustomResource) else installed.urn)
    return pulumi.Output.all(ns, *done).apply(lambda known: str(known[0]))


def _chart(
    name: str,
    release: Release,
    ns: pulumi.Input[str],
    values: pulumi.Input[Mapping[str, Any]] | None,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Declare the objects of a chart."""
    return Chart(
        name,
        **_described(release, ns, values),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(transforms=[forced, sealed(values)])),
    )


def _release(
    name: str,
    release: Release,
    ns: pulumi.Input[str],
    values: pulumi.Input[Mapping[str, Any]] | None,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Declare a release of Helm's, which keeps as many revisions, and forgets as many values, as `helm upgrade`."""
    return helm.Release(
        name,
        **_described(release, ns, values),
        max_history=10,
        # Without values any more, Helm would go on with those of before.
        reset_values=True,
        opts=opts,
    )


def _described(
    release: Release, ns: pulumi.Input[str], values: pulumi.Input[Mapping[str, Any]] | None
) -> Mapping[str, Any]:
    """Return what both resources are told: which chart it is, where it goes, and what differs from its values."""
    return {
        "name": release.name,
        "chart": release.chart,
        "version": release.version,
        "repository_opts": {"repo": release.repository} if release.repository else None,
        "namespace": ns,
        "values": values,
        "skip_crds": not release.crds,
    }


def unpinned(chart: str, version: str | None, repository: str | None) -> str | None:
    """Return what is wrong with a chart that may be another one tomorrow; ``None`` if it is pinned.

    A folder or an archive of the project is pinned by the project itself.
    """
    if version is None and (repository or "://" in chart):
        return f"{chart} needs a version: the newest one isn't the same for ever"
    if version is not None and not _EXACT.fullmatch(version):
        return f"version {version!r} of {chart} isn't exact: write one such as 1.2.3, without a range"
    return None
