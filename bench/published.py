"""What others publish of their clusters: not measured here, nor on a machine like this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A figure, and where it is from."""

    of: str
    what: str
    figure: str
    source: str


K3S = "https://docs.k3s.io/reference/resource-profiling"
MICROK8S = "https://microk8s.io/docs/getting-started"
MINIKUBE = "https://minikube.sigs.k8s.io/docs/benchmarks/timetok8s/v1.26.1/"

FIGURES = (
    Published("kind 0.14", "from no cluster to an answering pod", "46.6 s", MINIKUBE),
    Published("k3s (k3d 5.4)", "from no cluster to an answering pod", "33.2 s", MINIKUBE),
    Published("k3s 1.26", "memory, server with embedded etcd and a workload", "1606 MB", K3S),
    Published("k3s 1.26", "processor, the same", "6 % of a core", K3S),
    Published("MicroK8s", "memory, at least", "540 MB", MICROK8S),
)
