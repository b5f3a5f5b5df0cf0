"""NVIDIA's GPU operator: makes the GPUs of nodes a resource that pods ask for."""

from typing import NotRequired, TypedDict

import pulumi

from components.addons.catalogue import CATALOGUE
from components.addons.chart import home, install
from components.manifests import Manifest

PRODUCT = CATALOGUE["gpu"]


class GpuOperatorArgs(TypedDict):
    """The GPU operator."""

    driver: NotRequired[bool]
    """Whether it installs NVIDIA's driver on the nodes; ``False`` where they have one; default ``True``."""
    toolkit: NotRequired[bool]
    """Whether it installs NVIDIA's container toolkit; ``False`` where nodes have it; default ``True``."""


class GpuOperator(pulumi.ComponentResource):
    """The GPU operator with its device plugin, and what nodes lack for it."""

    namespace: pulumi.Output[str]
    """Where it is; known when the operator is ready, which then prepares the nodes."""

    def __init__(self, name: str, args: GpuOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:GpuOperator", name, None, opts)
        ns = home(name, PRODUCT, self).metadata.name
        self.namespace = install(name, PRODUCT, ns, {"chart": values(args)}, self)
        self.register_outputs({"namespace": self.namespace})


def values(args: GpuOperatorArgs) -> Manifest:
    """Return the values of the chart."""
    return {
        "driver": {"enabled": args.get("driver", True)},
        "toolkit": {"enabled": args.get("toolkit", True)},
        # A hook would do that; here the definitions are resources of the stack.
        "operator": {"upgradeCRD": False},
    }
