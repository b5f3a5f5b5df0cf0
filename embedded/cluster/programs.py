"""The cluster's processes: each with its command line, in the order in which they are started.

Sources: the command-line reference of each component; the flags that harden are those of the CIS Kubernetes Benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedded.cluster import configuration, plan
from embedded.cluster.plan import Files, Node, Ports
from embedded.toolchain.system import SYSTEM_PATH


@dataclass(frozen=True)
class Program:
    """One supervised process."""

    name: str
    command: Sequence[str]
    in_cluster_network: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 10
    settings: Sequence[Path] = ()
    """Files that it reads when it starts, and only then."""


TLS_MIN_VERSION = "--tls-min-version=VersionTLS13"
"""Every client of the cluster's has it, and all its cipher suites are strong."""

SMALL_HEAP = {"GOGC": "20"}
"""A cluster for one machine is idle most of the time: trade a little CPU for a smaller heap."""


def programs(files: Files, bin_dir: Path, kube_router: Path, ports: Ports, dockerd: Path) -> list[Program]:
    """All processes of the first node, and of the machine: the same however many nodes there are.

    Args:
        files: Where configuration, certificates and data are.
        bin_dir: The toolchain's executables.
        kube_router: The one that enforces NetworkPolicies.
        ports: What the relay listens on, on 127.0.0.1.
        dockerd: The Docker Engine.
    """
    kube = str(bin_dir / "kube")
    containerd, *others = node_programs(files, bin_dir, kube_router, plan.FIRST)
    return [
        Program("etcd", [kube, "etcd", *_etcd(files)], environment=SMALL_HEAP),
        containerd,
        Program(
            "kube-apiserver",
            [kube, "kube-apiserver", *_apiserver(files)],
            environment=SMALL_HEAP,
            settings=[files.config / "admission.yaml", files.config / "audit-policy.yaml"],
        ),
        Program(
            "kube-controller-manager",
            [kube, "kube-controller-manager", *_controller_manager(files)],
            environment=SMALL_HEAP,
        ),
        Program("kube-scheduler", [kube, "kube-scheduler", *_scheduler(files)], environment=SMALL_HEAP),
        *others,
        Program(
            "relay",
            [
                str(bin_dir / "relay"),
                f"-hosts={files.config / configuration.NODES}",
                *(f"127.0.0.1:{port}=:{on_node}" for port, on_node in sorted(ports.on_node().items())),
            ],
            in_cluster_network=False,
        ),
        Program(
            "dockerd",
            [str(bin_dir / "activate"), str(files.docker_socket), str(dockerd), *_dockerd(files)],
            environment=SMALL_HEAP,
        ),
    ]


def node_programs(files: Files, bin_dir: Path, kube_router: Path, node: Node) -> list[Program]:
    """The processes that each node has, in the order in which they are started; containerd is the first.

    Args:
        files: The node's.
        bin_dir: The toolchain's executables.
        kube_router: The one that enforces NetworkPolicies.
        node: The node.
    """
    kube = str(bin_dir / "kube")
    return [
        Program(
            "containerd",
            [str(bin_dir / "containerd"), "--config", str(files.config / "containerd.toml")],
            # Its own shim before that of a containerd that the machine has.
            environment={**SMALL_HEAP, "PATH": f"{bin_dir}:{SYSTEM_PATH}"},
            settings=[files.config / "containerd.toml"],
        ),
        # It looks at all pods each second: with many of them, a small heap takes a third of its time.
        Program("kubelet", [kube, "kubelet", *_kubelet(files, node)], settings=[files.config / "kubelet.yaml"]),
        Program(
            "kube-proxy",
            [kube, "kube-proxy", "--config", str(files.config / "kube-proxy.yaml")],
            environment=SMALL_HEAP,
        ),
        Program("kube-router", [str(kube_router), *_kube_router(files, node)], environment=SMALL_HEAP),
    ]


def _etcd(files: Files) -> list[str]:
    pki = files.pki
    return [
        f"--name={plan.NODE}",
        f"--data-dir={files.data / 'etcd'}",
        "--listen-client-urls=https://127.0.0.1:2379",
        "--advertise-client-urls=https://127.0.0.1:2379",
        "--listen-peer-urls=https://127.0.0.1:2380",
        "--initial-advertise-peer-urls=https://127.0.0.1:2380",
        f"--initial-cluster={plan.NODE}=https://127.0.0.1:2380",
        f"--cert-file={pki / 'etcd-server.crt'}",
        f"--key-file={pki / 'etcd-server.key'}",
        f"--trusted-ca-file={pki / 'etcd-ca.crt'}",
        "--client-cert-auth",
        f"--peer-cert-file={pki / 'etcd-server.crt'}",
        f"--peer-key-file={pki / 'etcd-server.key'}",
        f"--peer-trusted-ca-file={pki / 'etcd-ca.crt'}",
        "--peer-client-cert-auth",
        "--tls-min-version=TLS1.3",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=1h",
        "--snapshot-count=5000",
        "--log-level=warn",
    ]


