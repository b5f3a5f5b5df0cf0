"""The annotations by which a resource tells the plugin how to handle it; all are documented by pulumi-kubernetes."""

from .errors import Json

SKIP_AWAIT = "pulumi.com/skipAwait"
TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"
PATCH_FORCE = "pulumi.com/patchForce"
FIELD_MANAGER = "pulumi.com/patchFieldManager"
PROPAGATION = "pulumi.com/deletionPropagationPolicy"
REPLACE_UNREADY = "pulumi.com/replaceUnready"

PROPAGATIONS = ("Foreground", "Background", "Orphan")

DEFAULT_TIMEOUT = 600.0
"""Seconds that a wait lasts at most, as with the official plugin."""
_TIMEOUTS = {"PersistentVolumeClaim": 300.0, "PersistentVolume": 300.0}


def is_on(body: Json, name: str) -> bool:
    """Whether a switch among the annotations is on."""
    return str(of(body).get(name)).lower() == "true"


def timeout(body: Json, custom: float) -> float:
    """Seconds to wait: Pulumi's ``customTimeouts``, else the annotation, else the default of the kind."""
    if custom:
        return custom
    value = of(body).get(TIMEOUT_SECONDS)
    return float(value) if value else _TIMEOUTS.get(str(body.get("kind")), DEFAULT_TIMEOUT)


def propagation(body: Json, default: str) -> str:
    """How dependents are deleted, ``Foreground`` (before their owner), ``Background`` or ``Orphan``."""
    return str(of(body).get(PROPAGATION) or default).capitalize()


def field_manager(body: Json) -> str | None:
    """The field manager that the object asks for."""
    return of(body).get(FIELD_MANAGER)


def of(body: Json) -> Json:
    """An object's annotations; empty while they aren't known."""
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return annotations if isinstance(annotations, dict) else {}
