"""What the API server's refusals mean, in words that help."""

import re

from . import annotations
from .errors import ApiError, Json

GONE_FOR_GOOD = "if the cluster is gone for good, set PULUMI_K8S_DELETE_UNREACHABLE=true and run this again"
"""What to do about resources of a cluster that doesn't answer any more."""


def waits_for_others(error: ApiError) -> bool:
    """Whether a dry run failed only since something that the program makes first isn't there in a preview."""
    if error.code == 404:
        return True
    text = str(error)
    return (error.code == 403 and "not found" in text) or (error.code == 400 and "does not support dry run" in text)


def sentence(what: str, error: ApiError) -> str:
    """The API server's words on one line, with the object in front if they don't name it."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text if what.rpartition("/")[2].rpartition(" ")[2] in text else f"{what}: {text}"


def conflict(what: str, conflicts: list[Json]) -> str:
    """Who owns which fields, and the ways out."""
    owners: dict[str, list[str]] = {}
    for conflict in conflicts:
        found = re.search(r'conflict with "([^"]*)"', str(conflict.get("message")))
        owners.setdefault(found[1] if found else "another manager", []).append(str(conflict.get("field")))
    owned = "; ".join(f"{', '.join(paths)} (owned by {owner})" for owner, paths in owners.items())
    return (
        f"{what}: fields are managed by somebody else: {owned}. To take them over, set the annotation "
        f'{annotations.PATCH_FORCE}: "true"; to leave them alone, take them out of the program, or list them in '
        "ignore_changes"
    )
