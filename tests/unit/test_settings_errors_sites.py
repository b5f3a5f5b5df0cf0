"""The line for everything that a site may not be, but for its folder."""

from typing import Any

import pytest

from tests.unit.test_settings import DIGEST, SITE_KEYS, load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_errors import SOURCE, problems

NAME = "1 to 63 lower-case letters, digits and hyphens, beginning with a letter, not ending in a hyphen"
HOST = "a host name in lower case"
PATH = "a path that begins with / and has only letters, digits, -, _ and / in it"
HEALTH_PATH = "a path that begins with / and answers a GET with 200 where the site can serve"
REPLICAS = "a whole number from 1 to 100"
CPU = 'a Kubernetes quantity, such as "100m" (of a CPU) or "64Mi" (of memory)'
MEMORY = 'a Kubernetes quantity of memory, such as "64Mi"'
IMAGE = "an image by digest, name@sha256:<64 hexadecimal digits>"
LABEL_64 = "a" * 64

ONE_SITE: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": ({"hots": "b"}, f".hots: unknown key; did you mean hosts? allowed: {SITE_KEYS}"),
    "an unknown key, nested": (
        {"resources": {"limit": {}}},
        ".resources.limit: unknown key; did you mean limits? allowed: requests, limits",
    ),
    "an unknown key, nested twice": (
        {"resources": {"limits": {"mem": "1Gi"}}},
        ".resources.limits.mem: unknown key; did you mean memory? allowed: cpu, memory",
    ),
    "a name with a capital": ({"name": "Blog"}, f'.name: "Blog" given; allowed: {NAME}'),
    "a name with a space": ({"name": "my blog"}, f'.name: "my blog" given; allowed: {NAME}'),
    "a name with a dot": ({"name": "my.blog"}, f'.name: "my.blog" given; allowed: {NAME}'),
    "a name that begins with a digit": ({"name": "1a"}, f'.name: "1a" given; allowed: {NAME}'),
    "a name that ends in a hyphen": ({"name": "a-"}, f'.name: "a-" given; allowed: {NAME}'),
    "a name of 64 characters": ({"name": LABEL_64}, f'.name: "{"a" * 58}… given; allowed: {NAME}'),
    "an empty name": ({"name": ""}, f'.name: "" given; allowed: {NAME}'),
    "a name that is a number": ({"name": 7}, f'.name: "7" given; allowed: {NAME}'),
    "a name that is nothing": ({"name": None}, f".name: null given; allowed: {NAME}"),
    "a name of the cluster": (
        {"name": "kube-system"},
        '.name: "kube-system" is the name of a namespace of the cluster; give the site another name',
    ),
    "a name of an addon": (
        {"name": "dashboard"},
        '.name: "dashboard" is the name of a namespace of the cluster; give the site another name',
    ),
    "a host with capitals": ({"host": "Example.com"}, f'.host: "Example.com" given; allowed: {HOST}'),
    "a host with a space": ({"host": "my host.com"}, f'.host: "my host.com" given; allowed: {HOST}'),
    "a host with an underscore": ({"host": "a_b.com"}, f'.host: "a_b.com" given; allowed: {HOST}'),
    "a host with a port": ({"host": "a.com:80"}, f'.host: "a.com:80" given; allowed: {HOST}'),
    "a host that is a URL": ({"host": "https://a.com/"}, f'.host: "https://a.com/" given; allowed: {HOST}'),
    "a host that ends in a dot": ({"host": "a.com."}, f'.host: "a.com." given; allowed: {HOST}'),
    "a host in letters that aren't ASCII": ({"host": "bücher.de"}, f'.host: "bücher.de" given; allowed: {HOST}'),
    "a host whose last part is a number": ({"host": "a.1"}, f'.host: "a.1" given; allowed: {HOST}'),
    "an empty host": ({"host": ""}, f'.host: "" given; allowed: {HOST}'),
    "a host that is a number": ({"host": 8}, f'.host: "8" given; allowed: {HOST}'),
    "a wildcard": ({"host": "*.example.com"}, '.host: "*.example.com" is a wildcard; name one host'),
    "an IPv4 address": (
        {"host": "10.0.0.1"},
        '.host: "10.0.0.1" is an IP address, which no Ingress may have; name a host, such as site.localhost',
    ),
    "an IPv6 address": (
        {"host": "2001:db8::1"},
        '.host: "2001:db8::1" is an IP address, which no Ingress may have; name a host, such as site.localhost',
    ),
    "a host with a label of 64 characters": (
        {"host": f"www.{LABEL_64}.com"},
        f'.host: "www.{"a" * 54}… has 64 characters between two dots; allowed: at most 63',
    ),
    "a host of 254 characters": (
        {"host": f"{'a.' * 126}aa"},
        f'.host: "{"a." * 29}… has 254 characters; allowed: at most 253',
    ),
    "a path without a slash": ({"path": "b"}, f'.path: "b" given; allowed: {PATH}'),
    "an empty path": ({"path": ""}, f'.path: "" given; allowed: {PATH}'),
    "an empty part of a path": ({"path": "//"}, f'.path: "//" given; allowed: {PATH}'),
    "a path upwards": ({"path": "/../b"}, f'.path: "/../b" given; allowed: {PATH}'),
    "a path with a pattern": ({"path": "/a.*"}, f'.path: "/a.*" given; allowed: {PATH}'),
    "a path with a query": ({"path": "/a?b=c"}, f'.path: "/a?b=c" given; allowed: {PATH}'),
    "a health path without a slash": (
        {"healthPath": "healthz"},
        f'.healthPath: "healthz" given; allowed: {HEALTH_PATH}',
    ),
    "a health path with a line break": (
        {"healthPath": "/a\nb"},
        f'.healthPath: "/a\\nb" given; allowed: {HEALTH_PATH}',
    ),
    "port 0": ({"port": 0}, ".port: 0 given; allowed: a port, 1 to 65535"),
    "port 65536": ({"port": 65536}, ".port: 65536 given; allowed: a port, 1 to 65535"),
    "a port that is a text": ({"port": "80"}, '.port: "80" given; allowed: a port, 1 to 65535'),
    "a port that is true": ({"port": True}, ".port: true given; allowed: a port, 1 to 65535"),
    "no replicas": ({"replicas": 0}, f".replicas: 0 given; allowed: {REPLICAS}"),
    "a negative number of replicas": ({"replicas": -1}, f".replicas: -1 given; allowed: {REPLICAS}"),
    "101 replicas": ({"replicas": 101}, f".replicas: 101 given; allowed: {REPLICAS}"),
    "a thousand million replicas": ({"replicas": 10**9}, f".replicas: 1000000000 given; allowed: {REPLICAS}"),
    "half a replica": ({"replicas": 1.5}, f".replicas: 1.5 given; allowed: {REPLICAS}"),
    "replicas that are a text": ({"replicas": "3"}, f'.replicas: "3" given; allowed: {REPLICAS}'),
    "no time to make progress": (
        {"progressDeadlineSeconds": 5},
        ".progressDeadlineSeconds: 5 given; allowed: a whole number of seconds, 10 to 3600",
    ),
    "tls that is a text": ({"tls": "yes"}, '.tls: "yes" given; allowed: true, false, acme'),
    "tls that is a number": ({"tls": 1}, ".tls: 1 given; allowed: true, false, acme"),
    "resources that are a list": ({"resources": []}, ".resources: [] given; allowed: a map of requests, limits"),
    "no memory": (
        {"resources": {"requests": {"memory": "0Mi"}}},
        f'.resources.requests.memory: "0Mi" given; allowed: {MEMORY}',
    ),
    "memory in thousandths of a byte": (
        {"resources": {"limits": {"memory": "128m"}}},
        f'.resources.limits.memory: "128m" given; allowed: {MEMORY}',
    ),
    "memory that is true": (
        {"resources": {"limits": {"memory": True}}},
        f".resources.limits.memory: true given; allowed: {MEMORY}",
    ),
    "memory that is no number": (
        {"resources": {"limits": {"memory": 0}}},
        f'.resources.limits.memory: "0" given; allowed: {MEMORY}',
    ),
    "a CPU that is false": (
        {"resources": {"limits": {"cpu": False}}},
        f".resources.limits.cpu: false given; allowed: {CPU}",
    ),
    "a thousandth of a thousandth of a CPU": (
        {"resources": {"limits": {"cpu": 1e-06}}},
        f'.resources.limits.cpu: "1e-06" given; allowed: {CPU}',
    ),
    "a folder that is a number with a fraction": ({"source": 1.5}, f".source: 1.5 given; allowed: {SOURCE}"),
    "a negative CPU": (
        {"resources": {"limits": {"cpu": "-1"}}},
        f'.resources.limits.cpu: "-1" given; allowed: {CPU}',
    ),
    "more asked for than allowed": (
        {"resources": {"requests": {"memory": "1Gi"}}},
        ".resources: requests.memory 1Gi is more than limits.memory 128Mi; allowed: at most as much",
    ),
    "an image by tag": ({"image": "nginx:latest"}, f'.image: "nginx:latest" given; allowed: {IMAGE}'),
    "an image without tag and digest": ({"image": "nginx"}, f'.image: "nginx" given; allowed: {IMAGE}'),
    "a digest that is too short": (
        {"image": f"a@{DIGEST[:-1]}"},
        f'.image: "a@sha256:{"0" * 49}… given; allowed: {IMAGE}',
    ),
    "a digest with a capital": (
        {"image": f"a@sha256:{'A' * 64}"},
        f'.image: "a@sha256:{"A" * 49}… given; allowed: {IMAGE}',
    ),
    "a digest of another kind": (
        {"image": f"a@sha512:{'0' * 128}"},
        f'.image: "a@sha512:{"0" * 49}… given; allowed: {IMAGE}',
    ),
    "an image whose name has a capital": (
        {"image": f"Nginx@{DIGEST}"},
        f'.image: "Nginx@sha256:{"0" * 45}… given; allowed: {IMAGE}',
    ),
    "an image with two tags": (
        {"image": f"a:1:2@{DIGEST}"},
        f'.image: "a:1:2@sha256:{"0" * 45}… given; allowed: {IMAGE}',
    ),
    "an image that is a URL": (
        {"image": f"https://ghcr.io/a@{DIGEST}"},
        f'.image: "https://ghcr.io/a@sha256:{"0" * 33}… given; allowed: {IMAGE}',
    ),
    "an empty image": ({"image": ""}, f'.image: "" given; allowed: {IMAGE}'),
    "an image and a folder": (
        {"image": f"a@{DIGEST}", "source": "pages"},
        ": source and image given; allowed: one of them",
    ),
}


