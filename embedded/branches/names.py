"""What a branch's stack, and all that is its own, is called."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from settings.stack_file import instance_of

LONGEST, LONGEST_BASE = 24, 15
"""Characters of a branch's label, and of its stack's; together they are a prefix, which has at most 40."""
HASH = 8
"""Digits of the hash in what isn't called as it is."""
_HASHED = re.compile(rf"-[0-9a-f]{{{HASH}}}$")


@dataclass(frozen=True)
class Names:
    """The names of a branch's own things."""

    stack: str
    """Its stack."""
    prefix: str
    """Before the names of its sites' namespaces and images."""
    label: str
    """Before its sites' hosts."""


def names_of(project: str, base: str, branch: str) -> Names:
    """Return the names for a branch that is deployed beside the stack ``base`` of a project."""
    return labelled(project, base, label(branch, LONGEST))


def labelled(project: str, base: str, own: str) -> Names:
    """Do as `names_of` for a branch that has the label ``own``."""
    beside = label(instance_of(project, base.rpartition("/")[2]), LONGEST_BASE)
    return Names(f"{base}.{own}", f"{beside}-{own}", own)


def label(text: str, longest: int) -> str:
    """Return a text as a label of a host name; with a hash where it was changed, so that two never have the same."""
    plain = re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain == text and len(text) <= longest and not _HASHED.search(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:HASH]
    return f"{plain[: longest - HASH - 1].rstrip('-')}-{digest}".lstrip("-")
