"""NVIDIA's GPU operator: makes the GPUs of nodes a resource that pods ask for."""

from pydantic import Field

from components.addons.addon import Addon
from components.options import Model

NAMESPACE = "gpu-operator"


class GpuOptions(Model):
    """Options of the GPU operator."""

    driver: bool = Field(default=True, description="false where the nodes have NVIDIA's driver")
    toolkit: bool = Field(default=True, description="false where the nodes have NVIDIA's container toolkit")


GPU = Addon(
    name="gpu",
    what="NVIDIA's GPU operator",
    options=GpuOptions,
    component="GpuOperator",
    namespaces=(NAMESPACE,),
    exemptions={
        "pod-security-restricted": {
            "Namespace gpu-operator": (
                "Its pods load drivers into the kernel, and change the node's container runtime."
            ),
        },
    },
)
