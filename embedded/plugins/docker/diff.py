"""What of a `docker.Image`'s inputs makes another image."""

from collections.abc import Iterable, Iterator
from typing import Any

from pulumi.provider.experimental.provider import PropertyDiffKind

IRRELEVANT = {
    "build.context",  # its content matters, by digest; where it lies doesn't
    "build.dockerfile",
    "buildOnPreview",
    "registry.username",
    "registry.password",
}
"""Inputs that may change without a build, ``registry`` as the SDK documents it."""


def differences(old: dict[str, Any], new: dict[str, Any], ignored: Iterable[str] = ()) -> dict[str, PropertyDiffKind]:
    """The paths of inputs that differ, with how; ``ignored`` are paths that the program says not to look at."""
    before, after = dict(_leaves("", old)), dict(_leaves("", new))
    left_out = IRRELEVANT | set(ignored)
    kinds = {}
    for path in sorted(before.keys() | after.keys()):
        if any(path == each or path.startswith(f"{each}.") for each in left_out):
            continue
        if path not in before:
            kinds[path] = PropertyDiffKind.ADD
        elif path not in after:
            kinds[path] = PropertyDiffKind.DELETE
        elif before[path] != after[path]:
            kinds[path] = PropertyDiffKind.UPDATE
    return kinds


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, each)
    else:
        yield path, value
