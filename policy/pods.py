"""What pods may do to their node and to the cluster."""

from collections.abc import Iterator
from typing import Any

from policy.objects import Container, KubernetesObject, Manifest, each, each_container, items, part
from policy.rule import Rule

CAPABILITIES = {"NET_BIND_SERVICE"}
"""What the Pod Security Standard *restricted* lets containers add."""

SECCOMP = {"RuntimeDefault", "Localhost"}
HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")


def non_root(container: Container) -> Iterator[str]:
    """Not as root, checked by the kubelet whatever the image says."""
    if container.effective("runAsNonRoot") is not True:
        yield "it may run as root; set securityContext.runAsNonRoot: true"
    if container.effective("runAsUser") == 0:
        yield "it runs as root; set securityContext.runAsUser to a user above 0"


def read_only_root(container: Container) -> Iterator[str]:
    """Nothing is written outside of volumes."""
    if container.security.get("readOnlyRootFilesystem") is not True:
        yield (
            "its root file system is writable; set securityContext.readOnlyRootFilesystem: true "
            "and mount an emptyDir where it writes"
        )


def unprivileged(container: Container) -> Iterator[str]:
    """No more rights than it starts with, and none of the node's."""
    if container.security.get("privileged"):
        yield "it is privileged, which is root on the node; remove securityContext.privileged"
    if container.security.get("allowPrivilegeEscalation") is not False:
        yield "it may gain privileges; set securityContext.allowPrivilegeEscalation: false"


def capabilities(container: Container) -> Iterator[str]:
    """No capabilities besides that of low ports."""
    chosen = part(container.security, "capabilities")
    if "ALL" not in items(chosen, "drop"):
        yield "it keeps the runtime's default capabilities; set securityContext.capabilities.drop: [ALL]"
    added = sorted({str(name) for name in items(chosen, "add")} - CAPABILITIES)
    if added:
        yield f"it adds {', '.join(added)}; only {', '.join(CAPABILITIES)} may be in securityContext.capabilities.add"


def seccomp(container: Container) -> Iterator[str]:
    """A seccomp profile, its own or the runtime's."""
    if (container.effective("seccompProfile") or {}).get("type") not in SECCOMP:
        yield "its system calls aren't filtered; set securityContext.seccompProfile.type: RuntimeDefault"


def host_namespaces(subject: KubernetesObject) -> Iterator[str]:
    """None of the node's namespaces."""

    def shared(name: str) -> Iterator[str]:
        if (subject.pod or {}).get(name):
            yield f"its pods share a namespace with the node; remove {name}"

    return each(HOST_NAMESPACES, shared)


def host_ports(container: Container) -> Iterator[str]:
    """No ports of the node: they pass by Services and their rules."""

    def held(port: Manifest) -> Iterator[str]:
        if port.get("hostPort"):
            number = str(port["hostPort"]).removesuffix(".0")
            yield f"it holds port {number} of its node; remove hostPort and use a Service"

    return each(items(container.manifest, "ports"), held)


def host_path(subject: KubernetesObject) -> Iterator[str]:
    """No folders of the node."""

    def mounted(volume: Manifest) -> Iterator[str]:
        if "hostPath" in volume:
            yield f"its volume {volume.get('name')} is a folder of the node; use a PersistentVolumeClaim or an emptyDir"

    return each(items(subject.pod or {}, "volumes"), mounted)


def no_token(subject: KubernetesObject) -> Iterator[str]:
    """No way to the API server for those that don't need it."""
    if (
        subject.group_kind == "core/ServiceAccount"
        and subject.manifest.get("automountServiceAccountToken") is not False
    ):
        yield "pods get its token unasked; set automountServiceAccountToken: false, and true in the pods that need it"
    pod = subject.pod
    if pod is None:
        return
    if pod.get("automountServiceAccountToken") is not False:
        yield "its pods hold a token for the API server; set automountServiceAccountToken: false"

    def projected(volume: Manifest) -> Iterator[str]:
        sources: list[Any] = list(items(part(volume, "projected"), "sources"))
        if any("serviceAccountToken" in source for source in sources):
            yield f"its volume {volume.get('name')} has a token for the API server; remove serviceAccountToken"

    yield from each(items(pod, "volumes"), projected)


RULES = [
    Rule("non-root", "No container runs as root.", each_container(non_root)),
    Rule("read-only-root", "Root file systems are read-only.", each_container(read_only_root)),
    Rule("unprivileged", "No container has or gains privileges.", each_container(unprivileged)),
    Rule("capabilities", "Containers drop all capabilities.", each_container(capabilities)),
    Rule("seccomp", "System calls are filtered by a seccomp profile.", each_container(seccomp)),
    Rule("host-namespaces", "Pods share no namespace with their node.", host_namespaces),
    Rule("host-ports", "Pods hold no ports of their node.", each_container(host_ports)),
    Rule("host-path", "Pods mount no folders of their node.", host_path),
    Rule("service-account-token", "Pods hold no token for the API server unless they are listed.", no_token),
]
