"""NVIDIA's GPU operator: makes the GPUs of nodes a resource that pods ask for."""

import pulumi
from typing_extensions import override

from components.addons.addon import Context
from components.addons.gpu import NAMESPACE, GpuOptions
from components.chart import Charts, Product, Release
from components.manifests import Manifest

# Privileged: the operator's pods load drivers into the kernel and change the node's container runtime.
PRODUCT = Product(
    NAMESPACE,
    "privileged",
    {"chart": Release("gpu-operator", "gpu-operator", "v26.7.0", "https://helm.ngc.nvidia.com/nvidia")},
)


class GpuOperator(Charts[GpuOptions]):
    """The GPU operator with its device plugin, and what nodes lack for it."""

    product = PRODUCT

    @override
    def values(self, options: GpuOptions, context: Context, ns: pulumi.Output[str]) -> dict[str, Manifest]:
        return {"chart": values(options)}


def values(options: GpuOptions) -> Manifest:
    """Return the values of the chart."""
    return {
        "driver": {"enabled": options.driver},
        "toolkit": {"enabled": options.toolkit},
        # A hook would do that; here the definitions are resources of the stack.
        "operator": {"upgradeCRD": False},
    }
