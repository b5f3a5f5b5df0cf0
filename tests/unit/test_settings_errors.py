"""The line for everything that the configuration may not be: its keys, the addons, and all of it at once.

``test_settings_errors_*.py`` have the rest, a topic each; ``tests/plugins`` what only a build or a cluster can tell.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from components.addons import ADDONS
from components.addons.jaeger import JaegerOptions
from components.options import keys
from settings import SettingsError
from tests.unit.test_settings import load
from tests.unit.test_settings import project as project

SOURCE = "a folder inside the project, relative to it, with an index.html or a Dockerfile in it"
HOST = "a host name in lower case"
NAMES = ", ".join(addon.name for addon in ADDONS)


def problems(config: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(config, secrets)
    assert str(caught.value).splitlines() == caught.value.problems
    return [line.removeprefix("inspiration:") for line in caught.value.problems]


KEYS: list[tuple[str, Any, str]] = [
    (
        "site",
        "x",
        ": unknown key; did you mean sites? "
        "allowed: kubeconfig, context, domain, prefix, sites, ingress, registry, certificateAuthority, addons, charts",
    ),
    ("domain", "Example.com", f': "Example.com" given; allowed: {HOST}'),
    ("domain", "a..b", f': "a..b" given; allowed: {HOST}'),
    ("addons", "x", f': "x" given; allowed: a map of {NAMES}'),
    ("addons", {"prometeus": True}, f".prometeus: unknown key; did you mean prometheus? allowed: {NAMES}"),
    ("addons", {"storge": False}, f".storge: unknown key; did you mean storage? allowed: {NAMES}"),
    ("addons", {"istoi": True}, f".istoi: unknown key; did you mean istio? allowed: {NAMES}"),
]


@pytest.mark.parametrize(("key", "given", "expected"), KEYS)
def test_a_key(key: str, given: Any, expected: str) -> None:
    assert problems({key: given}) == [f"{key}{expected}"]


AUTO = "true, false, auto (unless the cluster has its own), or a map of auto"
DNS = f"{AUTO}, clusterIP, replicas, upstream"
DASHBOARD = "true, false, or a map of kind, host, access"
CILIUM = "kubeProxyReplacement, apiServer, hubble, operatorReplicas"
CILIUM_ALONE = "both (the Service of the API server answers only once Cilium runs), or neither"
PEOPLE = "a list of users (NAME), groups (group:NAME) and accounts to make (account:NAME)"
PATH = "an absolute path on the node, and not /"
RANGE = 'a list of address ranges in CIDR notation, such as "192.0.2.0/24"'
RETENTION = 'a whole number and h, d, w or y, such as "7d"'
RETENTION_IN_DAYS = 'a whole number and d, w or y, such as "7d"'
SIZE = 'a Kubernetes quantity of storage, such as "8Gi"'
TRACES = "a whole number from 100 to 100000"
WINDOW = 'whole seconds from 6 to 3600, such as "60s"'

ADDON: list[tuple[str, Any, str]] = [
    ("dns", "on", f': "on" given; allowed: {DNS}'),
    ("dns", None, f": null given; allowed: {DNS}"),
    ("dns", [], f": [] given; allowed: {DNS}"),
    ("dns", 1, f": 1 given; allowed: {DNS}"),
    ("dns", {"clusterIP": "dns"}, '.clusterIP: "dns" given; allowed: an IP address'),
    ("dns", {"clusterIP": "fe80::1%eth0"}, '.clusterIP: "fe80::1%eth0" given; allowed: an IP address'),
    ("dns", {"clusterIP": "10.0.0.0/16"}, '.clusterIP: "10.0.0.0/16" given; allowed: an IP address'),
    ("dns", {"upstream": ["x"]}, '.upstream[0]: "x" given; allowed: an IP address'),
    ("dns", {"upstream": "1.1.1.1"}, '.upstream: "1.1.1.1" given; allowed: a list of IP addresses'),
    ("dns", {"replicas": 0}, ".replicas: 0 given; allowed: a whole number from 1 to 10"),
    ("dns", {"replicas": 11}, ".replicas: 11 given; allowed: a whole number from 1 to 10"),
    ("storage", {"auto": "yes"}, '.auto: "yes" given; allowed: true (deployed unless the cluster has it), false'),
    ("storage", {"path": "volumes"}, f'.path: "volumes" given; allowed: {PATH}'),
    ("storage", {"path": "/volumes/.."}, f'.path: "/volumes/.." given; allowed: {PATH}'),
    ("storage", {"path": "/my volumes"}, f'.path: "/my volumes" given; allowed: {PATH}'),
    ("storage", {"path": "/"}, f'.path: "/" given; allowed: {PATH}'),
    ("registry", "on", f': "on" given; allowed: {AUTO}, size, sourceRanges, keep'),
    ("registry", {"size": "0Gi"}, f'.size: "0Gi" given; allowed: {SIZE}'),
    ("registry", {"size": "100m"}, f'.size: "100m" given; allowed: {SIZE}'),
    ("registry", {"size": "10GB"}, f'.size: "10GB" given; allowed: {SIZE}'),
    ("registry", {"size": True}, f".size: true given; allowed: {SIZE}"),
    ("registry", {"size": -1}, f'.size: "-1" given; allowed: {SIZE}'),
    ("registry", {"sourceRanges": []}, f".sourceRanges: [] given; allowed: {RANGE}"),
    *(
        (
            "registry",
            {"keep": given},
            f".keep: {shown} given; allowed: a whole number from 1 to 1000, or false (nothing is deleted)",
        )
        for given, shown in ((0, "0"), (1001, "1001"), (True, "true"), ("ten", '"ten"'), (None, "null"), (1.5, "1.5"))
    ),
    *(
        (
            "registry",
            {"sourceRanges": ["192.0.2.0/24", given]},
            f'.sourceRanges[1]: "{given}" given; allowed: {RANGE}',
        )
        for given in ("192.0.2.1", "192.0.2.1/24", "192.0.2.0/33", "everybody", "fe80::%eth0/64")
    ),
    ("ingress", "automatic", f': "automatic" given; allowed: {AUTO}, nodePorts, gatewayAPI'),
    ("ingress", {"x": 1}, ".x: unknown key; allowed: auto, nodePorts, gatewayAPI"),
    (
        "ingress",
        {"nodePorts": {"http": 30080, "https": 30080}},
        ".nodePorts: http and https are both 30080; allowed: two different ports",
    ),
    (
        "ingress",
        {"nodePorts": {"http": 32000, "https": 30443}},
        ".nodePorts.http: 32000 is taken by inspiration:registry.nodePort; give one of them another port",
    ),
    ("dashboard", "on", f': "on" given; allowed: {DASHBOARD}'),
    ("dashboard", "auto", f': "auto" given; allowed: {DASHBOARD}'),
    (
        "dashboard",
        {"kind": "kubernetes-dashboard"},
        '.kind: "kubernetes-dashboard" given; allowed: headlamp, kube-web-view',
    ),
    ("dashboard", {"access": "edit"}, '.access: "edit" given; allowed: view (all but Secrets), admin'),
    ("dashboard", {"host": "Dashboard"}, f'.host: "Dashboard" given; allowed: {HOST}'),
    ("metrics-server", "on", f': "on" given; allowed: {AUTO}, kubeletInsecureTls'),
    ("metrics-server", {"kubeletInsecureTls": "yes"}, '.kubeletInsecureTls: "yes" given; allowed: true or false'),
    (
        "prometheus",
        None,
        ": null given; allowed: true, false, or a map of host, retention, size, memory, kubeletInsecureTls",
    ),
    ("prometheus", {"host": "*.localhost"}, '.host: "*.localhost" is a wildcard; name one host'),
    (
        "prometheus",
        {"host": "dashboard.localhost"},
        ".host: dashboard.localhost is taken by inspiration:addons.dashboard; give one of them another host",
    ),
    ("prometheus", {"retention": "0d"}, f'.retention: "0d" given; allowed: {RETENTION}'),
    ("prometheus", {"retention": "7 days"}, f'.retention: "7 days" given; allowed: {RETENTION}'),
    ("prometheus", {"retention": "101y"}, '.retention: "101y" is too long; allowed: at most 100y'),
    ("prometheus", {"size": "100m"}, f'.size: "100m" given; allowed: {SIZE}'),
    ("logs", {"retention": "12h"}, f'.retention: "12h" given; allowed: {RETENTION_IN_DAYS}'),
    ("logs", {"retention": "99999w"}, '.retention: "99999w" is too long; allowed: at most 100y'),
    ("logs", {"path": "/"}, f'.path: "/" given; allowed: {PATH}'),
    (
        "rbac",
        {"viewer": ["a"]},
        ".viewer: unknown key; did you mean viewers? allowed: viewers, editors, admins, namespaces",
    ),
    ("rbac", {"viewers": "a"}, f'.viewers: "a" given; allowed: {PEOPLE}'),
    ("rbac", {"viewers": [""]}, f'.viewers[0]: "" given; allowed: {PEOPLE}'),
    ("rbac", {"viewers": [True]}, f".viewers[0]: true given; allowed: {PEOPLE}"),
    ("rbac", {"editors": ["group:"]}, f'.editors[0]: "group:" given; allowed: {PEOPLE}'),
    ("rbac", {"editors": ["a b "]}, f'.editors[0]: "a b " given; allowed: {PEOPLE}'),
    ("rbac", {"admins": ["account:"]}, f'.admins[0]: "account:" given; allowed: {PEOPLE}'),
    ("rbac", {"admins": ["account:A"]}, f'.admins[0]: "account:A" given; allowed: {PEOPLE}'),
    (
        "rbac",
        {"viewers": ["group:system:unauthenticated"]},
        '.viewers[0]: "group:system:unauthenticated" is one of Kubernetes\' own names; '
        "name a user, group or account of yours",
    ),
    ("rbac", {"namespaces": []}, ".namespaces: [] given; allowed: a list of namespaces, at least one"),
    *(
        (
            "rbac",
            {"namespaces": [given]},
            f'.namespaces[0]: "{given}" is a namespace of the cluster, whose accounts have rights that editors could '
            "take; name those of sites and programs",
        )
        for given in ("kube-system", "dashboard")
    ),
    ("jaeger", {"maxTraces": 99}, f".maxTraces: 99 given; allowed: {TRACES}"),
    ("jaeger", {"maxTraces": 100001}, f".maxTraces: 100001 given; allowed: {TRACES}"),
    ("jaeger", {"max": 1}, f".max: unknown key; allowed: {', '.join(keys(JaegerOptions))}"),
    *(
        ("knative", {"stableWindow": given}, f'.stableWindow: "{given}" given; allowed: {WINDOW}')
        for given in ("5s", "3601s", "1m", "10")
    ),
    ("knative", {"domain": "Knative"}, f'.domain: "Knative" given; allowed: {HOST}'),
    ("cert", {"issuer": "ca"}, ".issuer: unknown key; allowed: acme"),
    ("cert", {"acme": True}, ".acme: true given; allowed: a map of server, email, caBundle"),
    (
        "cert",
        {"acme": {"server": "https://ca.example.com/directory"}},
        ".acme.email: missing; allowed: the e-mail address that the authority writes to",
    ),
    ("cilium", "yes", f': "yes" given; allowed: true, false, or a map of {CILIUM}'),
    (
        "cilium",
        {"kubeproxyReplacement": True},
        f".kubeproxyReplacement: unknown key; did you mean kubeProxyReplacement? allowed: {CILIUM}",
    ),
    (
        "cilium",
        {"kubeProxyReplacement": True},
        f": kubeProxyReplacement is true without apiServer; allowed: {CILIUM_ALONE}",
    ),
    (
        "cilium",
        {"apiServer": "192.0.2.1:6443"},
        f": kubeProxyReplacement is false with apiServer; allowed: {CILIUM_ALONE}",
    ),
    (
        "cilium",
        {"kubeProxyReplacement": True, "apiServer": "https://192.0.2.1:6443"},
        '.apiServer: "https://192.0.2.1:6443" given; '
        'allowed: host and port of the API server as nodes reach it, such as "192.0.2.1:6443"',
    ),
    ("cilium", {"operatorReplicas": 0}, ".operatorReplicas: 0 given; allowed: a whole number from 1 to 10"),
    ("gpu", {"driver": "no"}, '.driver: "no" given; allowed: true or false'),
    ("gpu", {"drivers": False}, ".drivers: unknown key; did you mean driver? allowed: driver, toolkit"),
    (
        "istio",
        {"platform": "MicroK8s"},
        '.platform: "MicroK8s" given; allowed: gke, k3d, k3s, microk8s, minikube, openshift',
    ),
    ("istio", {"profile": "ambient"}, ".profile: unknown key; allowed: platform"),
    (
        "linkerd",
        {"gatewayApi": False},
        ".gatewayApi: unknown key; did you mean gatewayAPI? allowed: highAvailability, gatewayAPI",
    ),
    ("linkerd", {"highAvailability": 3}, ".highAvailability: 3 given; allowed: true or false"),
    ("rancher", {"host": "Rancher"}, f'.host: "Rancher" given; allowed: {HOST}'),
    (
        "rancher",
        {"host": "dashboard.localhost"},
        ".host: dashboard.localhost is taken by inspiration:addons.dashboard; give one of them another host",
    ),
    ("rancher", {"replicas": 0}, ".replicas: 0 given; allowed: a whole number from 1 to 10"),
    ("rancher", {"password": "secret"}, ".password: unknown key; allowed: host, replicas"),
]


@pytest.mark.parametrize(("addon", "given", "expected"), ADDON, ids=lambda value: json.dumps(value)[:60])
def test_an_addon(addon: str, given: Any, expected: str) -> None:
    assert problems({"addons": {addon: given}}) == [f"addons.{addon}{expected}"]


SEVERAL: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"addons": {"ingress": {"nodePorts": {"http": 80}}}},
        [
            "addons.ingress.nodePorts.http: 80 given; allowed: a NodePort, 30000 to 32767",
            "addons.ingress.nodePorts.https: missing; allowed: a NodePort, 30000 to 32767",
        ],
    ),
    (
        {"addons": {"cert": {"acme": {"server": "http://ca.example.com", "email": "me@localhost", "hosts": []}}}},
        [
            'addons.cert.acme.server: "http://ca.example.com" given; allowed: the URL of an ACME directory, https://…',
            'addons.cert.acme.email: "me@localhost" given; allowed: the e-mail address that the authority writes to',
            "addons.cert.acme.hosts: unknown key; allowed: server, email, caBundle",
        ],
    ),
    (
        {"addons": {"prometheus": True}, "sites": [{"name": "a", "host": "prometheus.localhost"}]},
        [
            "sites[0].host: prometheus.localhost is taken by inspiration:addons.prometheus; "
            "give one of them another host"
        ],
    ),
    (
        {
            "sites": [{"name": "shop", "image": f"shop@sha256:{'0' * 64}", "host": "shop.apps.localhost"}],
            "addons": {"dashboard": {"host": "dashboard.apps.localhost"}, "knative": {"domain": "apps.localhost"}},
        },
        [
            f"{key}: {host}.apps.localhost is taken by inspiration:addons.knative.domain; "
            "give one of them another domain"
            for key, host in (("addons.dashboard.host", "dashboard"), ("sites[0].host", "shop"))
        ],
    ),
]


@pytest.mark.parametrize(("config", "expected"), SEVERAL, ids=lambda value: json.dumps(value)[:60])
def test_several_problems_or_keys(config: dict[str, Any], expected: list[str]) -> None:
    assert problems(config) == expected


def test_all_problems_are_reported_at_once() -> None:
    config = {
        "domain": "Example.com",
        "context": "there",
        "typo": "x",
        "sites": [
            {"name": "a", "replicas": 0, "port": 0},
            {"name": "b", "host": "same.localhost"},
            {"name": "c", "host": "same.localhost"},
        ],
        "addons": {"dns": 1, "storage": 2},
    }
    keys = [line.partition(": ")[0] for line in problems(config)]
    assert keys == [
        "typo",
        "context",
        "domain",
        "sites[0].port",
        "sites[0].replicas",
        "addons.dns",
        "addons.storage",
        "sites[2].host",
    ]


def test_an_odd_key_stays_on_one_line() -> None:
    assert problems({"addons": {"a\nb": 1}}) == [f'addons["a\\nb"]: unknown key; allowed: {NAMES}']


def test_a_long_value_is_shortened() -> None:
    [line] = problems({"domain": "X." * 100})
    assert line == f'domain: "{"X." * 29}… given; allowed: a host name in lower case'


def test_a_secret_value_is_not_shown() -> None:
    assert problems({"sites": [{"name": "a", "source": "SECRET"}]}, secrets=("sites",))[1:] == [
        f"sites[0].source: [secret] given; allowed: {SOURCE}"
    ]
    assert problems({"domain": "SECRET"}, secrets=("domain",))[1:] == [
        "domain: [secret] given; allowed: a host name in lower case"
    ]
