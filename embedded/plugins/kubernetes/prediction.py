"""What a preview knows of an object that doesn't exist yet, and what it can't know."""

import copy
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

from .errors import Json

# Set by the server, and different each time.
_SERVER_METADATA = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")

_CHOSEN_BY_SERVER = {
    "Job": ("selector",),
    "PersistentVolumeClaim": ("volumeName",),
    "Service": ("clusterIP", "clusterIPs", "healthCheckNodePort"),
}


def predict(inputs: Json, tried: Json | None) -> Json:
    """The outputs of an object to be created: known where they are certain, else unknown.

    Args:
        inputs: The inputs.
        tried: What a dry run gave, with the server's defaults; ``None`` if none was possible.
    """
    predicted = copy.deepcopy(tried if tried is not None else inputs)
    metadata = predicted.get("metadata")
    if isinstance(metadata, dict):
        # Left out rather than unknown: with unknown fields in it, Pulumi would skip every `metadata.apply(…)`.
        for key in _SERVER_METADATA:
            metadata.pop(key, None)
    wanted = inputs.get("spec")
    spec = predicted.get("spec")
    if isinstance(spec, dict) and isinstance(wanted, dict):
        for key in _CHOSEN_BY_SERVER.get(str(inputs.get("kind")), ()):
            if key not in wanted and not (tried is not None and spec.get("type") == "ExternalName"):
                spec[key] = UNKNOWN
        if spec.get("type") in ("NodePort", "LoadBalancer"):
            _forget_node_ports(spec, wanted)
        predicted["status"] = UNKNOWN
    return predicted


def _forget_node_ports(spec: Json, wanted: Json) -> None:
    ports: Any = wanted.get("ports")
    if not isinstance(ports, list) or not isinstance(spec.get("ports"), list):
        return
    for port, given in zip(spec["ports"], ports, strict=False):
        if isinstance(port, dict) and isinstance(given, dict) and "nodePort" not in given:
            port["nodePort"] = UNKNOWN


def overlay(recorded: Json, inputs: Json) -> Json:
    """The outputs of an object to be updated while some new inputs aren't known: the old, and over them the new."""
    merged = dict(recorded)
    for key, value in inputs.items():
        before = merged.get(key)
        merged[key] = overlay(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
