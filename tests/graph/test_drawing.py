"""The drawn dependency graph: docs/graph.svg, and what Graphviz is told for it."""

import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest

from docs import graph
from docs.graph import COLOURS, COMPONENT, PICTURES, STACK, dot, mark
from tests.graph.export import export
from tests.graph.recorder import PROJECT

OUT_OF_DATE = """{} isn't what the program registers. Draw it again:
    .venv/bin/python -m tests.graph.export | .venv/bin/python -m docs.graph"""
URN = "urn:pulumi:test::inspiration::"
State = dict[str, Any]


@pytest.fixture(scope="module")
def states(project: None) -> list[State]:
    """What the engine would record of the stack `dev`."""
    return list(export()["deployment"]["resources"])


@pytest.fixture(scope="module")
def picture() -> Element:
    return fromstring(PICTURES[0].read_text(encoding="utf-8"))


def drawn(picture: Element, kind: str) -> Iterator[tuple[str, Element]]:
    """The nodes, the edges or the clusters in a drawing, each with its title."""
    for each in picture.iterfind(".//{*}g"):
        if str(each.get("class")).split()[0] == kind:
            yield each.findtext("{*}title", ""), each


def edges(picture: Element, *kinds: str) -> dict[tuple[str, str], Element]:
    found = {}
    for title, each in drawn(picture, "edge"):
        if str(each.get("class")).split()[1] in kinds:
            before, _, after = title.partition("->")
            found[before, after] = each
    return found


def name(urn: str) -> str:
    *_, kinds, name = urn.split("::", 3)
    return f"{kinds.rpartition('$')[2]}::{name}"


def closure(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while more := {(a, d) for a, b in edges for c, d in edges if b == c} - edges:
        edges = edges | more
    return edges


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.parent.name)
def test_the_picture_is_up_to_date(states: list[State], file: Path) -> None:
    assert mark(dot(states)) in file.read_text(encoding="utf-8"), OUT_OF_DATE.format(file.relative_to(PROJECT))


def test_the_pictures_are_the_same() -> None:
    one, other = (file.read_bytes() for file in PICTURES)
    assert one == other


def test_every_resource_is_drawn_within_its_component(states: list[State], picture: Element) -> None:
    def numbers(each: Element | None, *attributes: str) -> list[float]:
        assert each is not None
        return [float(number) for key in attributes for number in re.findall(r"-?[\d.]+", each.get(key, ""))]

    frames = {}
    for title, each in drawn(picture, "cluster"):
        corners = numbers(each.find("{*}path"), "d")
        frames[title.removeprefix("cluster ")] = (corners[::2], corners[1::2])
    within = set()
    for title, each in drawn(picture, "node"):
        x, y = numbers(each.find("{*}text"), "x", "y")
        around = [box for box, (xs, ys) in frames.items() if min(xs) < x < max(xs) and min(ys) < y < max(ys)]
        within.add((title, *around))

    components = {each["urn"] for each in states if each["type"].startswith(COMPONENT)}
    assert within == {
        (name(each["urn"]), name(each["parent" if each["parent"] in components else "urn"]))
        for each in states if each["urn"] not in components and each["type"] != STACK
    }  # fmt: skip


def test_what_is_drawn_implies_all_that_is_recorded_and_no_more(states: list[State], picture: Element) -> None:
    recorded = {(name(before), name(each["urn"])) for each in states for before in each["dependencies"]}
    shown = {*edges(picture, "data", "order")}
    assert closure(shown) == closure(recorded)
    assert not [edge for edge in shown if edge in closure(shown - {edge})]


def test_an_edge_by_data_is_told_from_one_by_depends_on(picture: Element) -> None:
    def looks(kind: str, before: str, after: str) -> tuple[str | None, str | None]:
        [line] = [
            each.find("{*}path") for ends, each in edges(picture, kind).items()
            if (ends[0].rpartition("::")[2], ends[1].rpartition("::")[2]) == (before, after)
        ]  # fmt: skip
        assert line is not None
        return line.get("stroke"), line.get("stroke-dasharray")

    data = looks("data", "inspiration-docker", "inspiration-deployment")
    order = looks("order", "registry-deployment", "registry-service")
    [provider] = {
        (line.get("stroke"), line.get("stroke-dasharray"))
        for each in edges(picture, "provider").values() for line in each.iterfind("{*}path")
    }  # fmt: skip
    for one, other in zip(data, order, strict=True):
        assert one != other
    assert provider[1] not in {data[1], order[1]}


def test_the_legend_has_each_kind_of_edge(picture: Element) -> None:
    words = "".join(picture.itertext())
    assert [meaning for _, _, meaning in graph.LOOKS.values() if meaning not in words] == []


