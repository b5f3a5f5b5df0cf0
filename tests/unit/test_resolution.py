"""What is deployed on a cluster that has some of it already, and the line for what doesn't fit it."""

from typing import Any

import pytest

from components.addons import ADDONS, dns
from components.addons import NAMESPACES as ADDON_NAMESPACES
from components.addons.addon import Addon
from components.addons.registry import REGISTRY
from settings import Settings, SettingsError
from settings.cluster_facts import DETECTED, NAMESPACES, NODES, ClusterFacts, Found, FoundService, Node
from settings.resolution import resolve
from tests.unit.test_settings import load
from tests.unit.test_settings import project as project


def hosting(host: str, stack: str | None = None) -> Found:
    return Found("local-registry-hosting", stack, data={"localRegistryHosting.v1": f"host: {host}"})


def service(name: str, namespace: str, *node_ports: int, stack: str | None = None) -> FoundService:
    return FoundService(name, stack, namespace=namespace, node_ports=frozenset(node_ports))


DNS = Found("kube-dns")
STANDARD = Found("standard", default=True)
PLAIN = Found("plain")
PUBLIC = Found("public", default=True)
NGINX = Found("nginx")
OUR_NGINX = Found("nginx", "dev", default=True)
HOSTING = hosting("localhost:5001")
METRICS = Found("v1beta1.metrics.k8s.io")
EMPTY: dict[str, Any] = {}
MICROK8S: dict[str, Any] = {
    "dns": (DNS,),
    "storage": (Found("microk8s-hostpath", default=True),),
    "ingress": (PUBLIC, NGINX),
    "registry": (hosting("localhost:32000"),),
    "metrics-server": (METRICS,),
}
K3S: dict[str, Any] = {
    "dns": (DNS,),
    "storage": (Found("local-path", default=True),),
    "ingress": (Found("traefik"),),
    "metrics-server": (METRICS,),
}
KIND: dict[str, Any] = {"namespaces": (Found("local-path-storage"),), "dns": (DNS,), "storage": (STANDARD,)}
OURS: dict[str, Any] = {
    "namespaces": tuple(Found(name, "dev") for name in [*ADDON_NAMESPACES, "inspiration"]),
    "services": (service("registry", "container-registry", 32000, stack="dev"),),
    "dns": (Found("kube-dns", "dev"),),
    "storage": (Found("local-path", "dev", default=True),),
    "ingress": (OUR_NGINX,),
    "registry": (hosting("localhost:32000", "dev"),),
    "metrics-server": (Found(METRICS.name, "dev"),),
}
"""The cluster after a first `up` of a stack on an empty one."""
REFUSED = 'User "eve" cannot list that'
DENIED = {each.path: REFUSED for each in DETECTED.values()}


NODE_LOCAL_DNS = Found("kube-dns-upstream")
"""What the NodeLocal DNSCache adds to a cluster, with the label of the cluster's DNS."""


def resolved(config: dict[str, Any], facts: dict[str, Any]) -> Settings:
    """What is deployed on a cluster with ``facts``, by the name of the fact, or of the addon that it has to do with."""
    found = {name: facts[name] for name in facts if name in DETECTED}
    others = {name: facts[name] for name in facts if name not in DETECTED}
    return resolve(load(config), ClusterFacts("dev", found=found, **others))