@pytest.mark.parametrize(("site", "expected"), ONE_SITE.values(), ids=ONE_SITE)
def test_one_site(site: dict[str, Any], expected: str) -> None:
    assert problems({"sites": [{"name": "a", **site}]}) == [f"sites[0]{expected}"]


SITES: dict[str, tuple[Any, list[str]]] = {
    "no list": (
        {"name": "a"},
        [f'sites: {{"name": "a"}} given; allowed: a list of sites, each a map of {SITE_KEYS}'],
    ),
    "text": ("a", [f'sites: "a" given; allowed: a list of sites, each a map of {SITE_KEYS}']),
    "a number in the list": ([3], [f"sites[0]: 3 given; allowed: a map of {SITE_KEYS}"]),
    "nothing in the list": ([{"name": "a"}, None], [f"sites[1]: null given; allowed: a map of {SITE_KEYS}"]),
    "a list in the list": ([[]], [f"sites[0]: [] given; allowed: a map of {SITE_KEYS}"]),
    "no name": ([{"name": "a"}, {}], [f"sites[1].name: missing; allowed: {NAME}"]),
    "no name, and another problem": (
        [{"tls": 1}, {"source": "pages"}],
        ["sites[0].tls: 1 given; allowed: true, false, acme", f"sites[1].name: missing; allowed: {NAME}"],
    ),
    "the name of the first, which has none": (
        [None, {"name": "inspiration"}],
        [
            "sites[1].name: inspiration is taken by inspiration:sites[0]; give one of them another name",
            "sites[1].host: inspiration.localhost with path / is taken by inspiration:sites[0]; "
            "give one of them another host or path",
        ],
    ),
    "two of one name": (
        [{"name": "a"}, {"name": "a", "host": "b.localhost"}],
        ["sites[1].name: a is taken by inspiration:sites[0]; give one of them another name"],
    ),
    "two on one host": (
        [{"name": "a"}, {"name": "b", "host": "a.localhost"}],
        [
            "sites[1].host: a.localhost with path / is taken by inspiration:sites[0]; "
            "give one of them another host or path"
        ],
    ),
    "two on one host and path, but for a slash": (
        [{"name": "a", "path": "/x"}, {"name": "b", "host": "a.localhost", "path": "/x/"}],
        [
            "sites[1].host: a.localhost with path /x/ is taken by inspiration:sites[0]; "
            "give one of them another host or path"
        ],
    ),
    "on the host of the dashboard": (
        [{"name": "a", "host": "dashboard.localhost"}],
        ["sites[0].host: dashboard.localhost is taken by inspiration:addons.dashboard; give one of them another host"],
    ),
    "on the host of the dashboard, below a path": (
        [{"name": "a", "host": "dashboard.localhost", "path": "/a"}],
        ["sites[0].host: dashboard.localhost is taken by inspiration:addons.dashboard; give one of them another host"],
    ),
}


