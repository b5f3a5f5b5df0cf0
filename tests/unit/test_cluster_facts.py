"""What is made of the API server's answers."""

from typing import Any

import pytest

from settings.cluster_facts import (
    DAEMON_SETS,
    DETECTED,
    NAMESPACES,
    NODES,
    SERVICES,
    VERSION,
    ClusterFacts,
    Found,
    FoundService,
    Node,
    facts_of,
    refusal,
    registry_host,
)

OURS = {"app.kubernetes.io/part-of": "inspiration", "app.kubernetes.io/instance": "dev"}
THEIRS = OURS | {"app.kubernetes.io/instance": "prod"}
OLDER = {"app.kubernetes.io/part-of": "inspiration"}
SOMEBODY = {"app.kubernetes.io/part-of": "shop", "app.kubernetes.io/instance": "dev"}


def known(path: str, answer: Any) -> ClusterFacts:
    return facts_of({path: answer}, "dev", {})


def seen(addon: str, answer: Any) -> tuple[Found, ...]:
    """What has to do with ``addon``, by the answer that its detection asks for."""
    return known(DETECTED[addon].path, answer).of(addon)


def thing(name: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels, "annotations": more.pop("annotations", None)}
    return {"metadata": metadata | more.pop("metadata", {}), **more}


def items(*things: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(things)}


@pytest.mark.parametrize("answer", [None, {"items": None}, {"items": []}, {}])
@pytest.mark.parametrize("path", [NAMESPACES, *(each.path for each in DETECTED.values())])
def test_an_empty_cluster(path: str, answer: Any) -> None:
    assert known(path, answer) == ClusterFacts("dev", found=dict.fromkeys(DETECTED, ()))


@pytest.mark.parametrize(
    ("labels", "stack", "foreign"),
    [
        (None, None, True),
        ({}, None, True),
        (SOMEBODY, None, True),
        (OURS, "dev", False),
        (THEIRS, "prod", True),
        (OLDER, "dev", False),
    ],
)
def test_whose_it_is(labels: dict[str, str] | None, stack: str | None, foreign: bool) -> None:
    facts = known(NAMESPACES, items(thing("blog", labels)))
    assert facts.namespaces == (Found("blog", stack),)
    assert facts.foreign(facts.namespaces[0]) is foreign


