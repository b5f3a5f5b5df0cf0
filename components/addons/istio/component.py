"""Istio in its ambient mode: a service mesh without sidecars."""

import pulumi
from typing_extensions import override

from components.addons.addon import Context
from components.addons.istio import NAMESPACE, IstioOptions
from components.chart import Charts, Product, Release
from components.manifests import Manifest

VERSION = "1.30.4"
REPOSITORY = "https://istio-release.storage.googleapis.com/charts"
# Privileged: the CNI agent and ztunnel redirect the traffic of pods, from within their network namespaces.
PRODUCT = Product(
    NAMESPACE,
    "privileged",
    {
        "base": Release("istio-base", "base", VERSION, REPOSITORY),
        "istiod": Release("istiod", "istiod", VERSION, REPOSITORY),
        "cni": Release("istio-cni", "cni", VERSION, REPOSITORY),
        "ztunnel": Release("ztunnel", "ztunnel", VERSION, REPOSITORY),
    },
)


class Istio(Charts[IstioOptions]):
    """Istio's definitions, istiod, the CNI agent and ztunnel."""

    product = PRODUCT

    @override
    def values(self, options: IstioOptions, context: Context, ns: pulumi.Output[str]) -> dict[str, Manifest]:
        return values(options)


def values(options: IstioOptions) -> dict[str, Manifest]:
    """Return the values of the charts."""
    of_platform = {"global": {"platform": options.platform}} if options.platform else {}
    common: Manifest = {"profile": "ambient"} | of_platform
    # Else istiod changes the policy of its webhooks as soon as it runs, and `pulumi up` would change it back.
    webhooks: Manifest = {"base": {"validationFailurePolicy": "Fail"}}
    return {"base": common | webhooks, "istiod": common | webhooks, "cni": common, "ztunnel": common}
