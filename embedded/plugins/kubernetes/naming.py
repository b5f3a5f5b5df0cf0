"""Names of objects and of field managers."""

import hashlib
import secrets

AUTONAMED = "pulumi.com/autonamed"
"""Annotation of objects whose name was generated; documented by pulumi-kubernetes."""

_RANDOM_LENGTH = 8


def autoname(prefix: str, seed: bytes) -> str:
    """``prefix`` and eight hexadecimal digits.

    They depend on the engine's ``seed`` only, so that an update that follows a plan has the names of the plan.
    """
    if not seed:
        return prefix + secrets.token_hex(_RANDOM_LENGTH // 2)
    return prefix + hashlib.sha256(seed + prefix.encode()).hexdigest()[:_RANDOM_LENGTH]


def field_manager(urn: str) -> str:
    """The server-side apply manager of a resource: ``pulumi-kubernetes-`` and eight hexadecimal digits.

    The official plugin draws the digits at random and keeps them in the state. Here they come from the URN: a state
    that was lost and made again then still owns its fields, instead of conflicting with itself.
    """
    return "pulumi-kubernetes-" + hashlib.sha256(urn.encode()).hexdigest()[:8]
