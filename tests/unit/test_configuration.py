"""What ``Pulumi.yaml`` says of the configuration is what the settings take, and the pages are made of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from docs.configuration import PAGE, README, Option, keys, options, page, schema, summary, updated
from settings import Settings
from settings.addons import Detected
from settings.problems import nested

DOCUMENTED = {
    (key, *option.path): option for key, entry in schema().items() for option in options(entry["description"])
}


def taken(model: type[BaseModel], *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What a model takes: each path, with its default where that is a plain value."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = nested(field)
        if issubclass(model, Detected) and key == "auto":
            continue  # said once, of all addons
        if path:
            yield (*path, key), None if inner or field.default is PydanticUndefined else field.default
        if inner:
            yield from taken(inner, *path, key)


def test_the_options_are_those_that_the_settings_take() -> None:
    assert list(DOCUMENTED) == [path for path, _ in taken(Settings)]


def test_their_defaults_are_those_of_the_settings() -> None:
    plain = {path: value for path, value in taken(Settings) if isinstance(value, str | int)}
    assert len(plain) > 30
    assert {path: DOCUMENTED[path].default for path in plain} == {
        path: str(value).lower() if isinstance(value, bool) else str(value) for path, value in plain.items()
    }


def test_an_addon_is_on_as_the_default_of_all_says() -> None:
    by_default = schema()["addons"]["default"]
    said = {path[1]: option.default for path, option in DOCUMENTED.items() if path[0] == "addons" and len(path) == 2}
    assert said == {name: str(by_default.get(name, False)).lower() for name in said}


def test_each_key_has_a_type_and_a_text() -> None:
    for key, entry in schema().items():
        assert entry["type"], key
        assert summary(entry["description"]).endswith("."), key
    assert [path for path, option in DOCUMENTED.items() if not option.what] == []


def test_the_pages_are_made_of_it() -> None:
    assert updated(README.read_text()) == README.read_text(), "run .venv/bin/python -m docs.configuration"
    assert page() == PAGE.read_text(), "run .venv/bin/python -m docs.configuration"


def test_no_cell_of_the_tables_is_a_wall_of_text() -> None:
    cells = [cell for line in (keys() + page()).splitlines() if line.startswith("|") for cell in line.split("|")]
    assert max(map(len, cells)) < 260


@pytest.mark.parametrize(
    ("description", "begin", "expected"),
    [
        ("Just text.\nAnd more - of it.", "Just text. And more - of it.", []),
        (
            "Maps.\n- a: one; default 1\n  - in-a: two\n    lines; default\n    the last\n- b: none\n",
            "Maps.",
            [
                Option(("a",), "one", "1"),
                Option(("a", "in-a"), "two lines", "the last"),
                Option(("b",), "none", ""),
            ],
        ),
        ("A.\n- a: x; default y; default z", "A.", [Option(("a",), "x; default y", "z")]),
    ],
)
def test_a_description_lists_its_options(description: str, begin: str, expected: list[Option]) -> None:
    assert summary(description) == begin
    assert list(options(description)) == expected