def test_it_is_the_same_whatever_the_order_the_stack_and_the_ids(states: list[State]) -> None:
    elsewhere = json.loads(
        json.dumps(states).replace("urn:pulumi:test::inspiration::", "urn:pulumi:dev::else::").replace(f"{STACK}$", "")
    )
    for each in elsewhere:
        each["provider"] = each["provider"] and f"{each['provider']}-another-id"
    random.Random(1).shuffle(elsewhere)
    assert dot(elsewhere) == dot(states)


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1. Source: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("night", [False, True], ids=["day", "night"])
@pytest.mark.parametrize(("front", "least"), [("ink", 4.5), ("muted", 4.5), ("data", 3), ("order", 3), ("provider", 3)])
def test_contrast_reaches_wcag_aa(front: str, least: float, night: bool) -> None:
    for back in ("paper", "component"):
        bright, dim = sorted((luminance(COLOURS[name][night]) for name in (front, back)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= least, back


def test_every_colour_has_one_by_night(picture: Element) -> None:
    style = picture.findtext("{*}style", "")
    used = {(what, each.get(what)) for each in picture.iter() for what in ("fill", "stroke")}
    assert [
        (what, colour) for what, colour in sorted(used, key=str)
        if colour not in {None, "none", "transparent"} and f'[{what}="{colour}"]{{{what}:#' not in style
    ] == []  # fmt: skip


def test_it_has_a_title(picture: Element) -> None:
    assert picture.get("role") == "img"
    assert picture.findtext("{*}g/{*}title") == graph.TITLE


def state(kind: str, name: str, parent: str = "", **more: object) -> State:
    return {"urn": f"{URN}{kind}::{name}", "type": kind, "parent": parent and f"{URN}{parent}", **more}


def test_a_provider_leads_to_a_component_that_comes_after_it_in_no_other_way() -> None:
    provider = {"provider": f"{URN}pulumi:providers:p::p::id"}
    text = dot([
        state("pulumi:providers:p", "p"),
        state(f"{COMPONENT}A", "a"),
        state("a:b:R", "a-r", f"{COMPONENT}A::a", **provider),
        state("a:b:R", "a-s", f"{COMPONENT}A::a", **provider),
        state(f"{COMPONENT}B", "b"),
        state("a:b:R", "b-r", f"{COMPONENT}B::b", **provider, dependencies=[f"{URN}{COMPONENT}A::a"]),
        state("a:b:R", "b-s", f"{COMPONENT}B::b", **provider),
    ])  # fmt: skip
    shown = text[text.index("edge [class=data") :]
    assert re.findall(r'"(\S+)" -> "(\S+)"(?: \[lhead="(.+)"\])?$', shown, re.MULTILINE) == [
        ("a:b:R::a-r", "a:b:R::b-r", ""),
        ("a:b:R::a-s", "a:b:R::b-r", ""),
        ("pulumi:providers:p::p", "a:b:R::a-r", f"cluster {COMPONENT}A::a"),
    ]


def test_what_has_the_type_of_another_has_its_name_too() -> None:
    text = dot([
        state(f"{COMPONENT}Site", "one"),
        state(f"{COMPONENT}Site", "two"),
        state("a:b:R", "one-<r>", f"{COMPONENT}Site::one"),
        state("a:b:R", "one-s", f"{COMPONENT}Site::one"),
        state("a:b:R", "two-r", f"{COMPONENT}Site::two"),
    ])  # fmt: skip
    labels = [re.sub(r"<[^>]+>", "", label) for label in re.findall(r"\[label=<(.+?)>[\] ]", text)]
    assert labels[1:] == ["Site one", "R &lt;r&gt;", "R s", "Site two", "R"]


def run(monkeypatch: pytest.MonkeyPatch, text: str, *pictures: Path) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    monkeypatch.setattr(graph, "PICTURES", pictures)
    return graph.main()


def test_of_an_export_only_the_graph_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = [
        {"urn": f"{URN}{STACK}::s", "type": STACK, "outputs": {"password": "hidden"}},
        state("a:b:R", "one", inputs={"password": {"ciphertext": "hidden"}}),
        state("a:b:R", "one", delete=True),
        state("a:b:R", 'two:: of "two"', dependencies=[f"{URN}a:b:R::one"], propertyDependencies={"x": None}),
    ]
    monkeypatch.setattr(graph, "drawn", lambda text: text)
    pictures = (tmp_path / "one.svg", tmp_path / "two.svg")
    assert run(monkeypatch, json.dumps({"version": 3, "deployment": {"resources": resources}}), *pictures) == 0
    one, two = (file.read_text() for file in pictures)
    assert one == two
    assert "hidden" not in one
    assert '\n"a:b:R::one" -> "a:b:R::two:: of \\"two\\""\n' in one


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{}", "'deployment'"),
        ('{"deployment": null}', "'NoneType' object is not subscriptable"),
        ("", "Expecting value: line 1 column 1 (char 0)"),
        (
            json.dumps({"deployment": {"resources": [state("a:b:R", "r"), state("a:b:R", "r", "c:d:C::c")]}}),
            "two resources have the same type and name, a:b:R::r",
        ),
    ],
)
def test_what_is_no_export_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, error: str
) -> None:
    assert run(monkeypatch, text, tmp_path / "graph.svg") == 1
    prefix = "error: the standard input isn't what `pulumi stack export` writes of a stack: "
    assert capsys.readouterr().err == f"{prefix}{error}\n"
    assert not (tmp_path / "graph.svg").exists()


@pytest.mark.parametrize(
    ("npx", "error"), [(None, "[Errno 2] No such file or directory: 'npx'"), ("echo no network >&2", "it drew nothing")]
)
def test_that_graphviz_does_not_run_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    npx: str | None,
    error: str,
) -> None:
    if npx:
        (tmp_path / "npx").write_text(f"#!/bin/sh\n{npx}\n")
        (tmp_path / "npx").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(monkeypatch, json.dumps({"deployment": {"resources": []}}), tmp_path / "graph.svg") == 1
    said = capfd.readouterr().err.splitlines()
    assert said == [
        *(["no network"] if npx else []),
        f"error: Graphviz can't be run by npx, which comes with Node.js: {error}",
    ]
    assert not (tmp_path / "graph.svg").exists()