def test_what_others_have_made() -> None:
    classes = items(thing("slow", OURS), thing("fast"), thing("faster", THEIRS))
    facts = known(DETECTED["storage"].path, classes)
    assert [each.name for each in facts.others("storage")] == ["fast", "faster"]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ({"major": "1", "minor": "37"}, (1, 37)),
        ({"major": "1", "minor": "33+"}, (1, 33)),
        ({"major": "", "minor": ""}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_version(version: dict[str, str] | None, expected: tuple[int, int] | None) -> None:
    assert known(VERSION, version).version == expected


@pytest.mark.parametrize(
    ("addon", "annotations", "default"),
    [
        ("storage", None, False),
        ("storage", {"storageclass.kubernetes.io/is-default-class": "true"}, True),
        ("storage", {"storageclass.kubernetes.io/is-default-class": "false"}, False),
        ("storage", {"storageclass.beta.kubernetes.io/is-default-class": "true"}, True),
        ("ingress", {"ingressclass.kubernetes.io/is-default-class": "true"}, True),
        ("ingress", {"ingressclass.kubernetes.io/is-default-class": "false"}, False),
    ],
)
def test_the_default_class(addon: str, annotations: dict[str, str] | None, default: bool) -> None:
    classes = items(thing("fast", annotations=annotations), thing("nginx", OURS))
    assert seen(addon, classes) == (Found("fast", default=default), Found("nginx", "dev"))


@pytest.mark.parametrize(
    ("namespace", "name", "labels", "dns"),
    [
        ("kube-system", "kube-dns", {}, True),
        ("kube-system", "rke2-coredns-rke2-coredns", {"k8s-app": "kube-dns"}, True),
        ("kube-system", "metrics-server", {}, False),
        ("blog", "kube-dns", {"k8s-app": "kube-dns"}, False),
    ],
)
def test_the_dns(namespace: str, name: str, labels: dict[str, str], dns: bool) -> None:
    service = thing(name, labels, metadata={"namespace": namespace})
    assert seen("dns", items(service)) == ((Found(name),) if dns else ())
    assert [each.name for each in known(SERVICES, items(service)).services] == [name]


def test_the_ports_of_the_nodes() -> None:
    spec = {"ports": [{"port": 80, "nodePort": 30080}, {"port": 443}], "healthCheckNodePort": 30090}
    facts = known(SERVICES, items(thing("web", metadata={"namespace": "shop"}, spec=spec)))
    assert facts.services == (FoundService("web", namespace="shop", node_ports=frozenset({30080, 30090})),)


@pytest.mark.parametrize(
    ("data", "host"),
    [
        ({"localRegistryHosting.v1": 'host: "localhost:32000"\nhelp: "https://microk8s.io"\n'}, "localhost:32000"),
        ({"localRegistryHosting.v1": '{"host": "localhost:5001"}'}, "localhost:5001"),
        ({"localRegistryHosting.v1": "host: [1"}, None),
        ({"localRegistryHosting.v1": "host: 5001"}, None),
        ({"localRegistryHosting.v1": "localhost"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_registry(data: dict[str, str] | None, host: str | None) -> None:
    [found] = seen("registry", thing("local-registry-hosting", data=data))
    assert registry_host(found) == host


def test_the_metrics_api() -> None:
    assert seen("metrics-server", thing("v1beta1.metrics.k8s.io")) == (Found("v1beta1.metrics.k8s.io"),)


@pytest.mark.parametrize(
    ("annotations", "spec", "overlay"),
    [
        ({}, {"podCIDRs": ["10.244.1.0/24", "fd00:1::/64"]}, ("10.244.1.0", "10.244.1.1", "fd00:1::", "fd00:1::1")),
        ({}, {"podCIDRs": ["10.244.1.7/32"]}, ()),
        ({}, {}, ()),
        (None, None, ()),
        (
            {
                "projectcalico.org/IPv4Address": "10.0.0.1/24",
                "projectcalico.org/IPv4VXLANTunnelAddr": "192.168.7.64",
                "projectcalico.org/IPv4IPIPTunnelAddr": "192.168.7.65",
            },
            {"podCIDRs": ["10.244.1.0/24"]},
            ("192.168.7.65", "192.168.7.64"),
        ),
        (
            {"projectcalico.org/IPv4Address": "10.0.0.1/24", "flannel.alpha.coreos.com/backend-type": "vxlan"},
            {"podCIDRs": ["10.42.1.0/24"]},
            ("10.42.1.0", "10.42.1.1"),
        ),
    ],
)
def test_the_nodes(annotations: Any, spec: Any, overlay: tuple[str, ...]) -> None:
    addresses = [
        {"type": "InternalIP", "address": "10.0.0.1"},
        {"type": "ExternalIP", "address": "9.9.9.9"},
        {"type": "Hostname", "address": "one"},
    ]
    one = thing("one", annotations=annotations, spec=spec, status={"addresses": addresses})
    assert known(NODES, items(one)).nodes == (Node(("10.0.0.1", "9.9.9.9"), overlay),)
    assert known(NODES, items(thing("two"))).nodes == (Node(),)


@pytest.mark.parametrize(
    ("name", "arguments", "enforces"),
    [
        ("calico-node", [], True),
        ("cilium", [], True),
        ("rke2-canal", [], True),
        ("anetd", [], True),
        ("kube-router", [], True),
        ("cilium-envoy", [], False),
        ("kube-flannel-ds", [], False),
        ("kindnet", [], False),
        ("kube-proxy", [], False),
        ("aws-node", ["--enable-network-policy=false"], False),
        ("aws-node", ["--enable-ipv6=false", "--enable-network-policy=true"], True),
    ],
)
def test_what_enforces_network_policies(name: str, arguments: list[str], enforces: bool) -> None:
    spec = {"template": {"spec": {"containers": [{"name": "a"}, {"name": "b", "args": arguments}]}}}
    assert known(DAEMON_SETS, items(thing("other"), thing(name, spec=spec))).enforces_policies is enforces


@pytest.mark.parametrize(("version", "enforces"), [("v1.33.1+k3s1", True), ("v1.37.0", False)])
def test_k3s_enforces_network_policies(version: str, enforces: bool) -> None:
    assert known(VERSION, {"major": "1", "minor": "33", "gitVersion": version}).enforces_policies is enforces


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"message": "nodes is forbidden: User \\"eve\\" cannot list resource \\"nodes\\""}',
            'User "eve" cannot list resource "nodes"',
        ),
        (b'{"message": "no"}', "no"),
        (b"{}", "may not ask that"),
        (b"<html>", "may not ask that"),
    ],
)
def test_what_may_not_be_asked(body: bytes, expected: str) -> None:
    assert refusal(body) == expected