def problems(config: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        resolved(config, facts)
    return [line.removeprefix("inspiration:") for line in caught.value.problems]


@pytest.mark.parametrize(
    ("facts", "on", "class_name", "registry"),
    [
        (EMPTY, {"dns", "storage", "registry", "ingress"}, "nginx", "localhost:32000"),
        (OURS, {"dns", "storage", "registry", "ingress"}, "nginx", "localhost:32000"),
        (MICROK8S, set(), "public", "localhost:32000"),
        (K3S, {"registry"}, "traefik", "localhost:32000"),
        (KIND, {"registry", "ingress"}, "nginx", "localhost:32000"),
        (KIND | {"registry": (HOSTING,)}, {"ingress"}, "nginx", "localhost:5001"),
    ],
    ids=["empty", "after the first up", "microk8s", "k3s", "kind", "kind with a registry"],
)
def test_the_defaults_on(facts: dict[str, Any], on: set[str], class_name: str, registry: str) -> None:
    settings = resolved({}, facts)
    assert settings.addons.deployed.keys() == on | {"dashboard"}
    assert (settings.ingress.class_name, settings.registry.address) == (class_name, registry)


@pytest.mark.parametrize(
    ("address", "on", "expected"),
    [
        ("ghcr.io/me", "auto", None),
        ("ghcr.io/me", False, None),
        ("localhost:32000", True, None),
        ("registry.example.com:32000/sites", True, None),
        ("ghcr.io/me", True, '"ghcr.io/me"'),
        ("localhost:5000", True, '"localhost:5000"'),
    ],
)
def test_a_registry_that_nobody_would_use_is_refused(address: str, on: object, expected: str | None) -> None:
    config = {"registry": {"address": address}, "addons": {"registry": on}}
    if expected is None:
        assert resolved(config, EMPTY).registry.address == address
    else:
        assert problems(config, EMPTY) == [
            f"registry.address: {expected} given, and the registry of inspiration:addons.registry listens on port "
            "32000 of the nodes; set inspiration:addons.registry to auto or false, or remove the address"
        ]


@pytest.mark.parametrize(
    ("addon", "found", "deployed"),
    [
        ("dns", [], True),
        ("dns", [Found("kube-dns", "dev")], True),
        ("dns", [Found("kube-dns", "prod")], False),
        ("dns", [Found("rke2-coredns")], False),
        ("dns", [Found("kube-dns", "dev"), NODE_LOCAL_DNS], True),
        ("storage", [PLAIN], True),
        ("storage", [PLAIN, STANDARD], False),
        ("storage", [STANDARD, Found("local-path", "dev", default=True)], True),
        ("storage", [Found("local-path", "prod", default=True)], False),
        ("ingress", [OUR_NGINX, PUBLIC], True),
        ("ingress", [Found("nginx", "prod", default=True)], False),
        ("registry", [HOSTING], False),
        ("registry", [hosting("localhost:32000", "dev")], True),
        ("metrics-server", [], True),
        ("metrics-server", [METRICS], False),
        ("metrics-server", [Found(METRICS.name, "dev")], True),
    ],
)
def test_auto_deploys_what_nobody_else_has(addon: str, found: list[Found], deployed: bool) -> None:
    settings = resolved({"addons": {addon: "auto"}}, {addon: found})
    assert (addon in settings.addons.deployed) is deployed


@pytest.mark.parametrize(
    ("given", "classes", "class_name", "deployed"),
    [
        ("auto", (), "nginx", True),
        ("auto", (NGINX,), "nginx", False),
        ("auto", (PUBLIC, NGINX), "public", False),
        ("auto", (OUR_NGINX, PUBLIC), "nginx", True),
        ("public", (), "public", True),
        ("public", (NGINX,), "public", True),
        ("public", (PUBLIC,), "public", False),
        ("public", (Found("public", "dev", default=True),), "public", True),
        ("public", (OUR_NGINX, PUBLIC), "public", False),
    ],
)
def test_the_ingress_class(given: str, classes: tuple[Found, ...], class_name: str, deployed: bool) -> None:
    settings = resolved({"ingress": {"className": given}}, {"ingress": classes})
    assert (settings.ingress.class_name, "ingress" in settings.addons.deployed) == (class_name, deployed)


def test_without_the_addon_the_class_is_the_clusters() -> None:
    facts = {"ingress": (OUR_NGINX, Found("traefik"))}
    assert resolved({"addons": {"ingress": False}}, facts).ingress.class_name == "traefik"


@pytest.mark.parametrize(
    ("registry", "found", "address", "deployed"),
    [
        ({}, [], "localhost:32000", True),
        ({"nodePort": 31000}, [], "localhost:31000", True),
        ({"address": "localhost:32000"}, [], "localhost:32000", True),
        # Below a prefix, and by another of its names, it is the addon's, too.
        ({"address": "localhost:32000/team"}, [], "localhost:32000/team", True),
        ({"address": "127.0.0.1:31000", "nodePort": 31000}, [], "127.0.0.1:31000", True),
        ({"address": "ghcr.io/me"}, [], "ghcr.io/me", False),
        ({"address": "ghcr.io/me"}, [HOSTING], "ghcr.io/me", False),
        ({}, [HOSTING], "localhost:5001", False),
        # It is there, and doesn't tell where.
        ({}, [Found(HOSTING.name)], "localhost:32000", False),
    ],
)
def test_the_registry(registry: dict[str, Any], found: list[Found], address: str, deployed: bool) -> None:
    settings = resolved({"registry": registry}, {"registry": found})
    assert (settings.registry.address, "registry" in settings.addons.deployed) == (address, deployed)


def test_pages_behind_a_gateway_need_no_ingress_class() -> None:
    gateway = {"passthrough": "gateway", "gateway": "infra/public"}
    settings = resolved({"sites": [], "ingress": gateway, "addons": {"ingress": False}}, {})
    assert settings.addons.deployed.keys() >= {"dashboard"}


def test_a_registry_that_is_switched_off_is_the_clusters() -> None:
    facts = {"registry": (HOSTING,)}
    assert resolved({"addons": {"registry": False}}, facts).registry.address == "localhost:5001"
    assert resolved({"addons": {"registry": False}}, {}).registry.address == "localhost:32000"


def test_options_are_kept_and_so_is_everything_else() -> None:
    config = {"domain": "example.test", "addons": {"dns": {"auto": True, "replicas": 3}, "jaeger": True}}
    given, settings = load(config), resolved(config, {})
    # All but what is found out.
    other: Any = {"ingress": True, "registry": True, "addons": {"registry": {"source_ranges"}}}
    assert settings.model_dump(exclude=other) == given.model_dump(exclude=other)


ON = {"dns": True, "storage": True, "registry": True, "ingress": True, "metrics-server": True}
OFF = dict.fromkeys((*ON, "dashboard"), False)
USE = "there already, and isn't of this stack; set it to auto or false"
FAILING: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (
        {},
        {"version": (1, 29)},
        ["context: the cluster runs Kubernetes 1.29, and 1.30 or newer is needed; upgrade it, or set another context"],
    ),
    (
        # Their namespaces are there as well, which is the same problem.
        {"addons": ON},
        K3S | {"registry": (HOSTING,), "ingress": (NGINX,), "namespaces": (Found("ingress"),)},
        [
            f"addons.dns: the Service kube-dns is {USE}",
            f"addons.storage: the StorageClass local-path is {USE}",
            f"addons.registry: the ConfigMap local-registry-hosting is {USE}",
            f"addons.ingress: the IngressClass nginx is {USE}, or another inspiration:ingress.className",
            f"addons.metrics-server: the APIService v1beta1.metrics.k8s.io is {USE}",
        ],
    ),
    (
        {"addons": {"dns": True}},
        {"dns": (Found("kube-dns", "prod"),)},
        ["addons.dns: the Service kube-dns is there already, of the stack prod; set it to auto or false"],
    ),
    (
        # It would be made, since the cluster has no default one.
        {},
        {"storage": (Found("local-path"),)},
        [f"addons.storage: the StorageClass local-path is {USE}"],
    ),
    (
        {
            "sites": [{"name": "blog"}, {"name": "shop"}],
            "charts": [{"name": "c", "chart": "oci://e/c", "version": "1.0.0"}],
        },
        {"namespaces": (Found("shop"), Found("blog", "prod"), Found("default"), Found("c"), Found("ingress"))},
        [
            "sites[1].name: the namespace shop is there already, and isn't of this stack; "
            "set it to another one, set inspiration:prefix, or remove that namespace",
            "sites[0].name: the namespace blog is there already, of the stack prod; "
            "set it to another one, set inspiration:prefix, or remove that namespace",
            "charts[0].namespace: the namespace c is there already, and isn't of this stack; "
            "set it to another one, or remove that namespace",
            "addons.ingress: the namespace ingress is there already, and isn't of this stack; "
            "set it to false, or remove that namespace",
        ],
    ),
    (
        {},
        {"services": (service("web", "shop", 30080, 32000),)},
        ["registry.nodePort: 32000 is taken by the Service shop/web; give another one"],
    ),
    (
        # Of this stack, but not the registry's.
        {"registry": {"nodePort": 31000}},
        {"services": (service("web", "blog", 31000, stack="dev"),)},
        ["registry.nodePort: 31000 is taken by the Service blog/web; give another one"],
    ),
    (
        {"addons": {"ingress": {"nodePorts": {"http": 30080, "https": 30443}}}},
        {"services": (service("traefik", "ingress", 30080, stack="dev"), service("web", "shop", 30443))},
        ["addons.ingress.nodePorts.https: 30443 is taken by the Service shop/web; give another one"],
    ),
    (
        {"addons": {"storage": False, "logs": True}},
        {"storage": (PLAIN, Found("local-path", "dev", default=True))},
        [
            "addons.storage: false given, and the cluster has no default StorageClass, which "
            "inspiration:addons.registry and inspiration:addons.logs need; "
            "set it to auto or true, or make one of the cluster's the default"
        ],
    ),
    (
        {"addons": {"ingress": False}},
        {"ingress": (OUR_NGINX,)},
        [
            "addons.ingress: false given, and the cluster has no IngressClass, which inspiration:sites and "
            "inspiration:addons.dashboard need; set it to auto or true"
        ],
    ),
    (
        {"addons": {"ingress": False}, "ingress": {"className": "ngnix"}},
        {"ingress": (NGINX, PUBLIC)},
        [
            'ingress.className: "ngnix" given, and there is no such IngressClass; allowed: auto, nginx, public; '
            "or set inspiration:addons.ingress to auto or true"
        ],
    ),
    (
        {},
        {"ingress": (NGINX, Found("traefik"))},
        [
            "ingress.className: auto given, and the cluster has several IngressClasses, and none is the only default "
            "one; allowed: nginx, traefik"
        ],
    ),
    (
        {},
        {"ingress": (PUBLIC, Found("traefik", default=True))},
        [
            "ingress.className: auto given, and the cluster has several IngressClasses, and none is the only default "
            "one; allowed: public, traefik"
        ],
    ),
    (
        {"addons": {"metrics-server": "auto"}},
        {"denied": DENIED | {NAMESPACES: REFUSED}},
        [
            *(
                f"addons.{name}: auto given, and {REFUSED}; set it to true or false, or use credentials that may"
                for name in DETECTED
            ),
            f"context: {REFUSED}, and the stack makes some; use the credentials of an administrator",
        ],
    ),
    (
        {"addons": {"ingress": False}},
        {"denied": {DETECTED["ingress"].path: REFUSED}},
        [f"ingress.className: auto given, and {REFUSED}; name it, or use credentials that may"],
    ),
]


