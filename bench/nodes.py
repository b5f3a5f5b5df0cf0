"""A large cluster, simulated by kwok on the one that is there: what of ours grows with nodes and pods.

Simulated nodes are objects that are kept as kubelets would keep them; nothing runs on them, and nobody answers there.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import psutil

from bench.copies import wait_for_page
from bench.figures import summary
from bench.session import UP, Session
from bench.tools import KWOK
from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from embedded.errors import Failure
from settings.cluster_reader import ApiServer, read_facts
from tests.waiting import eventually

NODES, PODS, SITES = 500, 2000, 20
NAMESPACE = "simulated"
LABEL = {"type": "kwok"}
TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
"""Keeps pods that are to answer away from nodes that don't run any: Traefik's DaemonSet, for one."""
NODES_NETWORK, PODS_NETWORK = "198.18.0.0/16", "198.19.0.0/16"
"""Of what is simulated: networks for benchmarks (RFC 2544), in which nobody answers."""
IMAGES = 50
"""That a kubelet tells of: most of what a node's object has."""
PATIENCE_SECONDS = 900
IDLE_SECONDS = 60
"""Over which the processor time is taken."""

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kube-router", "relay")
"""Of the cluster, by the names that the supervisor has for them."""
IN_PODS = ("traefik", "prometheus")
"""Programs in pods, by the names of their processes."""


def measure(session: Session) -> dict[str, dict[str, Any]]:
    """Return what it takes without the simulated nodes and pods, with them, and what the stack does about them."""
    session.have_stack()
    checkout = session.copy.checkout
    checkout.switch_on("prometheus")
    wait_for_page()
    before = figures(session)
    with simulated(session) as ready:
        # The registry lets in the nodes that it knows.
        up = session.shell.seconds(UP, session.project)
        after = figures(session)
        told = checkout.run("script/up", "--status").stdout.splitlines()
    return {
        "nodes": {
            "nodes": NODES,
            "pods": PODS,
            "ready": ready,
            "up": round(up, 2),
            "unhealthy": [line for line in told if "unhealthy" in line],
            "before": before,
            "with": after,
        }
    }


def figures(session: Session) -> dict[str, Any]:
    """Seconds of what asks the cluster, and memory (PSS, MiB) and processor (cores) of what serves it."""
    server = ApiServer(session.shell.environment["KUBECONFIG"], None)
    facts, statuses, previews = [], [], []
    for _ in range(session.runs):
        begin = time.monotonic()
        read_facts(server)
        facts.append(time.monotonic() - begin)
        begin = time.monotonic()
        session.copy.checkout.run("script/up", "--status")
        statuses.append(time.monotonic() - begin)
        previews.append(session.shell.seconds("pulumi preview --expect-no-changes", session.project))
    return {
        "facts": summary(facts),
        "status": summary(statuses),
        "preview": summary(previews),
        "programs": programs(session),
    }


def programs(session: Session) -> dict[str, dict[str, float]]:
    """Memory in MiB and processor time in cores of each program, over a minute in which nobody asks anything."""
    of = families(Supervisor(Files(session.copy.checkout.state)))
    before, begin = {name: processor(family) for name, family in of.items()}, time.monotonic()
    time.sleep(IDLE_SECONDS)
    passed = time.monotonic() - begin
    return {
        name: {
            "mib": round(sum(process.memory_full_info().pss for process in family) / (1 << 20), 1),
            "cores": round((processor(family) - before[name]) / passed, 3),
        }
        for name, family in of.items()
    }


def families(supervisor: Supervisor) -> dict[str, list[psutil.Process]]:
    """The processes of each of `PROGRAMS` and `IN_PODS` that runs."""
    root, running = supervisor.root(), supervisor.processes()
    assert root is not None
    found = {name: [running[name]] for name in PROGRAMS}
    for process in root.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if (name := process.name()) in IN_PODS:
                found.setdefault(name, []).append(process)
    return found


