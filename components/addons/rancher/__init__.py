"""Rancher: manages clusters, this one first, in a web page."""

from typing import Annotated

from pydantic import Field

from components.addons.addon import Addon
from components.options import DOMAIN, Default, Host, Model, Replicas

NAMESPACE = "cattle-system"


class RancherOptions(Model):
    """Options of Rancher."""

    host: Annotated[Host, Default(f"rancher.{DOMAIN}")] = Field(description="host name")
    replicas: Replicas = Field(default=1, description="pods")


RANCHER = Addon(
    name="rancher",
    what="Rancher",
    options=RancherOptions,
    component="Rancher",
    namespaces=(NAMESPACE,),
    needs=("ingress",),
    outputs={"rancher_login": "login"},
    exemptions={
        "pod-security-restricted": {
            "Namespace cattle-system": "Rancher runs as root, and starts pods there that its chart doesn't show.",
        },
    },
)
