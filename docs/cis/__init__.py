"""The embedded cluster beside the CIS Kubernetes Benchmark: facts, of which ``docs/cis.md`` is made.

``.venv/bin/python -m docs.cis`` writes it. What a point rests on is checked by tests: the flags on the real command
lines, the fields in the real configuration files, the modes of the real files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["met", "differs", "not applicable"]


@dataclass(frozen=True)
class Flag:
    """What a program's command line says, or doesn't."""

    program: str
    name: str
    value: str | None = ""
    """The value; empty for whichever, ``None`` if the flag isn't there."""

    def __str__(self) -> str:
        if self.value is None:
            return f"no `--{self.name}`"
        return f"`--{self.name}={self.value}`" if self.value else f"`--{self.name}`"


@dataclass(frozen=True)
class Field:
    """What a configuration file says."""

    file: str
    """In the folder ``config``."""
    path: str
    """Names and indices, with dots between them."""
    value: Any

    def __str__(self) -> str:
        if self.value is None:
            return f"no `{self.path}`"
        return f"`{self.path}: {str(self.value).lower() if isinstance(self.value, bool) else self.value}`"


@dataclass(frozen=True)
class Mode:
    """What others may do to files: nothing beyond ``mode``. They are root's."""

    files: str
    """A glob in the state folder."""
    mode: int

    def __str__(self) -> str:
        return f"`{self.files}` {self.mode:04o}"


Evidence: TypeAlias = Flag | Field | Mode


@dataclass(frozen=True)
class Check:
    """A point of the benchmark, or several that come to the same."""

    points: tuple[str, ...]
    what: str
    state: State
    evidence: tuple[Evidence, ...] = ()
    why: str = ""

    @property
    def here(self) -> str:
        """How it is here, for people."""
        return "; ".join([*map(str, self.evidence), *([self.why] if self.why else [])])


def points(section: str, *numbers: int) -> tuple[str, ...]:
    """Return the points of a section: ``points("1.1", 1, 2)`` is ``("1.1.1", "1.1.2")``."""
    return tuple(f"{section}.{number}" for number in numbers)
