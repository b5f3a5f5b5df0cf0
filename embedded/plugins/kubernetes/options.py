"""The provider's options: which are understood, and which are refused by name."""

import json
import os
from dataclasses import dataclass
from typing import Any

from .errors import Json, PluginError

_TEXTS = ("kubeconfig", "context", "cluster", "namespace", "clusterIdentifier")
# With the environment variables that the official plugin documents for them.
_SWITCHES = {
    "deleteUnreachable": "PULUMI_K8S_DELETE_UNREACHABLE",
    "enableConfigMapMutable": "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
    "enablePatchForce": "PULUMI_K8S_ENABLE_PATCH_FORCE",
    "enableSecretMutable": "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
    "skipUpdateUnreachable": "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
    "suppressDeprecationWarnings": "PULUMI_K8S_SUPPRESS_DEPRECATION_WARNINGS",
    "suppressHelmHookWarnings": "PULUMI_K8S_SUPPRESS_HELM_HOOK_WARNINGS",
    "upsertExistingObjects": "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
}
# Understood, but without an effect here: server-side apply is the only way.
_WITHOUT_EFFECT = ("enableServerSideApply",)
_OF_THE_ENGINE = ("version", "pluginDownloadURL", "pluginChecksums")


@dataclass(frozen=True)
class Options:
    """What a provider resource was given."""

    kubeconfig: str | None = None
    """Path or text; ``None`` to find one as kubectl does."""
    context: str | None = None
    cluster: str | None = None
    namespace: str | None = None
    """Default namespace; ``None`` for that of the context."""
    cluster_identifier: str | None = None
    """If set, only a change of this replaces the provider and all its resources."""
    delete_unreachable: bool = False
    """Forget resources of a cluster that doesn't answer, instead of failing."""
    skip_update_unreachable: bool = False
    """Leave resources of a cluster that doesn't answer as they are, instead of failing."""
    patch_force: bool = False
    """Take over fields that other managers own."""
    upsert: bool = False
    """Adopt objects that exist already."""
    suppress_warnings: bool = False
    """Don't pass on the API server's warnings, such as of deprecated API versions."""
    suppress_hook_warnings: bool = False
    """Don't say which hooks of a chart aren't run."""
    mutable: frozenset[str] = frozenset()
    """Of ``ConfigMap`` and ``Secret``, those whose data changes in place."""


def parse(args: Json) -> Options:
    """Read a provider's inputs.

    Raises:
        PluginError: An option isn't supported, or has a value that it can't have.
    """
    if args.get("enableServerSideApply") in (False, "false"):
        raise PluginError(
            "enableServerSideApply: false isn't supported: the embedded kubernetes plugin always applies "
            "on the server; remove the option"
        )
    known = {*_TEXTS, *_SWITCHES, *_WITHOUT_EFFECT, *_OF_THE_ENGINE}
    for name, value in args.items():
        if name not in known and not name.startswith("__") and value not in (None, "", False, "false"):
            raise PluginError(
                f"the provider option {name} isn't supported by the embedded kubernetes plugin; remove it, "
                "or install the official plugin (pulumi plugin install resource kubernetes)"
            )
    on = {name for name, variable in _SWITCHES.items() if _switch(name, args.get(name), variable)}
    mutable = {"ConfigMap": "enableConfigMapMutable", "Secret": "enableSecretMutable"}
    return Options(
        kubeconfig=args.get("kubeconfig") or None,
        context=args.get("context") or None,
        cluster=args.get("cluster") or None,
        namespace=args.get("namespace") or None,
        cluster_identifier=args.get("clusterIdentifier") or None,
        delete_unreachable="deleteUnreachable" in on,
        skip_update_unreachable="skipUpdateUnreachable" in on,
        patch_force="enablePatchForce" in on,
        upsert="upsertExistingObjects" in on,
        suppress_warnings="suppressDeprecationWarnings" in on,
        suppress_hook_warnings="suppressHelmHookWarnings" in on,
        mutable=frozenset(kind for kind, option in mutable.items() if option in on),
    )


def _switch(name: str, value: Any, variable: str) -> bool:
    # Pulumi passes what isn't text to providers as JSON.
    if value is None or value == "":
        value = os.environ.get(variable, "").lower() or "false"
        name = variable
    if isinstance(value, str):
        try:
            value = {"1": True, "0": False}.get(value) if value in "10" else json.loads(value.lower())
        except ValueError:
            value = None
    if not isinstance(value, bool):
        raise PluginError(f"{name} must be true or false")
    return value
