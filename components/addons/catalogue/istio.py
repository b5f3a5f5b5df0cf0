"""Istio in its ambient mode: a service mesh without sidecars."""

from typing import NotRequired, TypedDict

import pulumi

from components.addons.catalogue import CATALOGUE
from components.addons.chart import home, install
from components.manifests import Manifest

PRODUCT = CATALOGUE["istio"]


class IstioArgs(TypedDict):
    """Istio."""

    platform: NotRequired[str | None]
    """What the cluster is, where its CNI is elsewhere than usual, such as ``k3s``; default: none of these."""


class Istio(pulumi.ComponentResource):
    """Istio's definitions, istiod, the CNI agent and ztunnel."""

    namespace: pulumi.Output[str]
    """Where it is; known when it is ready."""

    def __init__(self, name: str, args: IstioArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Istio", name, None, opts)
        ns = home(name, PRODUCT, self).metadata.name
        self.namespace = install(name, PRODUCT, ns, values(args), self)
        self.register_outputs({"namespace": self.namespace})


def values(args: IstioArgs) -> dict[str, Manifest]:
    """Return the values of the charts."""
    platform = args.get("platform")
    common: Manifest = {"profile": "ambient"} | ({"global": {"platform": platform}} if platform else {})
    # Else istiod changes the policy of its webhooks as soon as it runs, and `pulumi up` would change it back.
    webhooks: Manifest = {"base": {"validationFailurePolicy": "Fail"}}
    return {"base": common | webhooks, "istiod": common | webhooks, "cni": common, "ztunnel": common}
