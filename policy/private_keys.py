"""Where private keys may be: in Secrets, and nowhere in plain text in Pulumi's state.

The policy SDK unwraps Pulumi's secrets before it calls a validation, and keeps the marks only for a *remediation*,
which the engine asks for before. So this policy has both: its remediation changes nothing and remembers what it saw.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY, serialize_properties

from policy.objects import KubernetesObject

PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
ENCODED = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]*={0,2}")
"""Base64 of what begins as PEM does: in the data of a Secret, in a kubeconfig."""


@dataclass(frozen=True)
class Key:
    """A private key in the inputs of a resource."""

    path: str
    """Where it is: ``data.tls.key``."""
    is_secret: bool
    """Whether Pulumi knows that it is a secret."""


class PrivateKeys(ResourceValidationPolicy):
    """The policy about private keys, for resources of all providers."""

    def __init__(self) -> None:
        super().__init__(
            "private-keys",
            "Private keys are in Secrets, and marked as secret.",
            # Else the engine's wish for a remediation isn't passed on; violations of this level are mandatory ones.
            enforcement_level=EnforcementLevel.REMEDIATE,
        )
        self._seen: dict[str, list[Key]] = {}

    def remediate(self, args: ResourceValidationArgs) -> None:
        """Remember the keys of a resource; the result means that it stays as it is."""
        self._seen[args.urn] = list(keys(args.resource_type, serialize_properties(args.props)))

    def validate(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        """Report the keys that `remediate` has seen."""
        for problem in violations(args.resource_type, args.name, self._seen.pop(args.urn, None)):
            report(problem, None)


def violations(resource_type: str, name: str, found: list[Key] | None) -> Iterator[str]:
    """Yield what is wrong with the keys ``found`` in a resource, in a line each.

    Args:
        resource_type: Pulumi's type of the resource, such as ``kubernetes:core/v1:Secret``.
        name: Pulumi's name of it.
        found: The keys; ``None`` where the engine didn't ask for a remediation, and so nothing is known.
    """
    label = f"{resource_type.rpartition(':')[2]} {name}"
    if found is None:
        yield f"{label}: what is secret can't be seen; leave the enforcement level of private-keys at remediate"
        return
    subject = KubernetesObject.of(resource_type, {})
    for key in found:
        if subject and subject.group_kind != "core/Secret":
            yield f"{label}: {key.path} shows a private key to all who may read the object; move it to a Secret"
        elif not key.is_secret:
            yield f"{label}: {key.path} is a private key in plain text in Pulumi's state; use pulumi.Output.secret"


def keys(resource_type: str, inputs: Mapping[str, Any]) -> Iterator[Key]:
    """Yield the private keys in the ``inputs`` of a resource, in which Pulumi's secrets are marked."""
    is_tls = resource_type == "kubernetes:core/v1:Secret" and inputs.get("type") == "kubernetes.io/tls"
    for path, value, is_secret in _strings(inputs, (), False):
        # Of the key of a TLS Secret it doesn't matter how it looks like, or whether it is known yet.
        if (is_tls and path[-1:] == ("tls.key",)) or holds_key(value):
            yield Key(".".join(path), is_secret)


def holds_key(text: str) -> bool:
    """Return whether ``text`` has a private key in it, as PEM or as base64 of PEM."""
    return bool(PEM.search(text)) or any(PEM.search(_decoded(found)) for found in ENCODED.findall(text))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("latin-1")
    except binascii.Error:
        return ""


def _strings(value: Any, path: tuple[str, ...], is_secret: bool) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Yield the texts in ``value``, each with its path and whether it, or what it is in, is marked as secret."""
    if isinstance(value, str):
        yield path, value, is_secret
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _strings(item, (*path, str(position)), is_secret)
    elif isinstance(value, Mapping):
        if value.get(SPECIAL_SIG_KEY) == SPECIAL_SECRET_SIG:
            yield from _strings(value["value"], path, True)
        else:
            for name, item in value.items():
                yield from _strings(item, (*path, str(name)), is_secret)
