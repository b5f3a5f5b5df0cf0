"""The cluster's DNS: CoreDNS behind the Service ``kube-dns``."""

from typing import Annotated

from pydantic import Field

from components.addons.addon import Addon, Detectable, Detection, Document
from components.options import Address, Allowed, Default, Replicas

NAMESPACE = "kube-system"
PORT = 1053
"""Where CoreDNS listens in its pod: no port that needs privileges. The Service maps 53 to it."""


def asked_at() -> list[dict[str, int | str]]:
    """Return the ports at which a NetworkPolicy lets pods ask the DNS.

    A policy is asked where the Service has led to: to the port of CoreDNS in its pod, which is 53 on most clusters.
    """
    return [{"port": port, "protocol": protocol} for port in (53, PORT) for protocol in ("UDP", "TCP")]


class DnsOptions(Detectable):
    """Options of the cluster's DNS."""

    cluster_ip: Annotated[
        Address | None,
        Field(alias="clusterIP", description="IP address of its Service: the kubelets' clusterDNS"),
        Default("the tenth address of the Service range"),
    ] = None
    replicas: Annotated[
        Replicas | None,
        Allowed("a whole number from 1 to 10"),
        Default("1; where there are several nodes, 2"),
    ] = Field(default=None, description="pods")
    upstream: Annotated[list[Address] | None, Allowed("a list of IP addresses"), Default("those of the node")] = Field(
        default=None, description="nameservers that are asked for other names; an empty list: there are no others"
    )


def is_dns(service: Document) -> bool:
    """Tell whether a Service is the cluster's DNS."""
    metadata = service["metadata"]
    # The label is what kubeadm, k3s, MicroK8s and managed clusters agree on, where the name may be another one.
    labelled = (metadata.get("labels") or {}).get("k8s-app") == "kube-dns"
    return metadata["namespace"] == NAMESPACE and (metadata["name"] == "kube-dns" or labelled)


DNS = Addon(
    name="dns",
    what="CoreDNS",
    options=DnsOptions,
    component="Dns",
    default="auto",
    optional=False,
    detection=Detection("/api/v1/services", "Service", "kube-dns", concerns=is_dns),
    exemptions={
        "service-account-token": {"Deployment kube-system/coredns": "It watches Services and EndpointSlices."},
    },
)
