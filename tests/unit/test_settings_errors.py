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
            "allowed: kubeconfig, context, domain, sites, ingress, registry, addons"
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
    ({"ingress": []}, ["ingress: [] given; allowed: a map of className, httpPort, httpsPort, address"]),
    (
        {"ingress": {"classname": "x"}},
        ["ingress.classname: unknown key; did you mean className? allowed: className, httpPort, httpsPort, address"],
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
    ({"addons": "x"}, ['addons: "x" given; allowed: a map of dns, storage, registry, ingress']),
    (
        {"addons": {"prometeus": True}},
        ["addons.prometeus: unknown key; allowed: dns, storage, registry, ingress"],
    ),
    (
        {"addons": {"storge": False}},
        ["addons.storge: unknown key; did you mean storage? allowed: dns, storage, registry, ingress"],
    ),
    (
        {"addons": {"dns": "on"}},
        ['addons.dns: "on" given; allowed: true, false, or a map of clusterIP, replicas, upstream'],
    ),
    ({"addons": {"dns": {"clusterIP": "dns"}}}, ['addons.dns.clusterIP: "dns" given; allowed: an IP address']),
    ({"addons": {"dns": {"upstream": ["x"]}}}, ['addons.dns.upstream[0]: "x" given; allowed: a list of IP addresses']),
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
    assert problems({"addons": {"a\nb": 1}}) == [
        'addons["a\\nb"]: unknown key; allowed: dns, storage, registry, ingress'
    ]


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
