"""The options of the addons that are charts of upstream's, and the line for what they may not be."""

from typing import Any

import pytest

from components.addons.catalogue import CATALOGUE
from settings.addons import AddonSettings
from settings.models import RESERVED_NAMES
from settings.problems import keys
from tests.unit.test_settings import load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_errors import problems


def test_every_product_of_the_catalogue_is_an_addon_with_a_namespace_of_its_own() -> None:
    assert set(keys(AddonSettings)) > CATALOGUE.keys()
    namespaces = [product.namespace for product in CATALOGUE.values()]
    assert set(namespaces) < RESERVED_NAMES
    assert len(set(namespaces)) == len(namespaces)


@pytest.mark.parametrize("name", CATALOGUE)
def test_they_are_off_unless_named(name: str) -> None:
    assert getattr(load({}).addons, name) is None
    assert getattr(load({"addons": {name: False}}).addons, name) is None


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        (
            "cilium",
            {"kube_proxy_replacement": False, "api_server": None, "hubble": False, "operator_replicas": 1},
        ),
        ("gpu", {"driver": True, "toolkit": True}),
        ("istio", {"platform": None}),
        ("linkerd", {"high_availability": False, "gateway_api": True}),
        ("rancher", {"host": "rancher.example.com", "replicas": 1}),
    ],
)
def test_the_defaults(name: str, defaults: dict[str, Any]) -> None:
    addon = getattr(load({"domain": "example.com", "addons": {name: True}}).addons, name)
    assert addon.model_dump() == defaults


@pytest.mark.parametrize("address", ["192.0.2.1:6443", "api.example.com:443", "[2001:db8::1]:6443"])
def test_cilium_finds_the_api_server_without_kube_proxy(address: str) -> None:
    options = {"kubeProxyReplacement": True, "apiServer": address}
    addon = load({"addons": {"cilium": options}}).addons.cilium
    assert addon is not None
    assert addon.api_server == address


def test_the_host_of_rancher_is_in_the_hosts_entry() -> None:
    loaded = load({"domain": "example.test", "addons": {"rancher": {"host": "fleet.example.test"}}})
    assert loaded.hosts_entry is not None
    assert loaded.hosts_entry.split()[-1] == "fleet.example.test"


FAILING: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"cilium": "yes"},
        [
            'addons.cilium: "yes" given; allowed: true, false, or a map of '
            "kubeProxyReplacement, apiServer, hubble, operatorReplicas"
        ],
    ),
    (
        {"cilium": {"kubeproxyReplacement": True}},
        [
            "addons.cilium.kubeproxyReplacement: unknown key; did you mean kubeProxyReplacement? "
            "allowed: kubeProxyReplacement, apiServer, hubble, operatorReplicas"
        ],
    ),
    (
        {"cilium": {"kubeProxyReplacement": True}},
        [
            "addons.cilium: kubeProxyReplacement is true without apiServer; allowed: both (the Service of the API "
            "server answers only once Cilium runs), or neither"
        ],
    ),
    (
        {"cilium": {"apiServer": "192.0.2.1:6443"}},
        [
            "addons.cilium: kubeProxyReplacement is false with apiServer; allowed: both (the Service of the API "
            "server answers only once Cilium runs), or neither"
        ],
    ),
    (
        {"cilium": {"kubeProxyReplacement": True, "apiServer": "https://192.0.2.1:6443"}},
        [
            'addons.cilium.apiServer: "https://192.0.2.1:6443" given; '
            'allowed: host and port of the API server as nodes reach it, such as "192.0.2.1:6443"'
        ],
    ),
    (
        {"cilium": {"operatorReplicas": 0}},
        ["addons.cilium.operatorReplicas: 0 given; allowed: a whole number from 1 to 10"],
    ),
    ({"gpu": {"driver": "no"}}, ['addons.gpu.driver: "no" given; allowed: true or false']),
    ({"gpu": {"drivers": False}}, ["addons.gpu.drivers: unknown key; did you mean driver? allowed: driver, toolkit"]),
    (
        {"istio": {"platform": "MicroK8s"}},
        ['addons.istio.platform: "MicroK8s" given; allowed: gke, k3d, k3s, microk8s, minikube, openshift'],
    ),
    ({"istio": {"profile": "ambient"}}, ["addons.istio.profile: unknown key; allowed: platform"]),
    (
        {"linkerd": {"gatewayApi": False}},
        [
            "addons.linkerd.gatewayApi: unknown key; did you mean gatewayAPI? allowed: highAvailability, gatewayAPI",
        ],
    ),
    (
        {"linkerd": {"highAvailability": 3}},
        ["addons.linkerd.highAvailability: 3 given; allowed: true or false"],
    ),
    (
        {"rancher": {"host": "Rancher"}},
        ['addons.rancher.host: "Rancher" given; allowed: a host name in lower case'],
    ),
    (
        {"rancher": {"replicas": 0}},
        ["addons.rancher.replicas: 0 given; allowed: a whole number from 1 to 10"],
    ),
    (
        {"rancher": {"password": "secret"}},
        ["addons.rancher.password: unknown key; allowed: host, replicas"],
    ),
    (
        {"rancher": {"host": "dashboard.localhost"}},
        [
            "addons.rancher.host: dashboard.localhost is taken by inspiration:addons.dashboard; "
            "give one of them another host"
        ],
    ),
    (
        {"istoi": True},
        ["addons.istoi: unknown key; did you mean istio? allowed: " + ", ".join(keys(AddonSettings))],
    ),
]


@pytest.mark.parametrize(("addons", "expected"), FAILING, ids=lambda value: str(value)[:60])
def test_failing(addons: dict[str, Any], expected: list[str]) -> None:
    assert problems({"addons": addons}) == expected
