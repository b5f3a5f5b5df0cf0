"""The charts of upstream's that addons install, as data: that they are pinned, and their values."""

from typing import Any

import pytest

from components.addons.cert.component import PRODUCT as CERT_MANAGER
from components.addons.cilium import CiliumOptions
from components.addons.cilium import component as cilium
from components.addons.gpu import GpuOptions
from components.addons.gpu import component as gpu
from components.addons.istio import IstioOptions
from components.addons.istio import component as istio
from components.addons.linkerd import LinkerdOptions
from components.addons.linkerd import component as linkerd
from components.addons.rancher import RancherOptions
from components.addons.rancher import component as rancher
from components.chart import Release
from components.chart_options import unpinned

PRODUCTS = [CERT_MANAGER, *(each.PRODUCT for each in (cilium, gpu, istio, linkerd, rancher))]
RELEASES = [release for product in PRODUCTS for release in product.releases.values()]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_every_chart_is_pinned(release: Release) -> None:
    assert release.version is not None
    assert unpinned(release.chart, release.version, release.repository) is None
    assert (release.repository or release.chart).startswith(("https://", "oci://"))


def test_releases_have_names_of_their_own() -> None:
    assert len({release.name for release in RELEASES}) == len(RELEASES)


def test_one_product_is_of_one_version() -> None:
    for product in PRODUCTS:
        assert len({(release.version, release.repository) for release in product.releases.values()}) == 1


def test_cilium_by_default_leaves_services_to_kube_proxy() -> None:
    values = cilium.values(CiliumOptions(), False)
    assert values["kubeProxyReplacement"] == "false"  # a text, as in the chart
    assert values["hubble"] == {"enabled": False}


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("192.0.2.1:6443", "192.0.2.1", "6443"), ("[2001:db8::1]:443", "2001:db8::1", "443")],
)
def test_cilium_in_the_place_of_kube_proxy(address: str, host: str, port: str) -> None:
    values = cilium.values(CiliumOptions(kube_proxy_replacement=True, api_server=address), False)
    assert values["kubeProxyReplacement"] == "true"
    assert (values["k8sServiceHost"], values["k8sServicePort"]) == (host, port)


def test_hubble_takes_its_certificates_from_secrets() -> None:
    hubble = cilium.values(CiliumOptions(hubble=True), False, "server", "client")["hubble"]
    assert hubble["tls"] == {"auto": {"enabled": False}, "server": {"existingSecret": "server"}}
    assert hubble["relay"]["tls"] == {"client": {"existingSecret": "client"}}


def test_the_gpu_operator_installs_what_nodes_lack() -> None:
    values = gpu.values(GpuOptions(driver=False))
    assert (values["driver"], values["toolkit"]) == ({"enabled": False}, {"enabled": True})


@pytest.mark.parametrize(
    ("options", "of_platform"),
    [(IstioOptions(), None), (IstioOptions(platform="microk8s"), {"platform": "microk8s"})],
)
def test_all_charts_of_istio_have_the_profiles(options: IstioOptions, of_platform: dict[str, str] | None) -> None:
    values = istio.values(options)
    assert values.keys() == istio.PRODUCT.releases.keys()
    assert [(each["profile"], each.get("global")) for each in values.values()] == [("ambient", of_platform)] * 4


def test_the_webhooks_of_istio_fail_closed() -> None:
    policies = {key: each.get("base") for key, each in istio.values(IstioOptions()).items()}
    closed = {"validationFailurePolicy": "Fail"}
    assert policies == {"base": closed, "istiod": closed, "cni": None, "ztunnel": None}


def test_linkerd_takes_its_issuer_from_a_secret_and_calls_nobody() -> None:
    values = linkerd.values(LinkerdOptions(), "anchor", {"proxyInjector": "bundle"})
    plane = values["control-plane"]
    assert plane["identityTrustAnchorsPEM"] == "anchor"
    assert plane["identity"] == {"issuer": {"scheme": "kubernetes.io/tls"}}
    assert plane["proxyInjector"] == {"externalSecret": True, "caBundle": "bundle"}
    assert plane["disableHeartBeat"] is True
    assert values["crds"] == {"installGatewayAPI": True}


def test_linkerd_highly_available() -> None:
    values = linkerd.values(LinkerdOptions(high_availability=True, gateway_api=False), "anchor", {})
    assert values["crds"] == {"installGatewayAPI": False}
    wanted: dict[str, Any] = {
        "controllerReplicas": 3,
        "enablePodAntiAffinity": True,
        "enablePodDisruptionBudget": True,
        "webhookFailurePolicy": "Fail",
    }
    assert wanted.items() <= values["control-plane"].items()


def test_rancher_is_served_with_the_certificate_of_a_secret() -> None:
    options = RancherOptions(host="fleet.localhost", replicas=3)
    values = rancher.values(options, "nginx", "tls", "password")
    assert (values["hostname"], values["replicas"], values["bootstrapPassword"]) == ("fleet.localhost", 3, "password")
    assert values["ingress"]["tls"] == {"source": "secret", "secretName": "tls"}
    assert values["privateCA"] is True
