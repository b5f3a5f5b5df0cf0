"""Linkerd: a service mesh of sidecars that know each other by certificates."""

from typing import Annotated

from pydantic import Field

from components.addons.addon import Addon
from components.options import Model

NAMESPACE = "linkerd"


class LinkerdOptions(Model):
    """Options of Linkerd."""

    high_availability: bool = Field(
        default=False,
        description="true runs three pods of each part, each on a node of its own, and no pod starts without its proxy",
    )
    gateway_api: Annotated[
        bool, Field(alias="gatewayAPI", description="false where the cluster has the definitions of the Gateway API")
    ] = True


LINKERD = Addon(
    name="linkerd",
    what="Linkerd",
    options=LinkerdOptions,
    component="Linkerd",
    namespaces=(NAMESPACE,),
    exemptions={
        "pod-security-restricted": {
            "Namespace linkerd": "An init container of each pod writes iptables rules (NET_ADMIN, NET_RAW).",
        },
    },
)
