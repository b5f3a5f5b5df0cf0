"""What an object depends on to be ready: other objects, and how to find them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from embedded.health.api import POD, Api, ApiError
from embedded.health.deployed import Json, Kind

DEPLOYMENT, STATEFUL_SET = Kind("apps/v1", "Deployment"), Kind("apps/v1", "StatefulSet")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice")
INGRESS_CLASS = Kind("networking.k8s.io/v1", "IngressClass")
SERVICE = Kind("v1", "Service")
STORAGE_CLASS = Kind("storage.k8s.io/v1", "StorageClass")

Others: TypeAlias = Mapping[str, list[Json]]
"""The related objects that there are, by kind."""


@dataclass(frozen=True)
class Related:
    """Objects whose state decides, or explains, whether another one is ready."""

    kind: Kind
    namespace: str | None
    labels: str = ""
    """Label selector; empty for all of the namespace."""


def look(api: Api, live: Json) -> Others:
    """The objects that are related to ``live``, as they are now; without those that may not be seen."""
    found: dict[str, list[Json]] = {}
    for what in related(live):
        selector = {"labelSelector": what.labels} if what.labels else {}
        with suppress(ApiError):
            found[what.kind.name] = api.objects(what.kind, what.namespace, **selector)
    return found


def related(live: Json) -> list[Related]:
    """What to look at besides the object itself."""
    namespace = live["metadata"].get("namespace")
    match group_kind(live):
        case ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job"):
            return [Related(POD, namespace, label_selector(live["spec"].get("selector") or {}))]
        case ("", "ReplicationController"):
            return [Related(POD, namespace, label_selector({"matchLabels": live["spec"].get("selector")}))]
        case ("", "Service") if wants_endpoints(live):
            slices = Related(ENDPOINT_SLICE, namespace, f"kubernetes.io/service-name={live['metadata']['name']}")
            pods = Related(POD, namespace, label_selector({"matchLabels": live["spec"]["selector"]}))
            return [slices, pods, Related(DEPLOYMENT, namespace), Related(STATEFUL_SET, namespace)]
        case ("networking.k8s.io", "Ingress"):
            inside = [Related(SERVICE, namespace), Related(ENDPOINT_SLICE, namespace)]
            return [*inside, Related(INGRESS_CLASS, None)]
        case ("", "PersistentVolumeClaim"):
            return [Related(STORAGE_CLASS, None)]
    return []


def group_kind(live: Json) -> tuple[str, str]:
    """An object's API group, empty for the core group, and kind."""
    return live["apiVersion"].rpartition("/")[0], live["kind"]


def label_selector(selector: Json) -> str:
    """A ``LabelSelector`` in the form that the API takes in a query."""
    words = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], ",".join(expression.get("values") or [])
        words.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[expression["operator"]]
        )
    return ",".join(words)


def wants_endpoints(live: Json) -> bool:
    """Whether a Service is of use only with pods behind it."""
    # A headless Service is what a StatefulSet needs before it makes its pods; one without a selector is filled by hand.
    spec = live.get("spec") or {}
    return spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None" and bool(spec.get("selector"))


def ingress_services(live: Json) -> list[str]:
    """Names of the Services that an Ingress sends requests to."""
    spec = live.get("spec") or {}
    paths = [path for rule in spec.get("rules") or [] for path in (rule.get("http") or {}).get("paths") or []]
    backends = [spec.get("defaultBackend"), *(path.get("backend") for path in paths)]
    names: list[Any] = [((backend or {}).get("service") or {}).get("name") for backend in backends]
    return list(dict.fromkeys(name for name in names if name))


def default_storage_class(claim: Json, classes: list[Json]) -> Json | None:
    """The class of a claim: the one it names, else the cluster's default."""
    name = (claim.get("spec") or {}).get("storageClassName")
    for each in classes:
        annotations = each["metadata"].get("annotations") or {}
        is_default = annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
        if each["metadata"]["name"] == name or (name is None and is_default):
            return each
    return None
