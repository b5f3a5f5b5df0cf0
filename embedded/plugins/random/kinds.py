"""The plugin's one resource: its properties, as the official plugin documents them, and what makes it."""

from collections.abc import Iterator
from typing import Any

from ..shared.checks import boolean, simple, whole_number
from ..shared.kinds import Imported, Kind, Property
from ..shared.values import Values, is_unknown
from . import passwords

MAX_LENGTH = 1 << 20
"""Characters; more can't be meant, and the state has to hold them."""

ID = "none"
"""The ID of every password: IDs are shown, so it says nothing."""

MINIMA = {"minUpper": "upper", "minLower": "lower", "minNumeric": "numeric", "minSpecial": "special"}
"""The inputs that say how many characters of an alphabet there are to be at least."""


def _make(inputs: Values) -> tuple[str, dict[str, str]]:
    alphabets = passwords.alphabets(inputs.get("overrideSpecial", ""))
    chosen = "".join(characters for name, characters in alphabets.items() if inputs[name])
    least = [(alphabets[name], inputs[minimum]) for minimum, name in MINIMA.items()]
    return ID, _outputs(passwords.generate(inputs["length"], chosen, least))


def _import(password: str) -> Imported:
    return Imported(ID, {"length": len(password)}, _outputs(password))


def _outputs(password: str) -> dict[str, str]:
    return {"result": password, "bcryptHash": passwords.bcrypt_hash(password)}


def _digits(inputs: Values) -> Values:
    """``number`` is the old name of ``numeric``: each is as the other, and the state has both."""
    return dict.fromkeys(("number", "numeric"), inputs.get("numeric", inputs.get("number", True)))


def _rules(inputs: Values) -> Iterator[str]:
    if not is_unknown([inputs["number"], inputs["numeric"]]) and inputs["number"] != inputs["numeric"]:
        yield "number and numeric contradict each other; give numeric only, number is its old name"
    if not any(inputs[name] for name in MINIMA.values()):  # what is unknown may be true
        yield "upper, lower, numeric and special are all false, so there is nothing to choose from; allow one of them"
    length = inputs.get("length")
    least = {name: count for name in MINIMA if isinstance(count := inputs[name], int)}  # others are unknown, or wrong
    if isinstance(length, int) and 1 <= length < sum(least.values()):
        given = " + ".join(f"{name} {count}" for name, count in least.items() if count)
        yield f"length: {length} given, but {given} is more; allowed: at least {sum(least.values())}"


def _keepers(value: Any) -> Iterator[str]:
    # Without the values, which may be secrets.
    if not isinstance(value, dict):
        yield " is no map; allowed: a map of texts"
        return
    yield from (
        f".{key} is no text; allowed: a map of texts" for key, each in value.items() if not isinstance(each, str)
    )


_MINIMUM = Property(whole_number(0, MAX_LENGTH), default=0)
_CHOICE = Property(boolean, default=True)

KINDS = {
    "random:index/randomPassword:RandomPassword": Kind(
        {
            "length": Property(whole_number(1, MAX_LENGTH), required=True),
            "upper": _CHOICE,
            "lower": _CHOICE,
            "numeric": Property(boolean),
            "number": Property(boolean),
            "special": _CHOICE,
            **dict.fromkeys(MINIMA, _MINIMUM),
            "overrideSpecial": Property(simple(lambda value: isinstance(value, str), "a text")),
            "keepers": Property(_keepers),
        },
        _make,
        frozenset({"result", "bcryptHash"}),
        secret_outputs=frozenset({"result", "bcryptHash"}),
        rules=_rules,
        derive=_digits,
        load=_import,
    ),
}
"""The resources by their types."""
