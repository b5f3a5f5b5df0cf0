"""Cilium: the network of the pods, and the policies on it, on a cluster that has no other CNI."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from components.addons.addon import Addon
from components.options import LABEL, Allowed, Model, Replicas

NAMESPACE = "cilium"


class CiliumOptions(Model):
    """Options of Cilium."""

    kube_proxy_replacement: bool = Field(default=False, description="true does without kube-proxy, and needs apiServer")
    api_server: Annotated[
        str | None, Allowed('host and port of the API server as nodes reach it, such as "192.0.2.1:6443"')
    ] = Field(
        default=None,
        pattern=rf"^({LABEL}(\.{LABEL})*|\[[0-9a-f:]+\]):[1-9][0-9]{{0,4}}$",
        description="host:port of the API server as nodes reach it without kube-proxy",
    )
    hubble: bool = Field(default=False, description="true shows what talks to what: Hubble with its relay and page")
    operator_replicas: Replicas = Field(default=1, description="pods of its operator, each on a node of its own")

    def _contradictions(self) -> Iterator[str]:
        if self.kube_proxy_replacement != (self.api_server is not None):
            yield (
                f"kubeProxyReplacement is {str(self.kube_proxy_replacement).lower()} "
                f"{'with' if self.api_server else 'without'} apiServer; allowed: both (the Service of the API server "
                "answers only once Cilium runs), or neither"
            )


CILIUM = Addon(
    name="cilium",
    what="Cilium, on a cluster without a CNI",
    options=CiliumOptions,
    component="Cilium",
    namespaces=(NAMESPACE,),
    exemptions={
        "pod-security-restricted": {
            "Namespace cilium": "Cilium loads programs into the kernel, and writes the node's CNI configuration.",
        },
    },
)
