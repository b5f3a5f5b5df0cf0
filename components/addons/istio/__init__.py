"""Istio in its ambient mode: a service mesh without sidecars."""

from typing import Annotated, Literal

from pydantic import Field

from components.addons.addon import Addon
from components.options import Default, Model

NAMESPACE = "istio-system"


class IstioOptions(Model):
    """Options of Istio."""

    platform: Annotated[
        Literal["gke", "k3d", "k3s", "microk8s", "minikube", "openshift"] | None, Default("none of them")
    ] = Field(default=None, description="what the cluster is, where its CNI is elsewhere than usual")


ISTIO = Addon(
    name="istio",
    what="Istio in ambient mode",
    options=IstioOptions,
    component="Istio",
    namespaces=(NAMESPACE,),
    exemptions={
        "pod-security-restricted": {
            "Namespace istio-system": ("The CNI agent and ztunnel redirect traffic in the network namespaces of pods."),
        },
    },
)
