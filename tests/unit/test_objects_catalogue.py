"""The charts of the catalogue, as data: that they are pinned, and their values."""

from typing import Any

import pytest

from components.addons.catalogue import CATALOGUE, cilium, gpu, istio, linkerd, rancher
from components.addons.chart import Release, unpinned

RELEASES = [release for product in CATALOGUE.values() for release in product.releases.values()]
ANY: Any = None
"""What values don't look at."""


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_every_chart_is_pinned(release: Release) -> None:
    assert unpinned(release.chart, release.version, release.repository) is None
    assert release.version is not None
    assert (release.repository or "").startswith("https://")


def test_releases_have_names_of_their_own() -> None:
    assert len({release.name for release in RELEASES}) == len(RELEASES)


def test_one_product_is_of_one_version() -> None:
    for product in CATALOGUE.values():
        assert len({(release.version, release.repository) for release in product.releases.values()}) == 1


def test_cilium_by_default_leaves_services_to_kube_proxy() -> None:
    assert cilium.values({"authority": ANY}) == {
        "kubeProxyReplacement": "false",
        "operator": {"replicas": 1},
        "hubble": {"enabled": False},
    }


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("192.0.2.1:6443", "192.0.2.1", "6443"), ("[2001:db8::1]:443", "2001:db8::1", "443")],
)
def test_cilium_in_the_place_of_kube_proxy(address: str, host: str, port: str) -> None:
    values = cilium.values({"authority": ANY, "kube_proxy_replacement": True, "api_server": address})
    assert values["kubeProxyReplacement"] == "true"
    assert (values["k8sServiceHost"], values["k8sServicePort"]) == (host, port)


def test_hubble_takes_its_certificates_from_secrets() -> None:
    values = cilium.values({"authority": ANY, "hubble": True, "operator_replicas": 2}, "server", "client")
    assert values["operator"] == {"replicas": 2}
    assert values["hubble"] == {
        "enabled": True,
        "tls": {"auto": {"enabled": False}, "server": {"existingSecret": "server"}},
        "relay": {"enabled": True, "tls": {"client": {"existingSecret": "client"}}},
        "ui": {"enabled": True},
    }


@pytest.mark.parametrize(("driver", "toolkit"), [(True, True), (False, True), (False, False)])
def test_the_gpu_operator_installs_what_nodes_lack(driver: bool, toolkit: bool) -> None:
    values = gpu.values({"driver": driver, "toolkit": toolkit})
    assert values == {
        "driver": {"enabled": driver},
        "toolkit": {"enabled": toolkit},
        "operator": {"upgradeCRD": False},
    }


def test_all_charts_of_istio_have_the_ambient_profile() -> None:
    values = istio.values({})
    assert values.keys() == CATALOGUE["istio"].releases.keys()
    assert all(each["profile"] == "ambient" for each in values.values())
    assert not any("global" in each for each in values.values())
    platform = istio.values({"platform": "microk8s"})
    assert all(each["global"] == {"platform": "microk8s"} for each in platform.values())


def test_the_webhooks_of_istio_fail_closed() -> None:
    policies = {key: each.get("base") for key, each in istio.values({}).items()}
    closed = {"validationFailurePolicy": "Fail"}
    assert policies == {"base": closed, "istiod": closed, "cni": None, "ztunnel": None}


def test_linkerd_takes_its_issuer_from_a_secret_and_calls_nobody() -> None:
    values = linkerd.values({"authority": ANY}, "anchor", {"proxyInjector": "bundle"})
    assert values == {
        "crds": {"installGatewayAPI": True},
        "control-plane": {
            "identityTrustAnchorsPEM": "anchor",
            "identity": {"issuer": {"scheme": "kubernetes.io/tls"}},
            "proxyInjector": {"externalSecret": True, "caBundle": "bundle"},
            "disableHeartBeat": True,
        },
    }


def test_linkerd_highly_available() -> None:
    values = linkerd.values({"authority": ANY, "high_availability": True, "gateway_api": False}, "anchor", {})
    assert values["crds"] == {"installGatewayAPI": False}
    plane = values["control-plane"]
    assert (plane["controllerReplicas"], plane["enablePodAntiAffinity"], plane["enablePodDisruptionBudget"]) == (
        3,
        True,
        True,
    )
    assert plane["webhookFailurePolicy"] == "Fail"


def test_rancher_is_served_with_the_certificate_of_a_secret() -> None:
    values = rancher.values(
        {"authority": ANY, "host": "fleet.localhost", "ingress_class": "nginx", "replicas": 3}, "tls", "password"
    )
    assert values == {
        "hostname": "fleet.localhost",
        "replicas": 3,
        "bootstrapPassword": "password",
        "ingress": {"ingressClassName": "nginx", "tls": {"source": "secret", "secretName": "tls"}},
        "privateCA": True,
        "postDelete": {"enabled": False},
    }
