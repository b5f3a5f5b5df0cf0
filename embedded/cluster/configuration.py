"""The configuration files of the cluster's components, as plain data written to YAML, TOML and JSON.

Sources: the reference pages of each component's configuration API, and containerd's configuration version 3.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from embedded.cluster import access, plan
from embedded.cluster.plan import Files, Node
from embedded.toolchain import system

NODES = "nodes.txt"
"""The addresses of the nodes, for the relay, which reads it again when it is told to."""
CAP_SYS_RESOURCE = 24
SENSITIVE = {
    "nodes/proxy", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "serviceaccounts/token",
    "services/proxy",
}  # fmt: skip


def write(files: Files, cni_bin: Path, further: Sequence[Node] = ()) -> None:
    """Write all configuration files of the first node; the same inputs give the same files.

    Args:
        files: Where they go, and the paths they name.
        cni_bin: The folder with the CNI plugins bridge, host-local, loopback and portmap.
        further: The nodes that there are besides.
    """
    write_node(files, cni_bin, plan.FIRST)
    for user in ("kube-controller-manager", "kube-scheduler", "kubelet"):
        _write(files.config / f"{user}.kubeconfig", yaml.safe_dump(_kubeconfig(files.pki, user)))
    _write(files.kubeconfig, yaml.safe_dump(_kubeconfig(files.pki, "admin", embed=True)))
    _write(files.config / "admission.yaml", yaml.safe_dump(_admission()))
    _write(files.config / "audit-policy.yaml", yaml.safe_dump(_audit_policy()))
    _write(files.config / "access.yaml", yaml.safe_dump_all(access.objects(further)))
    encryption = files.config / "encryption.yaml"
    if not encryption.exists():  # its key must stay the same: what etcd holds is encrypted with it
        _write(encryption, yaml.safe_dump(_encryption()))


def write_addresses(files: Files, further: Sequence[Node]) -> None:
    """Write the addresses of the nodes, for the relay.

    Args:
        files: The cluster's.
        further: The nodes that there are besides the first one, and a way to them: without it they are somebody else's.
    """
    _write(files.config / NODES, "".join(f"{node.address}\n" for node in (plan.FIRST, *further)))


def write_node(files: Files, cni_bin: Path, node: Node) -> None:
    """Write those that each node has.

    Args:
        files: The node's.
        cni_bin: The folder with the CNI plugins.
        node: The node.
    """
    for user in ("kube-proxy", "kube-router"):
        _write(files.config / f"{user}.kubeconfig", yaml.safe_dump(_kubeconfig(files.pki, user)))
    _write(files.config / "kubelet.yaml", yaml.safe_dump(_kubelet(files, node)))
    _write(files.config / "kube-proxy.yaml", yaml.safe_dump(_kube_proxy(files, node)))
    _write(files.config / "containerd.toml", _containerd(files, cni_bin))
    _write(files.config / "resolv.conf", _resolv_conf())
    cni = files.config / "cni"
    cni.mkdir(mode=0o700, exist_ok=True)
    _write(cni / "10-bridge.conflist", json.dumps(_cni(node), indent=1))


def write_bootstrap(files: Files, token: str) -> None:
    """Write the kubeconfig with which the kubelet of a further node asks for its certificate.

    Args:
        files: The node's.
        token: The bootstrap token.
    """
    document = _kubeconfig(files.pki, "kubelet-bootstrap")
    document["users"][0]["user"] = {"token": token}
    _write(files.bootstrap_kubeconfig, yaml.safe_dump(document))


def _kubeconfig(pki: Path, user: str, *, embed: bool = False) -> dict[str, Any]:
    """A kubeconfig for one identity; the administrator's embeds the certificates, so that it can be copied."""

    def material(key: str, path: Path) -> dict[str, str]:
        if embed:
            return {f"{key}-data": base64.b64encode(path.read_bytes()).decode()}
        return {key: str(path)}

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": plan.NODE,
                "cluster": {"server": plan.API_SERVER, **material("certificate-authority", pki / "ca.crt")},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    **material("client-certificate", pki / f"{user}.crt"),
                    **material("client-key", pki / f"{user}.key"),
                },
            }
        ],
        "contexts": [{"name": plan.NODE, "context": {"cluster": plan.NODE, "user": user}}],
        "current-context": plan.NODE,
    }