OPEN = (
    "addons.registry: anybody could push to port 32000 of 9.9.9.9, a public address of a node, since nothing that "
    "enforces NetworkPolicies is seen in the cluster; set it to false, and inspiration:registry.address to a registry "
    'elsewhere; or, if a firewall closes that port, inspiration:addons.registry.sourceRanges to ["0.0.0.0/0", "::/0"]'
)
INSIDE = Node(("10.0.0.1",))
OUTSIDE = Node(("10.0.0.2", "9.9.9.9"))
FAILING += [
    ({}, {"nodes": (INSIDE, OUTSIDE)}, [OPEN]),
    # Who is named doesn't matter where nobody looks.
    ({"addons": {"registry": {"sourceRanges": ["192.0.2.0/24"]}}}, {"nodes": (OUTSIDE,)}, [OPEN]),
    (
        {},
        {"denied": {NODES: REFUSED}},
        [
            f"addons.registry: the nodes have to be let in, and {REFUSED}; name their address ranges in "
            "inspiration:addons.registry.sourceRanges, or use credentials that may"
        ],
    ),
]


@pytest.mark.parametrize(
    ("named", "nodes", "admitted"),
    [
        (None, (), []),
        (["192.0.2.0/24"], (), ["192.0.2.0/24"]),
        (None, (Node(("10.0.0.1", "fd00::1"), ("10.244.0.0", "10.244.0.1")),), ["10.0.0.1/32", "fd00::1/128"]),
        # As on the embedded cluster.
        (["10.215.0.0/30"], (Node(("10.215.0.2",), ("10.213.0.0", "10.213.0.1")),), ["10.215.0.0/30"]),
        (
            ["192.0.2.0/24", "10.0.0.8/29"],
            (Node(("10.0.0.10",), ("10.244.1.0", "10.244.1.1")), Node(("10.0.0.2",), ("10.244.0.0", "10.244.0.1"))),
            ["192.0.2.0/24", "10.0.0.8/29", *(f"{ip}/32" for ip in ("10.0.0.2", "10.244.0.0", "10.244.0.1",
                                                                      "10.244.1.0", "10.244.1.1"))],
        ),
    ],
)  # fmt: skip
def test_the_registry_lets_in_the_nodes_and_who_is_named(
    named: list[str] | None, nodes: tuple[Node, ...], admitted: list[str]
) -> None:
    options = {"sourceRanges": named} if named else {}
    registry = resolved({"addons": {"registry": options}}, {"nodes": nodes}).addons.of(REGISTRY)
    assert registry is not None
    assert registry.source_ranges == admitted


