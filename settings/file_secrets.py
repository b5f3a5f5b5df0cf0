"""Which values of a structure are encrypted in the stack's file: Pulumi says only that something of it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import yaml

from settings.problems import Path as Steps
from settings.problems import qualified


def encrypted_paths(key: str) -> list[Steps]:
    """Return where the value of the top-level ``key`` has what was set with ``--secret``.

    Nothing where the stack's file isn't in the working directory, the project, by its usual name.
    """
    try:
        document = yaml.safe_load(Path(f"Pulumi.{pulumi.get_stack()}.yaml").read_bytes())
        return list(_encrypted(document["config"][qualified(key)]))
    except (OSError, yaml.YAMLError, LookupError, TypeError):
        return []


def _encrypted(value: Any, path: Steps = ()) -> Iterator[Steps]:
    if isinstance(value, dict):
        if value.keys() == {"secure"}:
            yield path
        else:
            for name, each in value.items():
                yield from _encrypted(each, (*path, str(name)))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _encrypted(each, (*path, index))