def _kubelet(files: Files, node: Node) -> dict[str, Any]:
    certificates = (
        {"tlsCertFile": str(files.pki / "kubelet.crt"), "tlsPrivateKeyFile": str(files.pki / "kubelet.key")}
        if node == plan.FIRST
        else {"rotateCertificates": True, "serverTLSBootstrap": True}
    )
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(files.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        **certificates,
        "tlsMinVersion": "VersionTLS13",
        "address": node.address,
        "readOnlyPort": 0,
        "enableDebuggingHandlers": True,  # logs, exec and port-forward
        "enableProfilingHandler": False,
        "clusterDNS": [plan.DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(files.config / "resolv.conf"),
        "containerRuntimeEndpoint": f"unix://{files.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.name}",  # beside, not among, the cgroups of another kubelet on this machine
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        # A small disk shared with everything else on the machine: evict only when it is really full.
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
        # The only node has to carry all: with the usual 110, fifty sites of two pods don't fit. OpenShift's default.
        "maxPods": 250,
        "podPidsLimit": 4096,
        "volumePluginDir": str(files.volume_plugins),
        "seccompDefault": True,
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 3,
        "serializeImagePulls": False,
    }


def _kube_proxy(files: Files, node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",  # nftables mode needs set types that some kernels lack
        "clusterCIDR": node.pods,
        "clientConnection": {"kubeconfig": str(files.config / "kube-proxy.kubeconfig")},
        "hostnameOverride": node.name,
        "bindAddress": node.address,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0},  # leave the machine's own limit alone
    }


def _admission() -> dict[str, Any]:
    """How many events a namespace and a client may make: a pod in a loop mustn't fill etcd with them."""
    limits = [
        {"type": "Namespace", "qps": 50, "burst": 500, "cacheSize": 1000},
        {"type": "User", "qps": 50, "burst": 500, "cacheSize": 1000},
    ]
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": "EventRateLimit",
                "configuration": {
                    "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
                    "kind": "Configuration",
                    "limits": limits,
                },
            }
        ],
    }


def _audit_policy() -> dict[str, Any]:
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            # The components' own heartbeats would be nine tenths of the log.
            {"level": "None", "users": ["system:apiserver"]},
            # Whoever reads secrets, gets tokens or gets into pods: said before what is left out.
            {"level": "Metadata", "resources": [{"group": "", "resources": sorted(SENSITIVE)}]},
            {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
            {"level": "None", "verbs": ["get", "list", "watch"], "userGroups": ["system:nodes"]},
            {"level": "None", "verbs": ["get", "list", "watch"], "userGroups": ["system:serviceaccounts"]},
            {"level": "None", "verbs": ["get", "list", "watch"], "users": ["system:kube-*"]},
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi*"]},
            {"level": "Metadata"},
        ],
    }


def _encryption() -> dict[str, Any]:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [
            {
                "resources": ["secrets"],
                "providers": [{"secretbox": {"keys": [{"name": "key1", "secret": key}]}}, {"identity": {}}],
            }
        ],
    }


def _cni(node: Node) -> dict[str, Any]:
    return {
        "cniVersion": "1.0.0",
        "name": plan.NODE,
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": node.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
        ],
    }


def _containerd(files: Files, cni_bin: Path) -> str:
    data = files.data / "containerd"
    return f"""version = 3
root = "{data / "root"}"
state = "{data / "state"}"

[grpc]
  address = "{files.containerd_socket}"

# Folders that are the machine's own, and another containerd's: /var/run/nri and /opt/containerd.
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.internal.v1.opt"]
  path = "{data / "opt"}"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "registry.k8s.io/pause:3.10.1"

[plugins."io.containerd.cri.v1.runtime"]
  # Without CAP_SYS_RESOURCE a process can't lower its oom_score_adj, and no pod would start.
  restrict_oom_score_adj = {"false" if _has_capability(CAP_SYS_RESOURCE) else "true"}
  # By default, every second, each container's shim is asked what that has used, which costs more than all else while
  # many pods are idle. Only clients of the CRI's statistics would see it; the kubelet reads the cgroups itself.
  stats_collect_period = "1h"
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["{cni_bin}"]
  conf_dir = "{files.config / "cni"}"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  BinaryName = "{system.find("runc")}"
"""


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _resolv_conf() -> str:
    """The name servers that pods with the node's DNS use: the machine's, less those that only the machine can reach."""
    systemd = Path("/run/systemd/resolve/resolv.conf")
    source = systemd if systemd.exists() else Path("/etc/resolv.conf")
    lines = source.read_text().splitlines() if source.exists() else []
    servers = [
        line
        for line in lines
        if line.startswith("nameserver ") and not line.split()[1].startswith(("127.", "::1", "fe80"))
    ]
    # CoreDNS doesn't start without any; this one answers nothing, at once.
    return "\n".join(servers or [f"nameserver {plan.HOST_ADDRESS}"]) + "\n"


def _write(path: Path, text: str) -> None:
    # kube-proxy starts anew when its file is written, changed or not.
    if path.exists() and path.read_text() == text:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
