"""The line for everything that the configuration may not be."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from settings import SettingsError
from tests.unit.test_settings import DIGEST, SITE_KEYS, load
from tests.unit.test_settings import project as project

NAME = "1 to 63 lower-case letters, digits and hyphens, beginning with a letter, not ending in a hyphen"
SOURCE = "a folder inside the project, relative to it, with an index.html or a Dockerfile in it"
PATH = "a path that begins with / and has only letters, digits, -, _ and / in it"
INGRESS_KEYS = "className, httpPort, httpsPort, address, passthrough, gateway"
ADDONS = (
    "dns, storage, registry, ingress, dashboard, metrics-server, prometheus, logs, rbac, jaeger, "
    "cilium, gpu, istio, linkerd, rancher"
)
CHART = {"chart": "oci://example.com/shop", "version": "1.2.3"}
PEOPLE = "a list of users (NAME), groups (group:NAME) and accounts to make (account:NAME)"
QUANTITY = 'a Kubernetes quantity, such as "100m" (of a CPU) or "64Mi" (of memory)'


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
    ({"sites": {"name": "a"}}, ['sites: {"name": "a"} given; allowed: a list of sites, each a map of ' + SITE_KEYS]),
    ({"sites": [3]}, [f"sites[0]: 3 given; allowed: a map of {SITE_KEYS}"]),
    ({"sites": [{}]}, [f"sites[0].name: missing; allowed: {NAME}"]),
    ({"sites": [{"name": "Blog"}]}, [f'sites[0].name: "Blog" given; allowed: {NAME}']),
    ({"sites": [{"name": "1a"}]}, [f'sites[0].name: "1a" given; allowed: {NAME}']),
    ({"sites": [{"name": 7}]}, [f"sites[0].name: 7 given; allowed: {NAME}"]),
    (
        {"sites": [{"name": "kube-system"}]},
        ['sites[0].name: "kube-system" is the name of a namespace of the cluster; give the site another name'],
    ),
    (
        {"sites": [{"name": "a", "hots": "b"}]},
        [f"sites[0].hots: unknown key; did you mean host? allowed: {SITE_KEYS}"],
    ),
    (
        {"sites": [{"name": "a", "source": "blog"}]},
        ['sites[0].source: "blog" is no folder of the project; create it, with an index.html or a Dockerfile'],
    ),
    (
        {"sites": [{"name": "a", "source": "file"}]},
        ['sites[0].source: "file" is no folder of the project; create it, with an index.html or a Dockerfile'],
    ),
    (
        {"sites": [{"name": "a", "source": "x" * 300}]},
        [f"sites[0].source: \"{'x' * 58}… can't be read: File name too long; name another folder"],
    ),
    (
        {"sites": [{"name": "a", "source": "empty"}]},
        ['sites[0].source: "empty" has neither index.html nor Dockerfile; add one of them'],
    ),
    (
        {"sites": [{"name": "a", "source": "cloned"}]},
        [
            'sites[0].source: "cloned" has no Dockerfile, so all of it would be served, ".git" too; '
            "give it a .dockerignore with the line **/.*"
        ],
    ),
    ({"sites": [{"name": "a", "source": "../x"}]}, [f'sites[0].source: "../x" given; allowed: {SOURCE}']),
    ({"sites": [{"name": "a", "source": "/tmp"}]}, [f'sites[0].source: "/tmp" given; allowed: {SOURCE}']),
    ({"sites": [{"name": "a", "source": ""}]}, [f'sites[0].source: "" given; allowed: {SOURCE}']),
    (
        {"sites": [{"name": "a", "image": "nginx:latest"}]},
        ['sites[0].image: "nginx:latest" given; allowed: an image by digest, name@sha256:<64 hexadecimal digits>'],
    ),
    (
        {"sites": [{"name": "a", "image": f"a@{DIGEST}", "source": "pages"}]},
        ["sites[0]: source and image given; allowed: one of them"],
    ),
    (
        {"sites": [{"name": "a", "host": "10.0.0.1"}]},
        ['sites[0].host: "10.0.0.1" given; allowed: a host name in lower case'],
    ),
    ({"sites": [{"name": "a", "path": "b"}]}, [f'sites[0].path: "b" given; allowed: {PATH}']),
    ({"sites": [{"name": "a", "path": ""}]}, [f'sites[0].path: "" given; allowed: {PATH}']),
    ({"sites": [{"name": "a", "path": "//"}]}, [f'sites[0].path: "//" given; allowed: {PATH}']),
    ({"sites": [{"name": "a", "path": "/../b"}]}, [f'sites[0].path: "/../b" given; allowed: {PATH}']),
    ({"sites": [{"name": "a", "port": 0}]}, ["sites[0].port: 0 given; allowed: a port, 1 to 65535"]),
    ({"sites": [{"name": "a", "port": True}]}, ["sites[0].port: true given; allowed: a port, 1 to 65535"]),
    (
        {"sites": [{"name": "a", "replicas": "3"}]},
        ['sites[0].replicas: "3" given; allowed: a whole number from 1 to 100'],
    ),
    ({"sites": [{"name": "a", "replicas": 0}]}, ["sites[0].replicas: 0 given; allowed: a whole number from 1 to 100"]),
    (
        {"sites": [{"name": "a", "replicas": 1.5}]},
        ["sites[0].replicas: 1.5 given; allowed: a whole number from 1 to 100"],
    ),
    (
        {"sites": [{"name": "a", "resources": {"requests": {"memory": "0Mi"}}}]},
        [f'sites[0].resources.requests.memory: "0Mi" given; allowed: {QUANTITY}'],
    ),
    (
        {"sites": [{"name": "a", "resources": {"requests": {"memory": "1Gi"}}}]},
        ["sites[0].resources: requests.memory 1Gi is more than limits.memory 128Mi; allowed: at most as much"],
    ),
    (
        {"sites": [{"name": "a"}, {"name": "a", "host": "b.localhost"}]},
        ["sites[1].name: a is taken by inspiration:sites[0]; give one of them another name"],
    ),
    (
        {"sites": [{"name": "a"}, {"name": "b", "host": "a.localhost"}]},
        [
            "sites[1].host: a.localhost with path / is taken by inspiration:sites[0]; "
            "give one of them another host or path"
        ],
    ),
    (
        {"sites": [{"name": "a", "path": "/x"}, {"name": "b", "host": "a.localhost", "path": "/x/"}]},
        [
            "sites[1].host: a.localhost with path /x/ is taken by inspiration:sites[0]; "
            "give one of them another host or path"
        ],
    ),
    ({"ingress": []}, [f"ingress: [] given; allowed: a map of {INGRESS_KEYS}"]),
    (
        {"ingress": {"classname": "x"}},
        [f"ingress.classname: unknown key; did you mean className? allowed: {INGRESS_KEYS}"],
    ),
    ({"ingress": {"className": "Nginx"}}, ['ingress.className: "Nginx" given; allowed: the name of an IngressClass']),
    ({"ingress": {"httpPort": 443}}, ["ingress: httpPort and httpsPort are both 443; allowed: two different ports"]),
    ({"ingress": {"address": "here"}}, ['ingress.address: "here" given; allowed: an IP address']),
    ({"registry": {"nodePort": 5000}}, ["registry.nodePort: 5000 given; allowed: a NodePort, 30000 to 32767"]),
    (
        {"registry": {"address": "me"}},
        [
            'registry.address: "me" given; '
            'allowed: a registry as in image names, such as "localhost:32000" or "ghcr.io/me"'
        ],
    ),
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
        ['addons.dns: "on" given; allowed: true, false, or a map of clusterIP, replicas, upstream'],
    ),
    ({"addons": {"dns": {"clusterIP": "dns"}}}, ['addons.dns.clusterIP: "dns" given; allowed: an IP address']),
    ({"addons": {"dns": {"upstream": ["x"]}}}, ['addons.dns.upstream[0]: "x" given; allowed: a list of IP addresses']),
    (
        {"sites": [{"name": "a", "tls": "yes"}]},
        ['sites[0].tls: "yes" given; allowed: true or false'],
    ),
    (
        {"sites": [{"name": "a", "host": "dashboard.localhost"}]},
        ["sites[0].host: dashboard.localhost is taken by inspiration:addons.dashboard; give one of them another host"],
    ),
    (
        {"sites": [{"name": "dashboard"}], "addons": {"dashboard": False}},
        ['sites[0].name: "dashboard" is the name of a namespace of the cluster; give the site another name'],
    ),
    (
        {"ingress": {"passthrough": "ngnix"}},
        [
            'ingress.passthrough: "ngnix" given; '
            "allowed: auto (as the IngressClass says), nginx, traefik, haproxy, gateway"
        ],
    ),
    (
        {"ingress": {"passthrough": "gateway"}},
        ["ingress: passthrough is gateway without a gateway; allowed: passthrough gateway and a gateway, or neither"],
    ),
    (
        {"ingress": {"gateway": "infra/public"}},
        ["ingress: passthrough is auto with a gateway; allowed: passthrough gateway and a gateway, or neither"],
    ),
    (
        {"ingress": {"passthrough": "gateway", "gateway": "public"}},
        ['ingress.gateway: "public" given; allowed: a Gateway, namespace/name'],
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
    (
        {"charts": [{"name": "shop", "chart": "shop", "repository": "https://charts.example.com"}]},
        ["charts[0]: shop needs a version: the newest one isn't the same for ever"],
    ),
    (
        {"charts": [{"name": "shop", "chart": "oci://example.com/shop", "version": "1.x"}]},
        ["charts[0]: version '1.x' of oci://example.com/shop isn't exact: write one such as 1.2.3, without a range"],
    ),
    (
        {"charts": [{"name": "shop", "chart": "shop"}]},
        [
            'charts[0]: "shop" is no chart inside the project (a folder with a Chart.yaml, or an archive); '
            "correct it, or give the repository that has it"
        ],
    ),
    (
        {"charts": [{"name": "dashboard", **CHART}]},
        ['charts[0].namespace: "dashboard" is a namespace of the cluster; give the chart one of its own'],
    ),
    (
        {"charts": [{"name": "inspiration", **CHART}]},
        ["charts[0].namespace: inspiration is taken by inspiration:sites[0]; give one of them another one"],
    ),
    (
        {"charts": [{"name": "shop", **CHART}, {"name": "shop", **CHART}]},
        ["charts[1].name: shop is taken by inspiration:charts[0]; give one of them another name"],
    ),
    (
        {"charts": [{"name": "a", **CHART}, {"name": "b", "namespace": "a", **CHART}]},
        ["charts[1].namespace: a is taken by inspiration:charts[0]; give one of them another one"],
    ),
    (
        {"certificateAuthority": {"commonName": ""}},
        ['certificateAuthority.commonName: "" given; allowed: 1 to 64 printable ASCII characters'],
    ),
    (
        {"certificateAuthority": {"certificate": "x"}},
        ["certificateAuthority: certificate and privateKey belong together; allowed: both of them, or neither"],
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
    ({"addons": {"ingress": {"x": 1}}}, ["addons.ingress.x: unknown key; allowed: none"]),
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
    [line] = problems({"domain": "X" * 500})
    assert line == f'domain: "{"X" * 58}… given; allowed: a host name in lower case'


def test_a_secret_value_is_not_shown() -> None:
    assert problems({"sites": [{"name": "a", "source": "SECRET"}]}, secrets=("sites",)) == [
        f"sites[0].source: [secret] given; allowed: {SOURCE}"
    ]
    assert problems({"domain": "SECRET"}, secrets=("domain",)) == [
        "domain: [secret] given; allowed: a host name in lower case"
    ]