@pytest.mark.parametrize(("config", "facts", "expected"), FAILING)
def test_failing(config: dict[str, Any], facts: dict[str, Any], expected: list[str]) -> None:
    assert problems(config, facts) == expected


@pytest.mark.parametrize(
    ("config", "facts"),
    [
        ({}, {"version": (1, 30)}),
        ({}, {"version": None}),
        # What is off, or found, needs neither a namespace nor a port.
        ({}, KIND),
        ({"addons": {"registry": False}}, {"services": (service("web", "shop", 32000),)}),
        ({"addons": {"ingress": False, "dashboard": False}, "sites": []}, {}),
        ({}, {"nodes": (INSIDE,)}),
        ({}, {"nodes": (OUTSIDE,), "enforces_policies": True}),
        ({"addons": {"registry": False}}, {"nodes": (OUTSIDE,)}),
        ({"addons": {"registry": {"sourceRanges": ["192.0.2.0/24", "0.0.0.0/0"]}}}, {"nodes": (OUTSIDE,)}),
        ({"addons": {"registry": {"sourceRanges": ["192.0.2.0/24"]}}}, {"denied": {NODES: REFUSED}}),
        # Nothing depends on what may not be asked.
        ({"addons": ON}, {"denied": DENIED}),
        ({"addons": OFF, "ingress": {"className": "public"}}, {"denied": DENIED}),
    ],
)
def test_passing(config: dict[str, Any], facts: dict[str, Any]) -> None:
    resolved(config, facts)


