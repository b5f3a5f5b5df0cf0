"""How the image registry is reached, whoever deployed it."""

from typing import Annotated

from pydantic import AfterValidator, Field

from components.options import Allowed, Default, Model, NodePort, problem, shown
from components.site.options import NAME, REGISTRY


def _registry(address: str) -> str:
    if (port := address.partition("/")[0].partition(":")[2]) and not 1 <= int(port) <= 65535:
        raise problem(f"{shown(address)} has no port from 1 to 65535 in it; correct the port")
    return address


class RegistryOptions(Model):
    """How the image registry is reached, whoever deployed it."""

    node_port: NodePort = Field(default=32000, description="port of the addon on each node")
    address: Annotated[
        str,
        AfterValidator(_registry),
        Allowed('a registry as in image names, such as "localhost:32000" or "ghcr.io/me"'),
        Default("localhost:<nodePort>, or what the cluster says of its own"),
    ] = Field(
        # By default the node port, as every node and this machine see it.
        default_factory=lambda fields: f"localhost:{fields.get('node_port', 32000)}",
        pattern=rf"^{REGISTRY}(/{NAME})*$",
        description="as in image names, with a prefix perhaps",
    )
