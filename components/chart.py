"""What upstream ships as Helm charts: charts of pinned versions, in a namespace of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

import pulumi
from pulumi_kubernetes.helm.v4 import Chart

from components.addons.addon import Context, O
from components.chart_objects import forced, sealed
from components.chart_options import ChartOptions, PodSecurity
from components.kinds import Namespace
from components.manifests import Manifest, namespace_args


@dataclass(frozen=True)
class Release:
    """A chart that is installed."""

    name: str
    """Helm's name of it, which upstream's documentation uses: a chart names its objects after it."""
    chart: str
    """A folder or archive of the project, the name of a chart in ``repository``, or a URL (``oci://`` or ``https://``)."""
    version: str | None = None
    """The exact version, see `components.chart_options.unpinned`."""
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


class ChartAddon(pulumi.ComponentResource):
    """A Helm chart whose objects are resources of the stack: previewed, awaited and removed like all others.

    With ``hooks`` it is one resource, a Helm release, as ``helm install`` makes it.

    Args:
        name: Helm's name of the release, and what the names of its resources begin with.
        options: Which chart it is, and where it goes.
        values: What differs from the chart's own ``values.yaml``, in place of what the options say of it.
        after: What its objects may need, and so goes before them.
        opts: Pulumi's options.
    """

    namespace: pulumi.Output[str]
    """Where it is installed; known when its objects are ready."""

    def __init__(
        self,
        name: str,
        options: ChartOptions,
        values: pulumi.Input[Mapping[str, Any]] | None = None,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("inspiration:index:ChartAddon", name, None, opts)
        release = Release(
            name, options.chart, options.version, options.repository, crds=options.crds, hooks=options.hooks
        )
        product = Product(options.namespace, options.pod_security, {"chart": release})
        ns = declare_namespace(name, product, self).metadata["name"]
        chosen = options.values if values is None else values
        self.namespace = install(name, product, ns, {"chart": chosen}, self, after)
        self.register_outputs({"namespace": self.namespace})


class Charts(pulumi.ComponentResource, Generic[O]):
    """What upstream ships as charts, behind typed options. Its type's name is that of the class."""

    product: ClassVar[Product]
    labels: ClassVar[Mapping[str, str]] = {}
    """Further labels of its namespace."""

    name: str
    """What the names of its resources begin with."""
    after: Sequence[pulumi.Resource] = ()
    """What has to be there before its charts, besides what the values come from."""
    namespace: pulumi.Output[str]
    """Where it is; known when it is ready."""

    def __init__(self, name: str, options: O, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"inspiration:index:{type(self).__name__}", name, None, opts)
        self.name = name
        product = context.located(self.product)
        ns = declare_namespace(name, product, self, self.labels).metadata["name"]
        chosen = self.values(options, context, ns)
        self.namespace = install(name, product, ns, chosen, self, self.after)
        self.register_outputs(self.results(options, context))

    def values(self, options: O, context: Context, ns: pulumi.Output[str]) -> dict[str, Manifest]:
        """Return what differs from the ``values.yaml`` of each chart, and declare what that needs.

        Args:
            options: The options.
            context: The rest of the stack.
            ns: The namespace of the product.
        """
        raise NotImplementedError

    def results(self, options: O, context: Context) -> dict[str, pulumi.Input[Any]]:  # noqa: ARG002 for who overrides it
        """Return the outputs of the component, once the charts are declared."""
        return {"namespace": self.namespace}


def declare_namespace(
    name: str, product: Product, parent: pulumi.Resource, labels: Mapping[str, str] | None = None
) -> Namespace:
    """Declare the namespace of a product; ``labels`` are further ones of it."""
    return Namespace(
        f"{name}-namespace",
        **namespace_args(product.namespace, name, product.pod_security, labels),
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
    from pulumi_kubernetes.helm.v3 import Release as HelmRelease  # which takes 50 ms, and few stacks have one

    return HelmRelease(
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