@pytest.mark.parametrize(("sites", "expected"), SITES.values(), ids=SITES)
def test_the_list_of_sites(sites: Any, expected: list[str]) -> None:
    assert problems({"sites": sites}) == expected


def test_a_name_is_reserved_even_where_its_addon_is_switched_off() -> None:
    # Or the addon couldn't be switched on again.
    assert problems({"sites": [{"name": "dashboard"}], "addons": {"dashboard": False}}) == [
        'sites[0].name: "dashboard" is the name of a namespace of the cluster; give the site another name'
    ]


def test_a_host_that_the_domain_makes_too_long() -> None:
    config = {"sites": [{"name": "a" * 63}], "domain": ".".join(["b" * 60] * 4), "addons": {"dashboard": False}}
    assert problems(config) == [f'sites[0].host: "{"a" * 58}… has 307 characters; allowed: at most 253']


def test_paths_below_each_other_are_fine() -> None:
    # By the Kubernetes API, the longest path that matches wins.
    paths = ["/", "/a", "/a/b", "/a/b/c/", "/ab"]
    sites = [{"name": f"s{index}", "host": "x.localhost", "path": path} for index, path in enumerate(paths)]
    assert [site.path for site in load({"sites": sites}).sites] == paths


def test_a_cluster_without_sites_is_fine() -> None:
    loaded = load({"sites": []})
    assert loaded.sites == []
    assert not loaded.builds_images
