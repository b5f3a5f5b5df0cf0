"""The cluster's image registry: CNCF Distribution on a NodePort."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from components.addons.addon import Addon, Detectable, Detection
from components.options import AddressRange, Allowed, Default, StorageQuantity

NAMESPACE = "container-registry"


def _number_or_off(value: Any) -> Any:
    if value is None:
        raise ValueError  # a key with nothing after it: all and the default are equally likely to be meant
    return None if value is False else value


class RegistryAddonOptions(Detectable):
    """Options of the registry."""

    size: StorageQuantity = Field(default="10Gi", description="size of its volume")
    source_ranges: Annotated[
        list[AddressRange] | None,
        Allowed('a list of address ranges in CIDR notation, such as "192.0.2.0/24"'),
        Default("nobody else"),
    ] = Field(default=None, min_length=1, description="address ranges that may connect, besides the nodes")
    keep: Annotated[
        int | None,
        BeforeValidator(_number_or_off),
        Allowed("a whole number from 1 to 1000, or false (nothing is deleted)"),
    ] = Field(
        default=10,
        ge=1,
        le=1000,
        description="releases of a site whose images stay, besides those that are in use in the cluster; older ones "
        "are deleted every night",
    )


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
            "CronJob container-registry/registry-prune": (
                "The embedded cluster has the machine's Python, and with upstream's the number 3 in common; the script "
                "runs on each from 3.11 on."
            ),
        },
        "service-account-token": {
            "CronJob container-registry/registry-prune": "It asks which images are in use, and may ask nothing else.",
        },
        "service-type": {
            "Service container-registry/registry": "The nodes and the Docker Engine use the registry at its NodePort.",
        },
    },
)
