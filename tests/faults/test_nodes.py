"""Several nodes: a site is served while one of them goes, in order or not, and one node is enough again."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from components.addons.ingress import NAMESPACE as INGRESS
from embedded.cluster.nodes import FurtherNode
from embedded.cluster.plan import Files
from tests.checkout import Checkout
from tests.clients import address, apply, connects, pod
from tests.faults.conftest import assert_complete
from tests.machine import Machine, processes_of
from tests.traffic import Traffic
from tests.waiting import eventually

NAMES = ["inspiration", "inspiration-2", "inspiration-3"]
SITE = "inspiration.localhost"
RATE = 20
MAY_FAIL = 5
"""Requests on connections that a node takes with it when it is gone from one moment to the next."""
NAMESPACE = "nodes-test"


def up(checkout: Checkout, *arguments: str) -> str:
    done = checkout.run("script/up", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def machine(site: Checkout) -> Machine:
    """The machine with one node."""
    return Machine.now()


@pytest.fixture(scope="module")
def three(site: Checkout, machine: Machine) -> Iterator[Checkout]:
    """The checkout with three nodes, which came while the site was asked."""
    try:
        with Traffic(SITE, RATE) as traffic:
            said = up(site, "--nodes", "3")
        assert "was running; started nodes inspiration-2, inspiration-3" in " ".join(said.split())
        assert traffic.failures == []
        yield site
    finally:
        up(site, "--nodes", "1")


def nodes_of(checkout: Checkout, namespace: str, name: str) -> list[str]:
    """Where the pods of a name are that are ready."""
    selector = f"--selector=app.kubernetes.io/name={name}"
    pods = json.loads(checkout.kubectl("get", "pods", "-n", namespace, selector, "-o", "json"))["items"]
    return sorted(
        each["spec"]["nodeName"]
        for each in pods
        if "deletionTimestamp" not in each["metadata"]
        and any(told["type"] == "Ready" and told["status"] == "True" for told in each["status"].get("conditions", ()))
    )


def test_the_stack_is_on_all_nodes(three: Checkout) -> None:
    ready = three.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
    assert [f"node/{name} condition met" for name in NAMES] == sorted(ready.splitlines())

    assert eventually(lambda: nodes_of(three, INGRESS, "traefik") == NAMES)
    assert eventually(lambda: len(set(nodes_of(three, "inspiration", "inspiration"))) == 2)
    assert eventually(lambda: len(set(nodes_of(three, "kube-system", "coredns"))) == 2)
    assert_complete(three)


def test_each_node_has_joined_with_an_identity_of_its_own(three: Checkout) -> None:
    subjects, keys = set(), set()
    for number in (2, 3):
        folder = Files(three.state).node(number).pki
        for path in (folder / "kubelet-client-current.pem", folder / "kube-proxy.crt", folder / "kube-router.crt"):
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            subjects.add(certificate.subject.rfc4514_string())
            keys.add(certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        assert not (folder / "ca.key").exists()
        assert f"CN=system:node:inspiration-{number},O=system:nodes" in subjects
    assert len(subjects) == len(keys) == 6
    # Nobody can join any more.
    assert three.kubectl("get", "secrets", "-n", "kube-system", "-o", "name") == ""
    assert not list(three.state.rglob("bootstrap-kubelet.kubeconfig"))


def test_network_policies_hold_between_nodes(three: Checkout) -> None:
    pods = [
        pod("client", NAMESPACE, {"app": "client"}, node=NAMES[2]),
        pod("server", NAMESPACE, {"app": "server"}, "httpd", "-f", "-p", "8080", "-h", "/etc", node=NAMES[1]),
        pod("on-first", NAMESPACE, {"app": "client"}, node=NAMES[0]),
        *(pod(f"nodes-test-{number}", INGRESS, {"app": "client"}, node=NAMES[number]) for number in (0, 1, 2)),
    ]
    try:
        apply(three, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *pods)
        server = address(three, NAMESPACE, "server")
        for each in pods:
            address(three, each["metadata"]["namespace"], each["metadata"]["name"])
        site = address(three, "inspiration", "-l", "app.kubernetes.io/component=site")

        for client in ("client", "on-first"):
            assert eventually(lambda: connects(three, NAMESPACE, client, server, 8080)), client  # noqa: B023
            assert not connects(three, NAMESPACE, client, site, 8080), client
        # By the address of the pod, which a namespace is known by, from each node.
        for number in (0, 1, 2):
            assert eventually(lambda: connects(three, INGRESS, f"nodes-test-{number}", site, 8080))  # noqa: B023
    finally:
        three.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
        for number in (0, 1, 2):
            three.kubectl("delete", "pod", f"nodes-test-{number}", "-n", INGRESS, "--ignore-not-found")


@pytest.mark.parametrize("name", NAMES[::-1])
def test_no_request_is_lost_while_a_node_is_drained(three: Checkout, name: str) -> None:
    with Traffic(SITE, RATE) as traffic:
        try:
            three.kubectl("drain", name, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")
        finally:
            three.kubectl("uncordon", name)
        three.kubectl("rollout", "status", "deployment/inspiration", "-n", "inspiration", "--timeout=120s")
        traffic.wait_for(RATE)

    assert traffic.failures == []
    # Its pod comes with it.
    three.kubectl("rollout", "status", "deployment/registry", "-n", "container-registry", "--timeout=120s")


def further(checkout: Checkout) -> FurtherNode:
    """A further node that a pod of the site is on."""
    names = nodes_of(checkout, "inspiration", "inspiration")
    return FurtherNode(Files(checkout.state), NAMES.index(max(names)) + 1)


def test_a_node_that_is_killed(three: Checkout) -> None:
    gone = further(three)
    root = gone.supervisor.root()
    assert root is not None
    with Traffic(SITE, RATE) as traffic:
        traffic.wait_for(RATE)
        root.kill()
        root.wait()
        three.kubectl("wait", "--for=condition=Ready=Unknown", f"node/{gone.node.name}", "--timeout=90s")
        status = three.run("script/up", "--status")
        traffic.wait_for(RATE)
        up(three)
        traffic.wait_for(RATE)

    assert len(traffic.failures) <= MAY_FAIL, traffic.failures
    assert status.returncode == 3
    assert f"nodes: node {gone.node.name} isn't ready: Kubelet stopped posting node status" in status.stdout
    assert [line.split()[1] for line in status.stdout.splitlines() if line.startswith(gone.node.name)] == ["stopped"]
    three.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
    assert eventually(lambda: nodes_of(three, INGRESS, "traefik") == NAMES)


@contextlib.contextmanager
def cut_off(node: FurtherNode) -> Iterator[None]:
    """Pull the plug of a node's network."""
    port = f"inspiration-n{node.number}"
    subprocess.run(["ip", "link", "set", port, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", port, "up"], check=True)


def test_a_node_that_is_cut_off(three: Checkout) -> None:
    assert eventually(lambda: len(set(nodes_of(three, "inspiration", "inspiration"))) == 2)
    gone = further(three)
    on_it = json.loads(
        three.kubectl(
            "get", "pods", "-n", "inspiration", f"--field-selector=spec.nodeName={gone.node.name}", "-o", "json"
        )
    )["items"][0]["metadata"]["name"]
    with Traffic(SITE, RATE) as traffic:
        traffic.wait_for(RATE)
        with cut_off(gone):
            traffic.wait_for(5 * RATE)  # which takes longer: many wait for a second
        # The API server reaches its kubelet again, which was never told to end anything.
        assert eventually(
            lambda: (
                three.run("kubectl", "logs", on_it, "-n", "inspiration", environment=three.environment()).returncode
                == 0
            )
        )
        traffic.wait_for(RATE)

    assert len(traffic.failures) <= MAY_FAIL, traffic.failures
    three.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")


def keeper(node: str) -> list[dict[str, Any]]:
    """A Deployment that keeps a file in a volume, which its first pod has on ``node``."""
    meta, labels = {"name": "keeper", "namespace": NAMESPACE}, {"app": "keeper"}
    template = pod("keeper", NAMESPACE, labels, "sh", "-c", "date >>/data/began; sleep 100000")["spec"]
    [container] = template["containers"]
    del container["readinessProbe"]
    preferred = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": meta,
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        **template,
                        "restartPolicy": "Always",
                        "affinity": {
                            "nodeAffinity": {
                                "preferredDuringSchedulingIgnoredDuringExecution": [
                                    {"weight": 100, "preference": preferred}
                                ]
                            }
                        },
                        "containers": [{**container, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "keeper"}}],
                    },
                },
            },
        },
    ]