def processor(processes: list[psutil.Process]) -> float:
    """Seconds of the processor that they have used so far."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


@contextlib.contextmanager
def simulated(session: Session) -> Iterator[float]:
    """Have the simulated nodes and pods for the length of a block, which gets the seconds until all were ready."""
    folder = session.folder("kwok")
    kubectl = f"kubectl --kubeconfig {session.shell.environment['KUBECONFIG']}"
    stages = sorted((session.tools.folders[KWOK.name].parent / "stage").glob("*/*-*.yaml"))
    command = [
        *("kwok", f"--manage-nodes-with-label-selector=type={LABEL['type']}", f"--cidr={PODS_NETWORK}"),
        "--node-lease-duration-seconds=40",
        *(f"--kubeconfig={session.shell.environment['KUBECONFIG']}", *(f"--config={path}" for path in stages)),
    ]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=folder, env=session.shell.environment, stdout=log, stderr=log) as kwok,
    ):
        try:
            begin = time.monotonic()
            for name, objects in (("nodes", nodes()), ("pods", pods())):
                (folder / name).write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
                # As kubelets do it: what is applied to a node leaves its status out.
                session.shell.run(f"{kubectl} create -f {folder / name}", session.project)
            if not eventually(lambda: ready(session), PATIENCE_SECONDS):
                raise Failure("the simulated pods don't become ready", fix="see kwok's log", log=folder / "log")
            yield round(time.monotonic() - begin, 1)
        finally:
            with contextlib.suppress(Failure):
                session.shell.run(f"{kubectl} delete namespace {NAMESPACE} --wait=false", session.project)
                session.shell.run(f"{kubectl} delete nodes -l type={LABEL['type']} --wait=false", session.project)
            kwok.terminate()


def ready(session: Session) -> bool:
    """Whether all simulated pods run.

    Not whether they are ready: on a busy machine a node's lease may be late. Kubernetes calls its pods unready then,
    and kwok doesn't call them ready again.
    """
    shown = session.shell.run(
        f"kubectl get pods -n {NAMESPACE} --field-selector=status.phase=Running -o name", session.project
    )
    return len(shown.split()) == PODS


def nodes() -> list[dict[str, Any]]:
    """The simulated nodes, each with as much to tell as a real one."""
    resources = {"cpu": "16", "memory": "64Gi", "pods": "110"}
    name = "registry.example/team/image"
    images = [
        {"names": [f"{name}-{each:02}@sha256:{each:064x}", f"{name}-{each:02}:1"], "sizeBytes": 100_000_000}
        for each in range(IMAGES)
    ]
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"simulated-{number:03}",
                "labels": {**LABEL, "kubernetes.io/hostname": f"simulated-{number:03}", "kubernetes.io/os": "linux"},
                "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
            },
            "spec": {"taints": [TAINT]},
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": str(address)},
                    {"type": "Hostname", "address": f"simulated-{number:03}"},
                ],
                "allocatable": resources,
                "capacity": resources,
                "images": images,
            },
        }
        for number, address in zip(range(NODES), ip_network(NODES_NETWORK).hosts(), strict=False)
    ]


def pods() -> list[dict[str, Any]]:
    """The simulated pods: so many Deployments, each with a Service and an Ingress, as sites have them."""
    made: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}]
    for number in range(SITES):
        name = f"site-{number:02}"
        meta, labels = {"name": name, "namespace": NAMESPACE}, {"app": name}
        container = {"name": "site", "image": "simulated", "ports": [{"containerPort": 8080}]}
        backend = {"service": {"name": name, "port": {"number": 80}}}
        made += [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": meta,
                "spec": {
                    "replicas": PODS // SITES,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {
                            "nodeSelector": LABEL,
                            "tolerations": [{"key": TAINT["key"], "operator": "Exists"}],
                            "containers": [container],
                        },
                    },
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": meta,
                "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
            },
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": meta,
                "spec": {
                    "ingressClassName": "nginx",
                    "rules": [
                        {
                            "host": f"{name}.localhost",
                            "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
                        }
                    ],
                },
            },
        ]
    return made
