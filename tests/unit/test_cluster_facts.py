"""What is made of the API server's answers."""

from typing import Any

import pytest

from settings.cluster_facts import ClusterFacts, Found, FoundClass, FoundRegistry, FoundService, facts_of, refusal

OURS = {"app.kubernetes.io/part-of": "inspiration", "app.kubernetes.io/instance": "dev"}
THEIRS = OURS | {"app.kubernetes.io/instance": "prod"}
OLDER = {"app.kubernetes.io/part-of": "inspiration"}
SOMEBODY = {"app.kubernetes.io/part-of": "shop", "app.kubernetes.io/instance": "dev"}


def known(**documents: Any) -> ClusterFacts:
    return facts_of(documents, "dev", {})


def thing(name: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels, "annotations": more.pop("annotations", None)}
    return {"metadata": metadata | more.pop("metadata", {}), **more}


def items(*things: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(things)}


def test_an_empty_cluster() -> None:
    assert known() == ClusterFacts("dev")
    assert known(namespaces={"items": None}, registry=None) == ClusterFacts("dev")


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
    facts = known(namespaces=items(thing("blog", labels)))
    assert facts.namespaces == (Found("blog", stack),)
    assert facts.foreign(facts.namespaces[0]) is foreign


def test_what_is_not_there_is_nobodys() -> None:
    assert not known().foreign(known().metrics_api)


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
    assert known(version=version).version == expected


@pytest.mark.parametrize(
    ("annotations", "default"),
    [
        (None, False),
        ({"storageclass.kubernetes.io/is-default-class": "true"}, True),
        ({"storageclass.kubernetes.io/is-default-class": "false"}, False),
        ({"storageclass.beta.kubernetes.io/is-default-class": "true"}, True),
        ({"ingressclass.kubernetes.io/is-default-class": "true"}, False),
    ],
)
def test_the_default_storage_class(annotations: dict[str, str] | None, default: bool) -> None:
    facts = known(storage_classes=items(thing("fast", annotations=annotations)))
    assert facts.storage_classes == (FoundClass("fast", None, default),)


def test_the_default_ingress_class() -> None:
    default = {"ingressclass.kubernetes.io/is-default-class": "true"}
    facts = known(ingress_classes=items(thing("public", annotations=default), thing("nginx", OURS)))
    assert facts.ingress_classes == (FoundClass("public", None, True), FoundClass("nginx", "dev", False))


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
    [service] = known(services=items(thing(name, labels, metadata={"namespace": namespace}))).services
    assert service.dns is dns


def test_the_ports_of_the_nodes() -> None:
    spec = {"ports": [{"port": 80, "nodePort": 30080}, {"port": 443}], "healthCheckNodePort": 30090}
    facts = known(services=items(thing("web", metadata={"namespace": "shop"}, spec=spec)))
    assert facts.services == (FoundService("web", None, "shop", False, frozenset({30080, 30090})),)


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
    facts = known(registry=thing("local-registry-hosting", data=data))
    assert facts.registry == FoundRegistry("local-registry-hosting", None, host)


def test_the_metrics_api() -> None:
    assert known(metrics_api=thing("v1beta1.metrics.k8s.io")).metrics_api == Found("v1beta1.metrics.k8s.io")


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
