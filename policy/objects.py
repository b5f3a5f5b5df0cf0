"""Kubernetes objects as the engine hands them to a policy pack.

In a preview some values aren't known yet. The policy SDK wraps all maps and lists such that reading one of those values
raises ``UnknownValueError``, and turns that error into an advice: this can't be judged before ``pulumi up``. So rules
just read what they need, and `each` sees to it that one unknown value hides no other problem.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from pulumi_policy.proxy import UnknownValueError

Manifest: TypeAlias = Mapping[str, Any]
"""An object as its provider gets it, or a part of one."""

Part = TypeVar("Part")

COMPONENT = "app.kubernetes.io/component"
"""The label that tells which part an object plays in the stack, such as ``site``."""

TYPE = re.compile(r"kubernetes:(?P<group>[^:/]+)(?:/[^:]+)?:(?P<kind>[^:]+)")

POD_SPECS = {
    "core/Pod": ("spec",),
    "core/PodTemplate": ("template", "spec"),
    "core/ReplicationController": ("spec", "template", "spec"),
    "apps/DaemonSet": ("spec", "template", "spec"),
    "apps/Deployment": ("spec", "template", "spec"),
    "apps/ReplicaSet": ("spec", "template", "spec"),
    "apps/StatefulSet": ("spec", "template", "spec"),
    "batch/CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "batch/Job": ("spec", "template", "spec"),
}
"""Where the objects that run pods say what is in them."""


@dataclass(frozen=True)
class KubernetesObject:
    """A Kubernetes object."""

    group_kind: str
    """API group and kind, whatever the version: ``apps/Deployment``; the legacy group is ``core``."""
    manifest: Manifest

    @classmethod
    def of(cls, resource_type: str, inputs: Manifest) -> "KubernetesObject | None":
        """Return the object that a resource of Pulumi's type ``resource_type`` is; ``None`` where it is none."""
        found = TYPE.fullmatch(resource_type)
        return cls(f"{found['group']}/{found['kind']}", inputs) if found else None

    @property
    def subject(self) -> str:
        """How people call it: ``Deployment blog/web``, without a namespace ``ClusterRole traefik``."""
        metadata = part(self.manifest, "metadata")
        kind = self.group_kind.rpartition("/")[2]
        name = metadata.get("name") or metadata.get("generateName") or "(unnamed)"
        return f"{kind} {metadata['namespace']}/{name}" if metadata.get("namespace") else f"{kind} {name}"

    @property
    def component(self) -> str:
        """The part that it plays in the stack; empty where it doesn't say."""
        return str(self.labels.get(COMPONENT, ""))

    @property
    def labels(self) -> Manifest:
        """Its labels."""
        return part(self.manifest, "metadata", "labels")

    @property
    def pod(self) -> Manifest | None:
        """The ``spec`` of the pods that it runs; ``None`` where it runs none."""
        path = POD_SPECS.get(self.group_kind)
        return part(self.manifest, *path) if path else None


@dataclass(frozen=True)
class Container:
    """A container of a pod."""

    label: str
    """How messages call it: ``container web``, ``init container prepare``."""
    manifest: Manifest
    pod: Manifest
    """The ``spec`` of its pod."""
    stays: bool
    """Whether it runs as long as its pod, as sidecars do, which are init containers that are restarted."""

    @property
    def security(self) -> Manifest:
        """Its own ``securityContext``."""
        return part(self.manifest, "securityContext")

    def effective(self, name: str) -> Any:
        """Return the field ``name`` of its ``securityContext`` or, where it has none, of the pod's."""
        own = self.security.get(name)
        return part(self.pod, "securityContext").get(name) if own is None else own


def part(manifest: Manifest, *path: str) -> Manifest:
    """Return the map at ``path``, an empty one where there is none."""
    for name in path:
        manifest = manifest.get(name) or {}
    return manifest


def items(manifest: Manifest, name: str) -> Sequence[Any]:
    """Return the list ``name``, an empty one where there is none."""
    return manifest.get(name) or []


def containers(pod: Manifest) -> Iterator[Container]:
    """Return all containers of the pods whose ``spec`` is ``pod``."""
    for manifest in items(pod, "initContainers"):
        stays = manifest.get("restartPolicy") == "Always"
        kind = "sidecar" if stays else "init container"
        yield Container(f"{kind} {manifest.get('name')}", manifest, pod, stays)
    for manifest in items(pod, "containers"):
        yield Container(f"container {manifest.get('name')}", manifest, pod, stays=True)


def each(parts: Iterable[Part], check: Callable[[Part], Iterator[str]]) -> Iterator[str]:
    """Yield what ``check`` finds in each of ``parts``.

    Raises:
        UnknownValueError: Some part couldn't be judged; raised when all of the others have been.
    """
    unknown: UnknownValueError | None = None
    for one in parts:
        try:
            yield from check(one)
        except UnknownValueError as error:
            unknown = unknown or error
    if unknown:
        raise unknown


def each_container(check: Callable[[Container], Iterator[str]]) -> Callable[[KubernetesObject], Iterator[str]]:
    """Return the check of an object that asks ``check`` about all containers of its pods."""

    def named(container: Container) -> Iterator[str]:
        return (f"{container.label}: {problem}" for problem in check(container))

    return lambda subject: each(containers(subject.pod or {}), named)
