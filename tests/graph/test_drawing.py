"""The drawn dependency graph: docs/graph.svg, and how it is made."""

import json
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
import yaml

from docs.graph import __main__ as command
from docs.graph.model import STACK, graph
from docs.graph.recorded import Resource
from docs.graph.svg import COLOURS, described, drawn
from tests.graph.recorder import PROJECT, run

OUT_OF_DATE = """{} isn't what the program registers. After a `pulumi up` of the stack `dev` (script/up), draw it again:
    eval "$(script/env)"; .venv/bin/python -m docs.graph --stack dev"""
URN = "urn:pulumi:test::inspiration::"


@pytest.fixture(scope="module")
def resources() -> list[Resource]:
    """What the program registers for the stack `dev`."""
    config = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())["config"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        recording = run({key.removeprefix("inspiration:"): value for key, value in config.items()})
    return [
        Resource(each.urn, each.type, each.parent, each.dependencies, each.property_dependencies, each.provider)
        for each in recording.resources.values()
    ]


@pytest.fixture(scope="module")
def picture(resources: list[Resource]) -> Element:
    return fromstring(drawn(graph(resources)))


def elements(picture: Element, name: str) -> Iterable[Element]:
    return picture.iter(f"{{http://www.w3.org/2000/svg}}{name}")


def closure(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while more := {(a, d) for a, b in edges for c, d in edges if b == c} - edges:
        edges = edges | more
    return edges


@pytest.mark.parametrize("file", command.PICTURES, ids=lambda file: file.parent.name)
def test_the_picture_is_up_to_date(resources: list[Resource], file: Path) -> None:
    current = drawn(graph(resources))
    assert file.read_text(encoding="utf-8") == current, OUT_OF_DATE.format(file.relative_to(PROJECT))


def test_every_resource_is_drawn_within_its_component(resources: list[Resource], picture: Element) -> None:
    within = {
        (box.get("id"), row.get("id"))
        for box in picture
        if box.tag.endswith("}g")
        for row in box
        if row.tag.endswith("}g")
    }
    by_urn = {each.urn: each for each in resources}
    components = {urn for urn, each in by_urn.items() if each.type.startswith("inspiration:")}

    def name(urn: str) -> str:
        return f"{by_urn[urn].type}::{by_urn[urn].name}"

    assert {(box, row) for box, row in within if not str(box).endswith("::box")} == {
        (name(each.parent), name(urn)) for urn, each in by_urn.items() if each.parent in components - {urn}
        if urn not in components
    }  # fmt: skip
    drawn_rows = {row for _, row in within}
    assert drawn_rows == {
        name(urn) for urn, each in by_urn.items() if urn not in components and each.type != STACK
    }  # fmt: skip


def test_what_is_drawn_implies_all_that_is_recorded_and_no_more(resources: list[Resource], picture: Element) -> None:
    names = {each.urn: f"{each.type}::{each.name}" for each in resources}
    recorded = {(names[before], names[each.urn]) for each in resources for before in each.dependencies}
    edges = [line for line in elements(picture, "path") if line.get("data-kind") in {"data", "order"}]
    shown = {(str(line.get("data-from")), str(line.get("data-to"))) for line in edges}
    assert closure(shown) == closure(recorded)
    assert len(shown) == len(edges)
    assert not [edge for edge in shown if edge in closure(shown - {edge})]


def test_an_edge_by_data_is_told_from_one_by_depends_on(picture: Element) -> None:
    kinds = {
        (str(line.get("data-from")).rpartition("::")[2], str(line.get("data-to")).rpartition("::")[2]): line
        for line in elements(picture, "path")
        if line.get("data-kind")
    }
    data, order = (
        kinds["inspiration-docker", "inspiration-deployment"],
        kinds["registry-deployment", "registry-service"],
    )
    provider = kinds["cluster-kubernetes", "storage"]
    assert [line.get("data-kind") for line in (data, order, provider)] == ["data", "order", "provider"]
    assert data.get("stroke-dasharray") is None
    assert order.get("stroke-dasharray") != provider.get("stroke-dasharray")
    # Registry comes after Storage, which comes after the cluster's provider.
    assert ("cluster-kubernetes", "registry") not in kinds


def test_it_is_the_same_whatever_the_order_the_stack_and_the_ids(resources: list[Resource]) -> None:
    def elsewhere(urn: str) -> str:
        return urn.replace("urn:pulumi:test::inspiration::", "urn:pulumi:dev::else::").replace(f"{STACK}$", "")

    other = [
        Resource(
            elsewhere(each.urn),
            each.type,
            elsewhere(each.parent),
            frozenset(map(elsewhere, each.dependencies)),
            {name: frozenset(map(elsewhere, urns)) for name, urns in each.property_dependencies.items()},
            f"{elsewhere(each.provider)}-another-id" if each.provider else "",
        )
        for each in resources
    ]
    random.Random(1).shuffle(other)
    assert drawn(graph(other)) == drawn(graph(resources))


def test_it_says_in_words_what_it_shows(resources: list[Resource], picture: Element) -> None:
    labelled = str(picture.get("aria-labelledby")).split()
    texts = {each.get("id"): each.text or "" for each in (*elements(picture, "title"), *elements(picture, "desc"))}
    assert picture.get("role") == "img"
    assert all(texts[each] for each in labelled)
    assert "Registry comes after Storage." in described(graph(resources))


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1. Source: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("night", [False, True], ids=["day", "night"])
@pytest.mark.parametrize(
    ("front", "least"), [("ink", 4.5), ("muted", 4.5), ("edge", 3), ("data", 3), ("order", 3), ("provider", 3)]
)
def test_contrast_reaches_wcag_aa(front: str, least: float, night: bool) -> None:
    for back in ("paper", "frame", "head"):
        bright, dim = sorted((luminance(COLOURS[name][1 + night]) for name in (front, back)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= least, back


def test_it_has_its_colours_by_day_even_where_styles_are_forbidden(picture: Element) -> None:
    for each in picture.iter():
        if each.get("class"):
            what, day, _ = COLOURS[str(each.get("class"))]
            assert each.get(what) == day


def test_components_that_wait_for_each_other_are_an_error() -> None:
    one, two = (Resource(f"{URN}C::{name}", f"inspiration:index:{name}", STACK) for name in ("One", "Two"))
    first = Resource(f"{URN}a:b:R::first", "a:b:R", one.urn)
    second = Resource(f"{URN}a:b:R::second", "a:b:R", two.urn, frozenset({first.urn}))
    third = Resource(f"{URN}a:b:R::third", "a:b:R", one.urn, frozenset({second.urn}))
    circle = "^these wait for each other: inspiration:index:One::One, inspiration:index:Two::Two$"
    with pytest.raises(ValueError, match=circle):
        drawn(graph([one, two, first, second, third]))


def test_resources_that_would_look_the_same_are_an_error() -> None:
    one = Resource(f"{URN}a:b:R::same", "a:b:R")
    other = replace(one, urn=f"{URN}c:d:C$a:b:R::same")
    with pytest.raises(ValueError, match=r"^a:b:R::same: two resources have this type and name"):
        graph([one, other])


def state(name: str, **more: object) -> dict[str, object]:
    return {"urn": f"{URN}a:b:R::{name}", "type": "a:b:R", "parent": f"{URN}{STACK}::s", **more}


def test_of_an_export_only_the_graph_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = [
        {"urn": f"{URN}{STACK}::s", "type": STACK, "outputs": {"password": "hidden"}},
        state("one", inputs={"password": {"ciphertext": "hidden"}}),
        state("one", delete=True),
        state("two:: of two", dependencies=[f"{URN}a:b:R::one"], propertyDependencies={"x": None}, provider=""),
    ]
    export = tmp_path / "export.json"
    export.write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}))
    pictures = (tmp_path / "one.svg", tmp_path / "two.svg")
    monkeypatch.setattr(command, "PICTURES", pictures)
    monkeypatch.setattr("sys.argv", ["docs.graph", "--file", str(export)])
    assert command.main() == 0
    one, two = (file.read_text() for file in pictures)
    assert one == two
    assert "hidden" not in one
    edges = [line.attrib for line in elements(fromstring(one), "path") if line.get("data-kind")]
    assert [(edge["data-from"], edge["data-to"], edge["data-kind"]) for edge in edges] == [
        ("a:b:R::one", "a:b:R::two:: of two", "order")
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{}", "no resources in it; it should be what `pulumi stack export` wrote after a `pulumi up`"),
        ('{"deployment": {}}', "no resources in it; it should be what `pulumi stack export` wrote after a `pulumi up`"),
        ("", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_what_is_no_export_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, error: str
) -> None:
    export = tmp_path / "export.json"
    export.write_text(text)
    monkeypatch.setattr(command, "PICTURES", (tmp_path / "graph.svg",))
    monkeypatch.setattr("sys.argv", ["docs.graph", "--file", str(export)])
    assert command.main() == 1
    assert capsys.readouterr().err == f"error: {export}: {error}\n"
    assert not (tmp_path / "graph.svg").exists()


def test_a_missing_pulumi_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", ["docs.graph"])
    assert command.main() == 1
    missing = 'there is no pulumi on PATH; for that of the embedded default: eval "$(script/env)"'
    assert capsys.readouterr().err == f"error: pulumi stack export: {missing}\n"
