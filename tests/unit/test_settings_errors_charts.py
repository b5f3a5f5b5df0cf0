"""The line for everything that a Helm chart may not be."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_settings import load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_errors import problems

KEYS = "name, chart, version, repository, namespace, podSecurity, values, crds, hooks"
NAME = "1 to 53 lower-case letters, digits, hyphens, beginning with a letter, not ending in a hyphen"
CHART = "a folder of the project, the name of a chart, or a URL"
REPOSITORY = "the URL of a chart repository, https://…"
LOCAL = "is no chart inside the project (a folder with a Chart.yaml, or an archive)"
CORRECT = "correct it, or give the repository that has it"
REMOTE = {"chart": "oci://example.com/shop", "version": "1.2.3"}
SHOP = {"name": "shop", **REMOTE}


@pytest.fixture(autouse=True, scope="module")
def charts(project: Path) -> None:
    """A chart of the project, one elsewhere with a link to it, and a folder that is none."""
    elsewhere = project.parent / f"{project.name}-elsewhere"
    for folder in (project / "charts" / "shop", elsewhere):
        folder.mkdir(parents=True)
        (folder / "Chart.yaml").write_text("name: shop\nversion: 1.0.0\n")
    (project / "charts" / "out").symlink_to(elsewhere)
    (project / "charts" / "loop").symlink_to("loop")


ONE_CHART: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": ({**SHOP, "verison": "1"}, f".verison: unknown key; did you mean version? allowed: {KEYS}"),
    "no name": (REMOTE, f".name: missing; allowed: {NAME}"),
    "no chart": ({"name": "shop"}, f".chart: missing; allowed: {CHART}"),
    "a name with a capital": ({**SHOP, "name": "Shop"}, f'.name: "Shop" given; allowed: {NAME}'),
    "a name of 54 characters": ({**SHOP, "name": "a" * 54}, f'.name: "{"a" * 54}" given; allowed: {NAME}'),
    "an empty chart": ({"name": "shop", "chart": ""}, f'.chart: "" given; allowed: {CHART}'),
    "a repository with a password": (
        {"name": "shop", "chart": "shop", "version": "1.2.3", "repository": "https://me:hunter2@charts.example.com"},
        ".repository: has a user or a password in it, which would be shown; name one that asks for none",
    ),
    "a chart with a password": (
        {**SHOP, "chart": "oci://me:hunter2@example.com/shop"},
        ".chart: has a user or a password in it, which would be shown; name one that asks for none",
    ),
    "no version": (
        {"name": "shop", "chart": "shop", "repository": "https://charts.example.com"},
        ": shop needs a version: the newest one isn't the same for ever",
    ),
    "an empty version": (
        {**SHOP, "version": ""},
        ": version '' of oci://example.com/shop isn't exact: write one such as 1.2.3, without a range",
    ),
    "a range of versions": (
        {**SHOP, "version": "1.x"},
        ": version '1.x' of oci://example.com/shop isn't exact: write one such as 1.2.3, without a range",
    ),
    "a version that is a number": (
        {**SHOP, "version": 1.2},
        ".version: 1.2 given; allowed: an exact version, such as 1.21.2",
    ),
    "a URL that Helm can't read": (
        {**SHOP, "chart": "ftp://example.com/shop.tgz"},
        ': "ftp://example.com/shop.tgz" is no URL that Helm reads; allowed: oci://…, https://…',
    ),
    "a repository that is no URL": (
        {**SHOP, "chart": "shop", "repository": "stable"},
        f'.repository: "stable" given; allowed: {REPOSITORY}',
    ),
    "a repository and a URL": (
        {**SHOP, "repository": "https://charts.example.com"},
        ': "oci://example.com/shop" is a URL, and repository is given too; allowed: one of them',
    ),
    "a chart of a repository that is a folder too": (
        {**SHOP, "chart": "charts", "repository": "https://charts.example.com"},
        ': "charts" is in the project too, where Helm looks first; rename that',
    ),
    "a folder that isn't there": ({"name": "shop", "chart": "shop"}, f': "shop" {LOCAL}; {CORRECT}'),
    "a folder without Chart.yaml": ({"name": "shop", "chart": "charts"}, f': "charts" {LOCAL}; {CORRECT}'),
    "upwards": ({"name": "shop", "chart": "../shop"}, f': "../shop" {LOCAL}; {CORRECT}'),
    "absolute": ({"name": "shop", "chart": "/srv/shop"}, f': "/srv/shop" {LOCAL}; {CORRECT}'),
    "a link to itself": ({"name": "shop", "chart": "charts/loop"}, f': "charts/loop" {LOCAL}; {CORRECT}'),
    "a name that is too long for a folder": (
        {"name": "shop", "chart": "x" * 300},
        f": \"{'x' * 58}… can't be read: File name too long; {CORRECT}",
    ),
    "a namespace with a capital": (
        {**SHOP, "namespace": "Shop"},
        '.namespace: "Shop" given; allowed: the name of a namespace to make',
    ),
    "a namespace of an addon": (
        {**SHOP, "name": "dashboard"},
        '.namespace: "dashboard" is a namespace of the cluster; give the chart one of its own',
    ),
    "a namespace of the cluster": (
        {**SHOP, "namespace": "kube-system"},
        '.namespace: "kube-system" is a namespace of the cluster; give the chart one of its own',
    ),
    "the namespace of a site": (
        {**SHOP, "name": "inspiration"},
        ".namespace: inspiration is taken by inspiration:sites[0]; give one of them another one",
    ),
    "an unknown Pod Security Standard": (
        {**SHOP, "podSecurity": "strict"},
        '.podSecurity: "strict" given; allowed: a Pod Security Standard: privileged, baseline, restricted',
    ),
    "values that are a list": (
        {**SHOP, "values": []},
        ".values: [] given; allowed: a map of what differs from the chart's values.yaml",
    ),
    "crds that are a text": ({**SHOP, "crds": "no"}, '.crds: "no" given; allowed: true or false'),
    "hooks that are a text": ({**SHOP, "hooks": "yes"}, '.hooks: "yes" given; allowed: true or false'),
    "hooks, and a value that is null": (
        {**SHOP, "hooks": True, "values": {"any": [{"thing": None}]}},
        ": values have a null, which isn't passed on where hooks is true; name a value",
    ),
}


@pytest.mark.parametrize(("chart", "expected"), ONE_CHART.values(), ids=ONE_CHART)
def test_one_chart(chart: dict[str, Any], expected: str) -> None:
    assert problems({"charts": [chart]}) == [f"charts[0]{expected}"]


def test_a_link_out_of_the_project(project: Path) -> None:
    [line] = problems({"charts": [{"name": "shop", "chart": "charts/out"}]})
    assert line == (
        f'charts[0]: "charts/out" is a link that leads out of the project, to {project}-elsewhere; {CORRECT}'
    )


CHARTS: dict[str, tuple[Any, str]] = {
    "no list": ({}, f": {{}} given; allowed: a list of charts, each a map of {KEYS}"),
    "text in the list": (["shop"], f'[0]: "shop" given; allowed: a map of {KEYS}'),
    "two of one name": (
        [SHOP, SHOP],
        "[1].name: shop is taken by inspiration:charts[0]; give one of them another name",
    ),
    "two in one namespace": (
        [{**SHOP, "name": "a"}, {**SHOP, "name": "b", "namespace": "a"}],
        "[1].namespace: a is taken by inspiration:charts[0]; give one of them another one",
    ),
}


@pytest.mark.parametrize(("given", "expected"), CHARTS.values(), ids=CHARTS)
def test_the_list_of_charts(given: Any, expected: str) -> None:
    assert problems({"charts": given}) == [f"charts{expected}"]


def test_good_charts() -> None:
    given = [
        {"name": "a", "chart": "./charts/shop"},
        {"name": "b", "chart": "charts/shop", "version": "1.0.0", "namespace": "c"},
        {"name": "d", "chart": "shop", "repository": "https://charts.example.com", "version": "v1.2.3-rc.1"},
        {"name": "e", **REMOTE, "values": {"any": [{"thing": None}]}, "crds": False},
        {"name": "f", **REMOTE, "values": {"any": [{"thing": 1}]}, "hooks": True},
    ]
    charts = load({"charts": given}).charts
    assert [chart.namespace for chart in charts] == ["a", "c", "d", "e", "f"]
    assert [chart.hooks for chart in charts] == [False, False, False, False, True]
