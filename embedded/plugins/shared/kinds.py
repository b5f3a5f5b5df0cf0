"""Types of resources that a plugin makes by itself: their properties, and what is wrong with them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .checks import Check
from .values import Values, is_unknown


@dataclass(frozen=True)
class Property:
    """An input of a resource."""

    check: Check
    """Says what is wrong with a value, if anything."""
    required: bool = False
    default: Any = None
    secret: bool = False
    replaces: bool = True
    """Whether another value makes another resource."""


class Imported(NamedTuple):
    """A resource that was made elsewhere."""

    id: str
    inputs: Mapping[str, str | bool | int]
    outputs: Mapping[str, str | bool]


@dataclass(frozen=True)
class Kind:
    """A type of resource."""

    properties: Mapping[str, Property]
    make: Callable[[Values], tuple[str, Mapping[str, str | bool]]]
    """From complete inputs, the ID and the outputs of a new one."""
    outputs: frozenset[str]
    """What `make` finds out."""
    secret_outputs: frozenset[str] = frozenset()
    rules: Callable[[Values], Iterator[str]] = lambda _: iter(())
    """What is wrong between complete inputs, of which some may be unknown."""
    derive: Callable[[Values], Values] = lambda _: {}
    """Defaults that depend on what is given."""
    load: Callable[[str], Imported] | None = None
    """What an import gets for an ID; without it, there is no import."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Properties that only the official plugin has, and what is said about them."""

    def complete(self, inputs: Values) -> Values:
        """``inputs`` with the defaults of those that aren't given."""
        defaults = {name: each.default for name, each in self.properties.items() if each.default is not None}
        return defaults | self.derive(inputs) | inputs

    def problems(self, inputs: Values) -> Iterator[str]:
        """What is wrong with ``inputs``; what isn't known yet is right."""
        unknown = f"is no property of it; allowed: {', '.join(self.properties)}"
        for name in sorted(inputs.keys() - self.properties.keys()):
            yield f"{name} {self.refused.get(name, unknown)}"
        for name, each in self.properties.items():
            if name not in inputs:
                if each.required:
                    yield f"{name} is missing; give it"
            elif not is_unknown(inputs[name]):
                yield from (f"{name}{problem}" for problem in each.check(inputs[name]))
        yield from self.rules(self.complete(inputs))