def _apiserver(files: Files) -> list[str]:
    pki = files.pki
    return [
        f"--bind-address={plan.NODE_ADDRESS}",
        "--secure-port=6443",
        f"--advertise-address={plan.NODE_ADDRESS}",
        f"--tls-cert-file={pki / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={pki / 'kube-apiserver.key'}",
        TLS_MIN_VERSION,
        f"--client-ca-file={pki / 'ca.crt'}",
        "--etcd-servers=https://127.0.0.1:2379",
        f"--etcd-cafile={pki / 'etcd-ca.crt'}",
        f"--etcd-certfile={pki / 'etcd-client.crt'}",
        f"--etcd-keyfile={pki / 'etcd-client.key'}",
        f"--encryption-provider-config={files.config / 'encryption.yaml'}",
        f"--service-cluster-ip-range={plan.SERVICE_NETWORK}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        "--authorization-mode=Node,RBAC",
        # For further nodes; without one that joins, there is no token.
        "--enable-bootstrap-token-auth",
        "--enable-admission-plugins=DenyServiceExternalIPs,EventRateLimit,NodeRestriction",
        f"--admission-control-config-file={files.config / 'admission.yaml'}",
        "--anonymous-auth=false",
        "--allow-privileged=true",  # storage and network addons need it; Pod Security keeps sites from it
        "--profiling=false",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'kube-apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kube-apiserver-kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
        f"--audit-policy-file={files.config / 'audit-policy.yaml'}",
        f"--audit-log-path={files.logs / 'audit.log'}",
        "--audit-log-maxage=30",
        "--audit-log-maxbackup=10",
        "--audit-log-maxsize=20",
    ]


def _controller_manager(files: Files) -> list[str]:
    kubeconfig = files.config / "kube-controller-manager.kubeconfig"
    pki = files.pki
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--tls-cert-file={pki / 'kube-controller-manager.crt'}",
        f"--tls-private-key-file={pki / 'kube-controller-manager.key'}",
        TLS_MIN_VERSION,
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        f"--service-account-private-key-file={pki / 'service-accounts.key'}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--profiling=false",
        "--terminated-pod-gc-threshold=50",
        f"--flex-volume-plugin-dir={files.volume_plugins}",
    ]


def _scheduler(files: Files) -> list[str]:
    kubeconfig = files.config / "kube-scheduler.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--tls-cert-file={files.pki / 'kube-scheduler.crt'}",
        f"--tls-private-key-file={files.pki / 'kube-scheduler.key'}",
        TLS_MIN_VERSION,
        "--leader-elect=false",
        "--profiling=false",
    ]


def _kubelet(files: Files, node: Node) -> list[str]:
    # That of the first node has been given its certificate.
    joins = [f"--bootstrap-kubeconfig={files.bootstrap_kubeconfig}", f"--cert-dir={files.pki}"]
    return [
        f"--config={files.config / 'kubelet.yaml'}",
        f"--kubeconfig={files.config / 'kubelet.kubeconfig'}",
        f"--root-dir={files.data / 'kubelet'}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
        *(joins if node != plan.FIRST else []),
    ]


def _kube_router(files: Files, node: Node) -> list[str]:
    return [
        f"--kubeconfig={files.config / 'kube-router.kubeconfig'}",
        f"--node={node.name}",
        f"--service-cluster-ip-range={plan.SERVICE_NETWORK}",
    ]


def _dockerd(files: Files) -> list[str]:
    docker = files.data / "docker"
    return [
        "--host=fd://",
        f"--data-root={docker / 'data'}",
        f"--exec-root={docker / 'exec'}",
        f"--pidfile={docker / 'dockerd.pid'}",
        f"--bip={plan.DOCKER_BRIDGE}",
        "--ip-forward=false",  # on already; with it, Docker would also set the FORWARD policy to DROP
        f"--containerd={files.containerd_socket}",
        "--userland-proxy=false",
        "--log-level=warn",
    ]
