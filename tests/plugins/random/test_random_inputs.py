"""What the random plugin takes, refuses and makes, without the engine."""

import string
from collections import Counter
from typing import Any

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi.runtime.rpc import UNKNOWN

from embedded.plugins.random import passwords
from embedded.plugins.random.kinds import KINDS, MINIMA

[PASSWORD] = KINDS.values()
ALLOWED = (
    "length, upper, lower, numeric, number, special, minUpper, minLower, minNumeric, minSpecial, overrideSpecial, "
    "keepers"
)
NOTHING = "upper, lower, numeric and special are all false, so there is nothing to choose from; allow one of them"
NO_CHOICE = dict.fromkeys(("upper", "lower", "numeric", "special"), False)


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({}, "length is missing; give it"),
        ({"length": 0}, "length: 0 given; allowed: a whole number from 1 to 1048576"),
        ({"length": 8.5}, "length: 8.5 given; allowed: a whole number from 1 to 1048576"),
        ({"length": True}, "length: True given; allowed: a whole number from 1 to 1048576"),
        ({"length": 1 << 21}, "length: 2097152 given; allowed: a whole number from 1 to 1048576"),
        ({"length": 8, "minLower": -1}, "minLower: -1 given; allowed: a whole number from 0 to 1048576"),
        (
            {"length": 4, "minUpper": 3, "minNumeric": 2},
            "length: 4 given, but minUpper 3 + minNumeric 2 is more; allowed: at least 5",
        ),
        ({"length": 8, "special": "no"}, "special: 'no' given; allowed: true or false"),
        ({"length": 8, "overrideSpecial": 1}, "overrideSpecial: 1 given; allowed: a text"),
        ({"length": 8, "keepers": ["a"]}, "keepers is no map; allowed: a map of texts"),
        ({"length": 8, "keepers": {"a": 1}}, "keepers.a is no text; allowed: a map of texts"),
        ({"length": 8, "minimum": 1}, f"minimum is no property of it; allowed: {ALLOWED}"),
        ({"length": 8, **NO_CHOICE}, NOTHING),
        ({"length": 8, **NO_CHOICE, "overrideSpecial": "!"}, NOTHING),
        (
            {"length": 8, "number": True, "numeric": False},
            "number and numeric contradict each other; give numeric only, number is its old name",
        ),
    ],
)
def test_what_is_refused(inputs: dict[str, Any], problem: str) -> None:
    assert list(PASSWORD.problems(inputs)) == [problem]


def test_all_problems_are_told_at_once() -> None:
    inputs = {"length": 0, "upper": 1, **dict.fromkeys(("lower", "special", "number"), False), "minSpecial": -1}
    assert list(PASSWORD.problems(inputs)) == [
        "length: 0 given; allowed: a whole number from 1 to 1048576",
        "upper: 1 given; allowed: true or false",
        "minSpecial: -1 given; allowed: a whole number from 0 to 1048576",
    ]


@pytest.mark.parametrize("name", PASSWORD.properties)
def test_what_is_not_known_yet_is_right(name: str) -> None:
    inputs = {"length": 1, "minUpper": 1, **NO_CHOICE, "upper": True, "number": False}
    assert list(PASSWORD.problems(inputs | {name: UNKNOWN})) == []


def test_an_unknown_length_may_be_long_enough_and_an_unknown_alphabet_may_be_there() -> None:
    assert list(PASSWORD.problems({"length": UNKNOWN, "minUpper": 9, **NO_CHOICE, "special": UNKNOWN})) == []


@st.composite
def valid_inputs(draw: st.DrawFn) -> dict[str, Any]:
    minima = {name: draw(st.integers(0, 5)) for name in MINIMA}
    choice = {name: draw(st.booleans()) for name in NO_CHOICE}
    choice[draw(st.sampled_from(sorted(choice)))] = True
    length = draw(st.integers(max(sum(minima.values()), 1), 40))
    special = draw(st.none() | st.text("+-#§", min_size=1))
    return {"length": length, **minima, **choice} | ({} if special is None else {"overrideSpecial": special})


@settings(deadline=None, max_examples=40)  # bcrypt takes its time
@given(valid_inputs())
def test_a_password_is_what_its_inputs_say(inputs: dict[str, Any]) -> None:
    assert list(PASSWORD.problems(inputs)) == []
    identifier, outputs = PASSWORD.make(PASSWORD.complete(inputs))
    result = str(outputs["result"])
    assert identifier == "none"
    assert len(result) == inputs["length"]
    alphabets = {
        "upper": string.ascii_uppercase,
        "lower": string.ascii_lowercase,
        "numeric": string.digits,
        "special": inputs.get("overrideSpecial", "!@#$%&*()-_=+[]{}<>:?"),
    }
    counts = Counter(name for each in result for name, alphabet in alphabets.items() if each in alphabet)
    assert counts.total() == len(result)
    for minimum, name in MINIMA.items():
        least = inputs[minimum]
        assert counts[name] >= least if inputs[name] else counts[name] == least, (name, result)


def test_passwords_differ_and_every_character_has_its_turn() -> None:
    made = {passwords.generate(16, "ab", [("c", 1)]) for _ in range(200)}
    assert len(made) > 190  # of 16 * 2¹⁵
    assert {each.index("c") for each in made} == set(range(16))
    assert set("".join(made)) == set("abc")


def test_minima_need_no_choice_for_the_rest() -> None:
    assert sorted(passwords.generate(3, "", [("a", 2), ("b", 1)])) == ["a", "a", "b"]


def test_a_hash_is_one_of_bcrypt_with_go_s_defaults() -> None:
    made = passwords.bcrypt_hash("pässword")
    assert made.startswith("$2a$10$")
    assert made != passwords.bcrypt_hash("pässword")
    assert bcrypt.checkpw("pässword".encode(), made.encode())
    assert not bcrypt.checkpw(b"password", made.encode())


def test_only_the_first_72_bytes_are_hashed() -> None:
    made = passwords.bcrypt_hash("a" * 71 + "ä" + "b" * 9).encode()
    assert bcrypt.checkpw(b"a" * 71 + "ä".encode()[:1], made)
    assert not bcrypt.checkpw(b"a" * 71, made)


def test_an_import_finds_its_length() -> None:
    assert PASSWORD.load is not None
    found = PASSWORD.load("pässword")
    assert (found.id, found.inputs, found.outputs["result"]) == ("none", {"length": 8}, "pässword")
    assert bcrypt.checkpw("pässword".encode(), str(found.outputs["bcryptHash"]).encode())
