"""Prometheus: measures the cluster and the sites, and shows it to those who sign in."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from components.addons.addon import Addon
from components.options import DOMAIN, Default, Host, Memory, Model, Retention, StorageQuantity, amount

NAMESPACE = "prometheus"
RESERVED = "256Mi"
"""Memory that the scheduler reserves for its pod."""


class PrometheusOptions(Model):
    """Options of Prometheus."""

    host: Annotated[Host, Default(f"prometheus.{DOMAIN}")] = Field(description="host name")
    retention: Retention = Field(default="7d", description="how long samples are kept")
    size: StorageQuantity = Field(
        default="8Gi", description="size of its volume; the oldest samples go when it is nearly full"
    )
    memory: Memory = Field(default="1Gi", description="limit of its memory; hundreds of nodes take more")
    kubelet_insecure_tls: bool = Field(
        default=False, description="true where kubelets sign their own certificates, as on kubeadm and kind"
    )

    def _contradictions(self) -> Iterator[str]:
        if amount(self.memory) < amount(RESERVED):
            yield f"memory {self.memory} is less than what is reserved for it; allowed: {RESERVED} or more"


PROMETHEUS = Addon(
    name="prometheus",
    what="metrics with their history",
    options=PrometheusOptions,
    component="Prometheus",
    namespaces=(NAMESPACE,),
    needs=("storage", "ingress"),
    passthrough=True,
    outputs={"prometheus_login": "login"},
    exemptions={
        "service-account-token": {
            "StatefulSet prometheus/prometheus": (
                "It finds what there is to measure, and asks the kubelets for metrics."
            ),
        },
    },
)
