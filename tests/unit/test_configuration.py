"""What ``Pulumi.yaml`` and the page say of the configuration is of today, and the settings take it."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.addons import ADDONS
from components.options import DOMAIN, default_text, nested
from docs.configuration import PAGE, SCHEMA, options, page, schema, updated
from settings import Settings
from settings.problems import Path, dotted
from tests.unit.test_settings import KUBECONFIG, load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_errors import problems

BASE: Mapping[str, Any] = {
    "sites": [{"name": "a"}],
    "addons": {
        **{addon.name: {} for addon in ADDONS},
        "ingress": {"nodePorts": {"http": 30080, "https": 30443}},
        "cert": {"acme": {"email": "me@example.com"}},
    },
    "charts": [{"name": "c", "chart": "oci://example.com/c", "version": "1.0.0"}],
}
"""Has room for each option, and none that could be left out, but for these of a site, which don't all go together."""

OF_A_SITE: Mapping[str, dict[str, Any]] = {
    "redirects": {"hosts": ["b.com"], "redirects": [{"from": "a.com", "to": "b.com"}]},
    "basicAuth": {"basicAuth": {"user": "me", "password": "a password"}},
    "autoscale": {"autoscale": {"max": 3}},
    "volumes": {"replicas": 1, "volumes": [{"name": "v", "path": "/v"}]},
    "jobs": {"jobs": [{"name": "j", "schedule": "@daily", "command": ["j"]}]},
}


def taken(model: type[BaseModel], *path: int | str) -> Iterator[tuple[Path, str, FieldInfo]]:
    """What a model takes: where each option is, those of lists in the first item, and its name in Python."""
    for name, field in model.model_fields.items():
        place = (*path, field.alias or name)
        yield place, name, field
        if inner := nested(field):
            yield from taken(inner, *place, *([0] if get_origin(field.annotation) is list else []))


TAKEN = list(taken(Settings))


def room(place: Path) -> dict[str, Any]:
    """`BASE` with the map that has the option at ``place``, but without that."""
    config = copy.deepcopy(dict(BASE))
    if place[0] == "sites" and len(place) > 3:
        config["sites"][0] |= copy.deepcopy(OF_A_SITE.get(str(place[2]), {}))
    return config


def with_option(place: Path, value: object) -> dict[str, Any]:
    """`room` with an option that is in none of its maps."""
    config = room(place)
    inner: Any = config
    for part in place[:-1]:
        inner = inner.setdefault(part, {}) if isinstance(inner, dict) else inner[part]
    assert place[-1] not in inner
    inner[place[-1]] = value
    return config


def documented() -> Iterator[tuple[Path, object]]:
    """Yield each option that is no map with its default, where that is a value, or made of other ones."""
    for place, _, field in TAKEN:
        text = default_text(field)
        if text is None and isinstance(field.default, str | int) and not nested(field):
            yield place, field.default
        elif text and "<" in text and " " not in text:
            names = {"sites": "a", "charts": "c"}
            yield place, text.replace(DOMAIN, "localhost").replace("<name>", names.get(str(place[0]), ""))


DOCUMENTED = list(documented())


def test_they_are_of_today() -> None:
    assert updated(SCHEMA.read_text()) == SCHEMA.read_text(), "run .venv/bin/python -m docs.configuration"
    assert page() == PAGE.read_text(), "run .venv/bin/python -m docs.configuration"


def test_each_option_says_what_it_is_and_what_is_allowed() -> None:
    assert [option.path for option in options(Settings) if not option.what] == []
    assert [option.path for option in options(Settings) if option.allowed in ("a text", "a map")] == [
        ("kubeconfig",),
        ("context",),
    ]


def test_no_cell_of_the_tables_is_a_wall_of_text() -> None:
    assert max(len(cell) for line in page().splitlines() if line.startswith("|") for cell in line.split("|")) < 270


def test_pulumi_takes_the_types() -> None:
    kinds = {"string": str, "array": list, "object": dict}
    for key, entry in schema().items():
        # Source: configTypeDeclaration in sdk/go/common/workspace/project.json of Pulumi.
        assert entry.keys() <= {"type", "items", "description", "default"}, key
        if key == "sites":  # of which any may be null
            assert not {"type", "items"} & entry.keys()
            continue
        assert isinstance(entry["default"], kinds[entry["type"]]), key
        assert ("items" in entry) is (entry["type"] == "array"), key


def test_the_defaults_that_pulumi_hands_over_are_those_of_the_settings() -> None:
    assert load({key: entry["default"] for key, entry in schema().items()} | {"kubeconfig": KUBECONFIG}) == load({})


def test_an_addon_is_by_default_what_its_row_says() -> None:
    switches = {option.path[1]: option.default for option in options(Settings) if option.path[:-1] == ("addons",)}
    assert switches.keys() == {addon.name for addon in ADDONS}
    for name, default in switches.items():
        assert load({"addons": {name: default if default == "auto" else json.loads(default)}}) == load({}), name


@pytest.mark.parametrize(("place", "default"), DOCUMENTED, ids=lambda value: str(value))
def test_a_default_that_is_given_changes_nothing(place: Path, default: object) -> None:
    assert load(with_option(place, default)) == load(room(place))


def test_many_options_have_such_a_default() -> None:
    assert len(DOCUMENTED) > len(TAKEN) / 3


@pytest.mark.parametrize(("place", "name"), [(place, name) for place, name, _ in TAKEN if place[-1] != name])
def test_the_name_of_an_option_in_python_is_none_in_the_configuration(place: Path, name: str) -> None:
    own = (*place[:-1], name)
    [line] = problems(with_option(own, True))
    assert line.startswith(f"{dotted(own)}: unknown key; did you mean {place[-1]}? allowed: ")