@pytest.mark.parametrize("addon", [addon for addon in ADDONS if addon.needs], ids=lambda addon: addon.name)
def test_what_an_addon_needs_is_brought_or_asked_for(addon: Addon[Any]) -> None:
    alone = OFF | {addon.name: True}
    asked = problems({"sites": [], "addons": alone}, {})
    assert [line.partition(" given")[0] for line in asked] == [f"addons.{need}: false" for need in addon.needs]
    assert all(f"which inspiration:addons.{addon.name} need" in line for line in asked)
    brought = resolved({"sites": [], "addons": alone | dict.fromkeys(addon.needs, "auto")}, {})
    assert brought.addons.deployed.keys() == {addon.name, *addon.needs}


@pytest.mark.parametrize(
    ("given", "nodes", "replicas"),
    [
        ({}, (), 1),
        ({}, (INSIDE,), 1),
        ({}, (INSIDE, INSIDE), 2),
        ({}, (INSIDE,) * 5, 2),
        ({"replicas": 1}, (INSIDE, INSIDE), 1),
        ({"replicas": 3}, (INSIDE,), 3),
    ],
)
def test_the_dns_has_two_pods_where_there_are_two_nodes(
    given: dict[str, int], nodes: tuple[Node, ...], replicas: int
) -> None:
    options = resolved({"addons": {"dns": given}}, {"nodes": nodes}).addons.of(dns.DNS)
    assert options is not None
    assert options.replicas == replicas
