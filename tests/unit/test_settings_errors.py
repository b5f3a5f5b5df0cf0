"""The line for everything that the configuration may not be: its keys, the addons, and all of it at once.

``test_settings_errors_*.py`` have the rest, a topic each; ``tests/plugins`` what only a build or a cluster can tell.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from settings import SettingsError
from tests.unit.test_settings import load
from tests.unit.test_settings import project as project

SOURCE = "a folder inside the project, relative to it, with an index.html or a Dockerfile in it"
ADDONS = (
    "dns, storage, registry, ingress, dashboard, metrics-server, prometheus, logs, rbac, jaeger, "
    "knative, cert, cilium, gpu, istio, linkerd, rancher"
)
PEOPLE = "a list of users (NAME), groups (group:NAME) and accounts to make (account:NAME)"
AUTO = "true, false, auto (unless the cluster has its own), or a map of auto"
DNS = f"{AUTO}, clusterIP, replicas, upstream"
PROMETHEUS = "true, false, or a map of host, retention, size, kubeletInsecureTls"
RETENTION = 'a whole number and h, d, w or y, such as "7d"'
RANGE = 'a list of address ranges in CIDR notation, such as "192.0.2.0/24"'
SIZE = 'a Kubernetes quantity of storage, such as "8Gi"'


def problems(config: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(config, secrets)
    assert str(caught.value).splitlines() == caught.value.problems
    return [line.removeprefix("inspiration:") for line in caught.value.problems]


FAILING: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"site": "x"},
        [
            "site: unknown key; did you mean sites? "
            "allowed: kubeconfig, context, domain, sites, ingress, registry, certificateAuthority, addons, charts"
        ],
    ),
    ({"domain": "Example.com"}, ['domain: "Example.com" given; allowed: a host name in lower case']),
    ({"domain": "a..b"}, ['domain: "a..b" given; allowed: a host name in lower case']),
    ({"addons": "x"}, [f'addons: "x" given; allowed: a map of {ADDONS}']),
    (
        {"addons": {"prometeus": True}},
        [f"addons.prometeus: unknown key; did you mean prometheus? allowed: {ADDONS}"],
    ),
    (
        {"addons": {"storge": False}},
        [f"addons.storge: unknown key; did you mean storage? allowed: {ADDONS}"],
    ),
    (
        {"addons": {"dns": "on"}},
        [f'addons.dns: "on" given; allowed: {DNS}'],
    ),
    ({"addons": {"dns": {"clusterIP": "dns"}}}, ['addons.dns.clusterIP: "dns" given; allowed: an IP address']),
    ({"addons": {"dns": {"upstream": ["x"]}}}, ['addons.dns.upstream[0]: "x" given; allowed: a list of IP addresses']),
    ({"addons": {"dns": None}}, [f"addons.dns: null given; allowed: {DNS}"]),
    ({"addons": {"dns": []}}, [f"addons.dns: [] given; allowed: {DNS}"]),
    ({"addons": {"dns": 1}}, [f"addons.dns: 1 given; allowed: {DNS}"]),
    ({"addons": {"prometheus": None}}, [f"addons.prometheus: null given; allowed: {PROMETHEUS}"]),
    (
        {"addons": {"dns": {"clusterIP": "fe80::1%eth0"}}},
        ['addons.dns.clusterIP: "fe80::1%eth0" given; allowed: an IP address'],
    ),
    (
        {"addons": {"dns": {"clusterIP": "10.0.0.0/16"}}},
        ['addons.dns.clusterIP: "10.0.0.0/16" given; allowed: an IP address'],
    ),
    ({"addons": {"dns": {"replicas": 0}}}, ["addons.dns.replicas: 0 given; allowed: a whole number from 1 to 10"]),
    ({"addons": {"dns": {"replicas": 11}}}, ["addons.dns.replicas: 11 given; allowed: a whole number from 1 to 10"]),
    (
        {"addons": {"dns": {"upstream": "1.1.1.1"}}},
        ['addons.dns.upstream: "1.1.1.1" given; allowed: a list of IP addresses'],
    ),
    (
        {"addons": {"storage": {"path": "volumes"}}},
        ['addons.storage.path: "volumes" given; allowed: an absolute path on the node, and not /'],
    ),
    (
        {"addons": {"storage": {"path": "/volumes/.."}}},
        ['addons.storage.path: "/volumes/.." given; allowed: an absolute path on the node, and not /'],
    ),
    (
        {"addons": {"storage": {"path": "/my volumes"}}},
        ['addons.storage.path: "/my volumes" given; allowed: an absolute path on the node, and not /'],
    ),
    ({"addons": {"registry": {"size": "0Gi"}}}, [f'addons.registry.size: "0Gi" given; allowed: {SIZE}']),
    ({"addons": {"registry": {"size": "100m"}}}, [f'addons.registry.size: "100m" given; allowed: {SIZE}']),
    ({"addons": {"registry": {"size": "10GB"}}}, [f'addons.registry.size: "10GB" given; allowed: {SIZE}']),
    ({"addons": {"registry": {"size": True}}}, [f"addons.registry.size: true given; allowed: {SIZE}"]),
    ({"addons": {"registry": {"size": -1}}}, [f'addons.registry.size: "-1" given; allowed: {SIZE}']),
    (
        {"addons": {"registry": {"sourceRanges": []}}},
        [f"addons.registry.sourceRanges: [] given; allowed: {RANGE}"],
    ),
    *(
        (
            {"addons": {"registry": {"sourceRanges": ["192.0.2.0/24", given]}}},
            [f'addons.registry.sourceRanges[1]: "{given}" given; allowed: {RANGE}'],
        )
        for given in ("192.0.2.1", "192.0.2.1/24", "192.0.2.0/33", "everybody", "fe80::%eth0/64")
    ),
    (
        {"addons": {"metrics-server": "on"}},
        [f'addons.metrics-server: "on" given; allowed: {AUTO}, kubeletInsecureTls'],
    ),
    (
        {"addons": {"metrics-server": {"kubeletInsecureTls": "yes"}}},
        ['addons.metrics-server.kubeletInsecureTls: "yes" given; allowed: true or false'],
    ),
    (
        {"addons": {"prometheus": {"host": "*.localhost"}}},
        ['addons.prometheus.host: "*.localhost" is a wildcard; name one host'],
    ),
    (
        {"addons": {"prometheus": {"retention": "0d"}}},
        [f'addons.prometheus.retention: "0d" given; allowed: {RETENTION}'],
    ),
    (
        {"addons": {"prometheus": {"retention": "101y"}}},
        ['addons.prometheus.retention: "101y" is too long; allowed: at most 100y'],
    ),
    (
        {"addons": {"logs": {"retention": "12h"}}},
        ['addons.logs.retention: "12h" given; allowed: a whole number and d, w or y, such as "7d"'],
    ),
    (
        {"addons": {"logs": {"retention": "99999w"}}},
        ['addons.logs.retention: "99999w" is too long; allowed: at most 100y'],
    ),
    (
        {"addons": {"logs": {"path": "/"}}},
        ['addons.logs.path: "/" given; allowed: an absolute path on the node, and not /'],
    ),
    (
        {"addons": {"jaeger": {"maxTraces": 100001}}},
        ["addons.jaeger.maxTraces: 100001 given; allowed: a whole number from 100 to 100000"],
    ),
    ({"addons": {"rbac": {"viewers": [""]}}}, [f'addons.rbac.viewers[0]: "" given; allowed: {PEOPLE}']),
    ({"addons": {"rbac": {"viewers": [True]}}}, [f"addons.rbac.viewers[0]: true given; allowed: {PEOPLE}"]),
    ({"addons": {"rbac": {"editors": ["group:"]}}}, [f'addons.rbac.editors[0]: "group:" given; allowed: {PEOPLE}']),
    ({"addons": {"rbac": {"admins": ["account:"]}}}, [f'addons.rbac.admins[0]: "account:" given; allowed: {PEOPLE}']),
    (
        {"addons": {"rbac": {"namespaces": []}}},
        ["addons.rbac.namespaces: [] given; allowed: a list of namespaces, at least one"],
    ),
    (
        {"addons": {"dashboard": "on"}},
        ['addons.dashboard: "on" given; allowed: true, false, or a map of kind, host, access'],
    ),
    (
        {"addons": {"dashboard": {"kind": "kubernetes-dashboard"}}},
        ['addons.dashboard.kind: "kubernetes-dashboard" given; allowed: headlamp, kube-web-view'],
    ),
    (
        {"addons": {"dashboard": {"access": "edit"}}},
        ['addons.dashboard.access: "edit" given; allowed: view (all but Secrets), admin'],
    ),
    (
        {"addons": {"dashboard": {"host": "Dashboard"}}},
        ['addons.dashboard.host: "Dashboard" given; allowed: a host name in lower case'],
    ),
    (
        {"addons": {"jaeger": {"maxTraces": 99}}},
        ["addons.jaeger.maxTraces: 99 given; allowed: a whole number from 100 to 100000"],
    ),
    ({"addons": {"jaeger": {"max": 1}}}, ["addons.jaeger.max: unknown key; allowed: maxTraces"]),
    *(
        (
            {"addons": {"knative": {"stableWindow": window}}},
            [f'addons.knative.stableWindow: "{window}" given; allowed: whole seconds from 6 to 3600, such as "60s"'],
        )
        for window in ("5s", "3601s", "1m", "10")
    ),
    (
        {"addons": {"knative": {"domain": "Knative"}}},
        ['addons.knative.domain: "Knative" given; allowed: a host name in lower case'],
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
    ({"addons": {"cert": {"issuer": "ca"}}}, ["addons.cert.issuer: unknown key; allowed: acme"]),
    ({"addons": {"cert": {"acme": True}}}, ["addons.cert.acme: true given; allowed: a map of server, email"]),
    (
        {"addons": {"cert": {"acme": {"server": "https://ca.example.com/directory"}}}},
        ["addons.cert.acme.email: missing; allowed: the e-mail address that the authority writes to"],
    ),
    (
        {"addons": {"cert": {"acme": {"server": "http://ca.example.com", "email": "me@localhost", "hosts": []}}}},
        [
            'addons.cert.acme.server: "http://ca.example.com" given; allowed: the URL of an ACME directory, https://…',
            'addons.cert.acme.email: "me@localhost" given; allowed: the e-mail address that the authority writes to',
            "addons.cert.acme.hosts: unknown key; allowed: server, email",
        ],
    ),
    (
        {"addons": {"prometheus": {"retention": "7 days", "size": "100m"}}},
        [
            'addons.prometheus.retention: "7 days" given; allowed: a whole number and h, d, w or y, such as "7d"',
            'addons.prometheus.size: "100m" given; allowed: a Kubernetes quantity of storage, such as "8Gi"',
        ],
    ),
    (
        {"addons": {"prometheus": {"host": "dashboard.localhost"}}},
        [
            "addons.prometheus.host: dashboard.localhost is taken by inspiration:addons.dashboard; "
            "give one of them another host"
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
        {"addons": {"rbac": {"viewer": ["a"]}}},
        ["addons.rbac.viewer: unknown key; did you mean viewers? allowed: viewers, editors, admins, namespaces"],
    ),
    ({"addons": {"rbac": {"viewers": "a"}}}, [f'addons.rbac.viewers: "a" given; allowed: {PEOPLE}']),
    ({"addons": {"rbac": {"editors": ["a b "]}}}, [f'addons.rbac.editors[0]: "a b " given; allowed: {PEOPLE}']),
    ({"addons": {"rbac": {"admins": ["account:A"]}}}, [f'addons.rbac.admins[0]: "account:A" given; allowed: {PEOPLE}']),
    (
        {"addons": {"rbac": {"viewers": ["group:system:unauthenticated"]}}},
        [
            'addons.rbac.viewers[0]: "group:system:unauthenticated" is one of Kubernetes\' own names; '
            "name a user, group or account of yours"
        ],
    ),
    (
        {"addons": {"rbac": {"namespaces": ["kube-system"]}}},
        [
            'addons.rbac.namespaces[0]: "kube-system" is a namespace of the cluster, whose accounts have rights that '
            "editors could take; name those of sites and programs"
        ],
    ),
    ({"addons": {"ingress": {"x": 1}}}, ["addons.ingress.x: unknown key; allowed: auto, nodePorts"]),
    ({"addons": {"registry": "on"}}, [f'addons.registry: "on" given; allowed: {AUTO}, size, sourceRanges']),
    ({"addons": {"ingress": "automatic"}}, [f'addons.ingress: "automatic" given; allowed: {AUTO}, nodePorts']),
    (
        {"addons": {"storage": {"auto": "yes"}}},
        ['addons.storage.auto: "yes" given; allowed: true (deployed unless the cluster has it), false'],
    ),
    (
        {"addons": {"dashboard": "auto"}},
        ['addons.dashboard: "auto" given; allowed: true, false, or a map of kind, host, access'],
    ),
    (
        {"addons": {"ingress": {"nodePorts": {"http": 80}}}},
        [
            "addons.ingress.nodePorts.http: 80 given; allowed: a NodePort, 30000 to 32767",
            "addons.ingress.nodePorts.https: missing; allowed: a NodePort, 30000 to 32767",
        ],
    ),
    (
        {"addons": {"ingress": {"nodePorts": {"http": 30080, "https": 30080}}}},
        ["addons.ingress.nodePorts: http and https are both 30080; allowed: two different ports"],
    ),
    (
        {"addons": {"ingress": {"nodePorts": {"http": 32000, "https": 30443}}}},
        [
            "addons.ingress.nodePorts.http: 32000 is taken by inspiration:registry.nodePort; "
            "give one of them another port"
        ],
    ),
    (
        {"addons": {"storage": {"path": "/"}}},
        ['addons.storage.path: "/" given; allowed: an absolute path on the node, and not /'],
    ),
]


@pytest.mark.parametrize(("config", "expected"), FAILING, ids=lambda value: json.dumps(value)[:60])
def test_failing(config: dict[str, Any], expected: list[str]) -> None:
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
    assert problems({"addons": {"a\nb": 1}}) == [f'addons["a\\nb"]: unknown key; allowed: {ADDONS}']


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
