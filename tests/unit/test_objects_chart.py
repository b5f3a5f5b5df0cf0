"""A chart as an addon, as data: what it asks Pulumi for, and that it's pinned."""

from typing import Any

import pytest

from components.addons.chart import ChartAddon, ChartAddonArgs, unpinned
from tests.graph.recorder import Cloud, Recording, record


def registered(args: ChartAddonArgs) -> Recording:
    """What a component with the arguments registers."""

    def program() -> None:
        ChartAddon("blog", args)

    return record(program, Cloud(preview=False))


def test_a_chart_of_a_repository() -> None:
    found = registered(
        {
            "chart": "wordpress",
            "version": "1.2.3",
            "repository": "https://charts.example.com",
            "namespace": "blog",
            "values": {"replicas": 2},
        }
    )
    chart = found.find("Chart", "blog-chart")
    home = found.find("Namespace", "blog-namespace")
    addon = found.find("ChartAddon", "blog")
    assert {chart.parent, home.parent} == {addon.urn}
    assert chart.property_dependencies["namespace"] == {home.urn}
    assert found.outputs[addon.urn] == {"namespace": "blog"}
    assert chart.inputs == {
        "name": "blog",
        "chart": "wordpress",
        "version": "1.2.3",
        "repositoryOpts": {"repo": "https://charts.example.com"},
        "namespace": "blog",
        "values": {"replicas": 2},
        "skipCrds": False,
    }


def test_a_folder_needs_nothing_else() -> None:
    found = registered({"chart": "charts/blog", "namespace": "blog", "crds": False})
    inputs = {"name": "blog", "chart": "charts/blog", "namespace": "blog", "skipCrds": True}
    assert found.find("Chart", "blog-chart").inputs == inputs


@pytest.mark.parametrize("level", ["restricted", "baseline", "privileged"])
def test_its_namespace_has_a_pod_security_standard(level: Any) -> None:
    args: ChartAddonArgs = {"chart": "charts/blog", "namespace": "web"}
    found = registered(args if level == "restricted" else {**args, "pod_security": level})
    metadata = found.find("Namespace", "blog-namespace").inputs["metadata"]
    assert metadata["name"] == "web"
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == level


@pytest.mark.parametrize(
    ("chart", "version", "repository"),
    [
        ("charts/blog", None, None),
        ("charts/blog-1.2.3.tgz", None, None),
        ("blog", "1.2.3", "https://charts.example.com"),
        ("blog", "v1.2.3-rc.1+build.5", "https://charts.example.com"),
        ("oci://ghcr.io/charts/blog", "1.2.3", None),
    ],
)
def test_pinned(chart: str, version: str | None, repository: str | None) -> None:
    assert unpinned(chart, version, repository) is None


@pytest.mark.parametrize(
    ("chart", "version", "repository"),
    [
        ("blog", None, "https://charts.example.com"),
        ("oci://ghcr.io/charts/blog", None, None),
        ("https://charts.example.com/blog.tgz", None, None),
    ],
)
def test_a_version_is_needed(chart: str, version: str | None, repository: str | None) -> None:
    assert unpinned(chart, version, repository) == f"{chart} needs a version: the newest one isn't the same for ever"


@pytest.mark.parametrize(
    "version", ["1", "1.2", "^1.2.3", ">=1.0.0", "1.x.x", "latest", "~1.2.3", "1.2.3 || 2.0.0", ""]
)
def test_a_range_is_no_version(version: str) -> None:
    assert unpinned("blog", version, "https://charts.example.com") == (
        f"version {version!r} of blog isn't exact: write one such as 1.2.3, without a range"
    )


def test_the_component_refuses_what_isnt_pinned() -> None:
    with pytest.raises(ValueError, match=r"^chart blog: wordpress needs a version: "):
        ChartAddon("blog", {"chart": "wordpress", "repository": "https://charts.example.com", "namespace": "blog"})