def began(checkout: Checkout) -> list[str]:
    """What the keeper's pods have written."""
    checkout.kubectl("rollout", "status", "deployment/keeper", "-n", NAMESPACE, "--timeout=120s")
    return checkout.kubectl("exec", "deployment/keeper", "-n", NAMESPACE, "--", "cat", "/data/began").splitlines()


def test_back_to_one_node_with_all_that_was_on_the_others(three: Checkout, machine: Machine) -> None:
    apply(three, *keeper(NAMES[1]))
    try:
        [first] = began(three)
        assert address(three, NAMESPACE, "-l", "app=keeper").startswith("10.212.2.")

        with Traffic(SITE, RATE) as traffic:
            said = up(three, "--nodes", "1")
            traffic.wait_for(RATE)

        assert "was running; removed nodes inspiration-2, inspiration-3" in " ".join(said.split())
        assert traffic.failures == []
        assert three.kubectl("get", "nodes", "-o", "name").split() == ["node/inspiration"]
        assert nodes_of(three, INGRESS, "traefik") == NAMES[:1]
        assert began(three)[0] == first
        assert len(began(three)) == 2
        assert_complete(three)
        assert eventually(lambda: Machine.now() == machine)
        folder = Files(three.state).nodes
        assert not folder.exists()
        assert processes_of(folder) == []
        # Run again, it stays so.
        assert "node" not in up(three, "--cluster-only").partition("Cluster  ")[2].partition("\n")[0]
    finally:
        three.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
