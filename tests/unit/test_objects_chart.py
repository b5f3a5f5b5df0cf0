"""A chart of the configuration, as data: what it asks Pulumi for, and that it's pinned."""

from pathlib import Path
from typing import Any, get_args

import pulumi
import pytest

from components.chart import ChartAddon
from components.chart_objects import forced
from components.chart_options import ChartOptions, PodSecurity, unpinned
from tests.graph.recorder import Cloud, Recording, record

REMOTE = {"name": "blog", "chart": "wordpress", "version": "1.2.3", "repository": "https://charts.example.com"}


def registered(**options: Any) -> Recording:
    """What a component with the options registers."""

    def program() -> None:
        ChartAddon("blog", ChartOptions(**{**REMOTE, **options}))

    return record(program, Cloud(preview=False))


def test_a_chart_of_a_repository() -> None:
    found = registered(values={"replicas": 2}, namespace="web")
    chart = found.find("Chart", "blog-chart")
    home = found.find("Namespace", "blog-namespace")
    addon = found.find("ChartAddon", "blog")
    assert {chart.parent, home.parent} == {addon.urn}
    assert chart.property_dependencies["namespace"] == {home.urn}
    assert found.outputs[addon.urn] == {"namespace": "web"}
    assert chart.inputs == {
        "name": "blog",
        "chart": "wordpress",
        "version": "1.2.3",
        "repositoryOpts": {"repo": "https://charts.example.com"},
        "namespace": "web",
        "values": {"replicas": 2},
        "skipCrds": False,
    }


def test_a_folder_needs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blog").mkdir()
    (tmp_path / "blog" / "Chart.yaml").touch()
    found = registered(chart="blog", version=None, repository=None, crds=False)
    inputs = {"name": "blog", "chart": "blog", "namespace": "blog", "values": {}, "skipCrds": True}
    assert found.find("Chart", "blog-chart").inputs == inputs


def test_a_release_of_helms_is_asked_for_the_same() -> None:
    found = registered(values={"replicas": 2}, hooks=True)
    assert found.outputs[found.find("ChartAddon", "blog").urn] == {"namespace": "blog"}
    assert found.find("Release", "blog-chart").inputs == {
        **registered(values={"replicas": 2}).find("Chart", "blog-chart").inputs,
        "compat": "true",
        "maxHistory": 10,
        "resetValues": True,
    }


def transformed(**props: Any) -> dict[str, Any]:
    """What the transform of all objects makes of one."""
    args = pulumi.ResourceTransformArgs(True, f"kubernetes:core/v1:{props.get('kind')}", "x", props, OPTIONS)
    result = forced(args)
    return dict(result.props) if result else {}


OPTIONS = pulumi.ResourceOptions(retain_on_delete=True)


@pytest.mark.parametrize(
    ("metadata", "annotations"),
    [
        ({"name": "blog"}, {}),
        ({"name": "blog", "annotations": {"a": "b"}}, {"a": "b"}),
        ({"name": "blog", "annotations": {"pulumi.com/patchForce": "false"}}, {"pulumi.com/patchForce": "false"}),
    ],
)
def test_objects_are_taken_over(metadata: dict[str, Any], annotations: dict[str, str]) -> None:
    annotations = {"pulumi.com/patchForce": "true", **annotations}
    made = transformed(kind="ConfigMap", metadata=metadata, data={"a": "b"})
    assert made == {"kind": "ConfigMap", "metadata": {"name": "blog", "annotations": annotations}, "data": {"a": "b"}}


def test_a_claim_isnt_waited_for() -> None:
    made = transformed(kind="PersistentVolumeClaim", metadata={"name": "blog"})
    assert made["metadata"]["annotations"] == {"pulumi.com/patchForce": "true", "pulumi.com/skipAwait": "true"}


def test_the_chart_itself_stays_as_it_is() -> None:
    assert transformed(chart="wordpress") == {}


@pytest.mark.parametrize("level", get_args(PodSecurity))
def test_its_namespace_has_a_pod_security_standard(level: str) -> None:
    metadata = registered(pod_security=level).find("Namespace", "blog-namespace").inputs["metadata"]
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
