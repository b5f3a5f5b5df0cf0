"""The cluster's image registry: CNCF Distribution on a NodePort."""

from typing import Annotated

from pydantic import Field

from components.addons.addon import Addon, Detectable, Detection
from components.options import AddressRange, Allowed, Default, StorageQuantity

NAMESPACE = "container-registry"


class RegistryAddonOptions(Detectable):
    """Options of the registry."""

    size: StorageQuantity = Field(default="10Gi", description="size of its volume")
    source_ranges: Annotated[
        list[AddressRange] | None,
        Allowed('a list of address ranges in CIDR notation, such as "192.0.2.0/24"'),
        Default("nobody else"),
    ] = Field(default=None, min_length=1, description="address ranges that may connect, besides the nodes")


REGISTRY = Addon(
    name="registry",
    what="image registry",
    options=RegistryAddonOptions,
    component="Registry",
    default="auto",
    optional=False,
    namespaces=(NAMESPACE,),
    needs=("storage",),
    # Where developers' tools look for a registry: KEP-1755, "Communicating a local registry".
    detection=Detection(
        "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting", "ConfigMap", "local-registry-hosting"
    ),
    exemptions={
        "image-version": {
            "Deployment container-registry/registry": (
                "The embedded cluster and upstream have the tag 3 in common; it moves within one major version."
            ),
        },
        "service-type": {
            "Service container-registry/registry": "The nodes and the Docker Engine use the registry at its NodePort.",
        },
    },
)
