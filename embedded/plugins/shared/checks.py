"""What a value may be. A check yields what is wrong, as text that goes after a property's name."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Check: TypeAlias = Callable[[Any], Iterator[str]]


def simple(fits: Callable[[Any], bool], allowed: str) -> Check:
    """What ``fits``; ``allowed`` says it in words. The value is shown, so it must not be a secret."""

    def check(value: Any) -> Iterator[str]:
        if not fits(value):
            yield f": {value!r} given; allowed: {allowed}"

    return check


def list_of(fits: Callable[[Any], bool], allowed: str) -> Check:
    """A list of what ``fits``; ``allowed`` says it in words."""

    def check(value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            yield f": {value!r} given; allowed: a list"
            return
        for index, each in enumerate(value):
            if not fits(each):
                yield f"[{index}]: {each!r} given; allowed: {allowed}"

    return check


def one_of(*allowed: str) -> Check:
    """One of the texts ``allowed``."""
    return simple(lambda value: value in allowed, ", ".join(allowed))


def whole_number(least: int, most: int) -> Check:
    """A whole number from ``least`` to ``most``."""

    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return simple(fits, f"a whole number from {least} to {most}")


boolean = simple(lambda value: isinstance(value, bool), "true or false")
