"""Which fields differ, and which of them an object can't change while it lives."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .errors import ApiError, Json
from .fields import Path
from .kinds import Form, Kind
from .naming import AUTONAMED


class Change(Enum):
    """What happens to a field."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Difference:
    """One field that differs."""

    path: Path
    change: Change

    @property
    def property_path(self) -> str:
        """As Pulumi writes it."""
        return property_path(self.path)


def property_path(path: Path) -> str:
    """A path as Pulumi writes it: ``spec.containers[0].image``, ``metadata.labels["app.kubernetes.io/name"]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z_$][\w$]*", step):
            text += f".{step}" if text else step
        else:
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def is_ignored(path: Path, ignored: Sequence[str]) -> bool:
    """Whether a field lies under one of the paths in ``ignore_changes``, in which ``*`` is any key or index."""
    text = property_path(path)
    for each in ignored:
        pattern = re.escape(each).replace(r"\[\*\]", r"\[[^\]]*\]").replace(r"\*", r"[^.\[]+")
        if re.match(rf"{pattern}(?=$|[.\[])", text):
            return True
    return False


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """The fields in which ``new`` differs from ``old``, at the lowest level where both have something."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            if key not in new:
                yield Difference((*path, key), Change.DELETE)
            elif key not in old:
                yield Difference((*path, key), Change.ADD)
            else:
                yield from differences(old[key], new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index >= len(new):
                yield Difference((*path, index), Change.DELETE)
            elif index >= len(old):
                yield Difference((*path, index), Change.ADD)
            else:
                yield from differences(old[index], new[index], (*path, index))
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield Difference(path, Change.UPDATE)


_SELECTOR = ("spec.selector",)
_STATEFUL_SET = ("spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates")
_CLAIM = (
    "spec.accessModes",
    "spec.dataSource",
    "spec.dataSourceRef",
    "spec.selector",
    "spec.storageClassName",
    "spec.volumeMode",
    "spec.volumeName",
)

# Fields that the API server won't change, by API group and kind: the well-known ones, so that a preview needs no
# cluster to tell. For all others the server is asked, see `refused_as_immutable`. A claim's `spec.resources` isn't
# among them: claims grow in place, and are not to be replaced (with their data) when they can't.
_IMMUTABLE: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "PersistentVolumeClaim"): _CLAIM,
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "ReplicaSet"): _SELECTOR,
    ("apps", "StatefulSet"): _STATEFUL_SET,
    ("batch", "Job"): ("spec.selector", "spec.template", "spec.completionMode"),
    ("networking.k8s.io", "IngressClass"): ("spec.controller",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("scheduling.k8s.io", "PriorityClass"): ("value", "preemptionPolicy"),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
_DATA = ("data", "binaryData", "stringData")
_IDENTITY = ("kind", "metadata.name", "metadata.namespace")


def replaced_by(kind: Kind, old: Json, new: Json, found: list[Difference], mutable: frozenset[str]) -> list[Difference]:
    """The differences that only a new object can have.

    Args:
        kind: Kind of the new inputs.
        old: Inputs that were applied last.
        new: Inputs to be applied.
        found: The differences between them.
        mutable: Of ``ConfigMap`` and ``Secret``, those whose data may change in place. Otherwise new data means a new
            object, as with the official plugin: with a generated name, the pods that use it are then rolled out.
    """
    prefixes: tuple[str, ...] = _IDENTITY
    if kind.form is not Form.PATCH:
        prefixes += _IMMUTABLE.get((kind.group, kind.name), ())
        if kind.group == "" and kind.name in ("ConfigMap", "Secret"):
            frozen = old.get("immutable") is True
            prefixes += (*_DATA, "immutable") if frozen else () if kind.name in mutable else _DATA
    same_group = str(old.get("apiVersion")).rpartition("/")[0] == str(new.get("apiVersion")).rpartition("/")[0]
    return [
        difference
        for difference in found
        if any(_under(difference.property_path, prefix) for prefix in prefixes)
        or (difference.path == ("apiVersion",) and not same_group)
    ]


def _under(path: str, prefix: str) -> bool:
    # A difference may also lie above: all of `spec` was added.
    return path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")) or prefix.startswith(f"{path}.")


# How the API server words it; there is no machine-readable reason for it. From apimachinery's validation
# (`field is immutable`) and the kinds' own (`cannot change roleRef`, `may not change once set`, `updates to … are
# forbidden`, `pod updates may not change fields other than …`).
_IMMUTABLE_TEXT = re.compile(
    r"immutable|cannot be (?:changed|updated|modified)|cannot change|may not (?:be )?change|updates? to .*forbidden"
    r"|may not update|must not be changed",
    re.IGNORECASE | re.DOTALL,
)


def refused_as_immutable(error: ApiError, found: list[Difference]) -> list[Difference]:
    """The differences that a dry run found impossible for a living object; none if it failed for another reason too."""
    if error.code != 422 or not error.causes:
        return []
    if not all(_IMMUTABLE_TEXT.search(cause.get("message") or "") for cause in error.causes):
        return []
    named = [re.sub(r"\[\d+\]", "", cause.get("field") or "") for cause in error.causes]
    # Fields such as `spec.persistentvolumesource` name no field of the object: then it's one of those that differ.
    exact = [
        d for d in found if any(_under(re.sub(r"\[\d+\]", "", d.property_path), field) for field in named if field)
    ]
    return exact or found


def must_delete_first(old: Json, new: Json) -> bool:
    """Whether a replacement has to wait until the old object is gone: when both have the same, fixed name."""
    before, after = old.get("metadata") or {}, new.get("metadata") or {}
    if (after.get("annotations") or {}).get(AUTONAMED) == "true":
        return False
    same_kind = old.get("kind") == new.get("kind")
    return same_kind and all(before.get(key) == after.get(key) for key in ("name", "namespace"))
