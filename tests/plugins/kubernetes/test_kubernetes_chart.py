"""Helm charts, with the real engine, the real Helm and a real API server."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.plugins.kubernetes.charts import CONFIG, HOOK, definition, served, write_chart
from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject

CHART = """
from pulumi_kubernetes.helm.v4 import Chart
provider = K.Provider("k", enable_config_map_mutable=True)
web = Chart("web", opts=Options(provider=provider), **{{"chart": "./web", "namespace": NS, {arguments}}})
"""


def declare(project: KubernetesProject, arguments: str = "", more: str = "") -> None:
    project.declare(CHART.format(arguments=arguments), more)


def config(project: KubernetesProject, cluster: Cluster, name: str = "web-config") -> dict[str, str]:
    data: dict[str, str] = cluster.object("configmap", name, "-n", project.namespace)["data"]
    return data


@pytest.fixture
def chart(project: KubernetesProject, helm: Path) -> Path:
    """A chart beside the program."""
    project.variables["PATH"] = f"{helm.parent}{os.pathsep}{project.variables['PATH']}"
    return write_chart(project.folder / "web", {"config.yaml": CONFIG}, greeting="hello")


def test_a_folder_is_installed_upgraded_and_removed(
    project: KubernetesProject, cluster_access: Cluster, chart: Path
) -> None:
    declare(project)
    shown = project.preview()
    assert 'greeting: "hello"' in shown
    assert "4 to create" in shown
    project.up()
    assert config(project, cluster_access) == {"greeting": "hello"}
    project.assert_no_change()

    declare(project, '"values": {"greeting": "good day"}')
    shown = project.preview()
    assert re.search(r'~ greeting: "hello" => "good day"', shown)
    assert "1 to update" in shown
    project.up()
    assert config(project, cluster_access) == {"greeting": "good day"}

    write_chart(chart, {"other.yaml": CONFIG.replace("-config", "-other")}, version="2.0.0", greeting="hello")
    (chart / "templates" / "config.yaml").unlink()
    declare(project)
    shown = project.preview()
    assert "1 to create" in shown
    assert "1 to delete" in shown
    project.up()
    assert config(project, cluster_access, "web-other") == {"greeting": "hello"}
    assert not cluster_access.exists("configmap", "web-config", "-n", project.namespace)

    project.pulumi("destroy", "--yes")
    assert not cluster_access.exists("configmap", "web-other", "-n", project.namespace)
    assert project.resources() == []


def test_names_parents_and_outputs_are_those_of_the_official_plugin(project: KubernetesProject, chart: Path) -> None:
    write_chart(chart, {"crd.yaml": definition(f"{project.namespace}.test", "Thing")}, greeting="hello")
    declare(project, more='pulumi.export("names", web.resources.apply(lambda all: [each.metadata for each in all]))')
    project.up()
    urns = {each["urn"].rpartition("::")[2]: each for each in project.resources()}
    child = urns[f"web:{project.namespace}/web-config"]
    assert child["urn"].split("::")[2] == "kubernetes:helm.sh/v4:Chart$kubernetes:core/v1:ConfigMap"
    assert child["parent"] == urns["web"]["urn"]
    assert child["provider"].startswith(urns["k"]["urn"])
    assert f"web:things.{project.namespace}.test" in urns
    assert {each["urn"] for each in urns["web"]["outputs"]["resources"]} == {
        each["urn"] for each in urns.values() if each.get("parent") == urns["web"]["urn"]
    }
    names = {each["name"] for each in project.outputs()["names"]}
    assert names == {"web-config", f"things.{project.namespace}.test"}
    project.pulumi("destroy", "--yes")

    declare(project, '"resource_prefix": "mine", "name": "released"')
    shown = project.preview()
    assert f"::mine:{project.namespace}/released-config]" in shown
    assert f"::mine:things.{project.namespace}.test]" in shown


def test_a_repository_serves_pinned_versions(
    project: KubernetesProject, cluster_access: Cluster, chart: Path, tmp_path: Path
) -> None:
    first = write_chart(tmp_path / "1" / "shop", {"config.yaml": CONFIG}, version="1.0.0", greeting="one")
    second = write_chart(tmp_path / "2" / "shop", {"config.yaml": CONFIG}, version="2.0.0", greeting="two")
    with served(tmp_path / "repository", first, second) as url:
        wanted = '"chart": "shop", "repository_opts": {{"repo": "{}"}}, "version": "{}"'
        declare(project, wanted.format(url, "1.0.0"))
        project.up()
        assert config(project, cluster_access) == {"greeting": "one"}
        declare(project, wanted.format(url, "2.0.0"))
        assert re.search(r'~ greeting: "one" => "two"', project.preview())
        declare(project, wanted.format(url, "3.0.0"))
        assert 'chart shop: chart "shop" version "3.0.0" not found in' in project.preview(fails=True)
        declare(project, wanted.format(url, "1.0.0").replace("shop", "bakery"))
        assert 'chart bakery: chart "bakery" version "1.0.0" not found in' in project.preview(fails=True)
    unreachable = (
        r'chart bakery: looks like "http://127.0.0.1:\d+" is not a valid chart repository or cannot be reached'
    )
    assert re.search(unreachable, project.preview(fails=True))


def test_definitions_come_before_what_they_define(
    project: KubernetesProject, cluster_access: Cluster, chart: Path
) -> None:
    group = f"{project.namespace}.test"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: thing}}\n"
    other = f"apiVersion: {group}/v1\nkind: Wide\nmetadata: {{name: wide}}\n"
    crds = {"things.yaml": definition(group, "Thing"), "wides.yaml": definition(group, "Wide", "Cluster")}
    write_chart(chart, {"thing.yaml": thing, "wide.yaml": other}, crds=crds, greeting="hello")
    declare(project)
    project.preview()
    done = project.up()
    assert done.index(f"web:things.{group} created") < done.index(f"web:{project.namespace}/thing creating")
    # Not by name of the kind, which kubectl's discovery may learn later.
    cluster_access.kubectl("get", "--raw", f"/apis/{group}/v1/namespaces/{project.namespace}/things/thing")
    cluster_access.kubectl("get", "--raw", f"/apis/{group}/v1/wides/wide")
    project.assert_no_change()
    project.pulumi("destroy", "--yes")
    assert not cluster_access.exists("crd", f"things.{group}")


def test_definitions_can_be_left_out(project: KubernetesProject, chart: Path) -> None:
    write_chart(chart, {}, crds={"things.yaml": definition(f"{project.namespace}.test", "Thing")}, greeting="hello")
    declare(project, '"skip_crds": True')
    assert "CustomResourceDefinition" not in project.preview()


def test_a_kind_that_nobody_defines_is_named(project: KubernetesProject, chart: Path) -> None:
    write_chart(chart, {"t.yaml": "apiVersion: a.test/v1\nkind: Thing\nmetadata: {name: thing}"}, greeting="hello")
    declare(project)
    project.preview()  # what defines it may be made by the same program
    assert "chart ./web: the cluster has no kind Thing in a.test/v1: install what defines it" in project.up(fails=True)


def test_hooks_are_left_out_and_named(project: KubernetesProject, cluster_access: Cluster, chart: Path) -> None:
    write_chart(chart, {"hook.yaml": HOOK}, greeting="hello")
    declare(project)
    shown = project.up()
    assert (
        "hooks of the chart aren't run, as with the official plugin: ConfigMap migrate (pre-install,pre-upgrade)\n"
        in (shown)
    )
    assert not cluster_access.exists("configmap", "migrate", "-n", project.namespace)
    assert not cluster_access.exists("configmap", "check", "-n", project.namespace)
    project.variables["PULUMI_K8S_SUPPRESS_HELM_HOOK_WARNINGS"] = "true"
    assert "hooks of the chart" not in project.preview()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            '{{ fail "greeting must be polite" }}',
            "execution error at (web/templates/bad.yaml:1:3): greeting must be polite",
        ),
        (
            "{{ .Values.a.b.c }}",
            'web/templates/bad.yaml:1:10 executing "web/templates/bad.yaml" at <.Values.a.b.c>: nil',
        ),
        ("a: b: c", "YAML parse error on web/templates/bad.yaml: error converting YAML to JSON"),
        ("a: 1", "unable to build kubernetes objects from release manifest: unable to decode"),
    ],
)
def test_what_is_wrong_with_a_chart_is_said_on_one_line(
    project: KubernetesProject, chart: Path, template: str, message: str
) -> None:
    write_chart(chart, {"bad.yaml": template}, greeting="hello")
    declare(project)
    shown = project.preview(fails=True)
    [line] = {line.strip() for line in shown.splitlines() if "chart ./web: " in line}
    assert f"chart ./web: {message}" in line
    assert "--debug" not in shown
    assert "Traceback (most recent call last)" not in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('"chart": "nowhere"', "chart web: there is no folder or archive nowhere in "),
        (
            '"verify": True',
            "chart web: verify isn't supported by the embedded kubernetes plugin: verify the archive before",
        ),
        ('"post_renderer": {"command": "cat"}', "chart web: postRenderer isn't supported by the embedded kubernetes"),
        (
            '"repository_opts": {"repo": "http://127.0.0.1:1", "username": "me"}',
            "chart web: username isn't supported by the embedded kubernetes plugin: download the chart before",
        ),
    ],
)
def test_what_isnt_supported_is_refused_by_name(
    project: KubernetesProject, chart: Path, arguments: str, message: str
) -> None:
    declare(project, arguments)
    shown = project.preview(fails=True)
    assert message in shown
    assert "Traceback (most recent call last)" not in shown


def test_without_helm_the_way_to_get_it_is_told(
    project: KubernetesProject, chart: Path, variables: dict[str, str]
) -> None:
    declare(project)
    folders = project.variables["PATH"].split(":")
    project.variables["PATH"] = ":".join(folder for folder in folders if not (Path(folder) / "helm").exists())
    wanted = "there is no program helm on PATH: run script/up, which builds it where the configuration has charts, or "
    assert wanted in project.preview(fails=True)


def test_values_come_from_files_and_literals(project: KubernetesProject, cluster_access: Cluster, chart: Path) -> None:
    template = """
apiVersion: v1
kind: ConfigMap
metadata: {name: values}
data: {values: {{ .Values | toJson | quote }}}
"""
    write_chart(chart, {"config.yaml": template}, kept=1, removed=2, file=3, literal=4)
    project.write("values.yaml", "file: 30\nliteral: 40\nnested: {a: 1}\n")
    declare(
        project,
        '"value_yaml_files": [pulumi.FileAsset("values.yaml"), pulumi.StringAsset("nested: {b: 2}")], '
        '"values": {"literal": 400, "text": pulumi.StringAsset("some"), "list": [1, 1.5, True], "removed": None}',
    )
    project.up()
    assert json.loads(config(project, cluster_access, "values")["values"]) == {
        "kept": 1,
        "file": 30,
        "literal": 400,
        "nested": {"a": 1, "b": 2},
        "text": "some",
        "list": [1, 1.5, True],
    }


def test_dependencies_are_fetched_where_that_is_asked_for(
    project: KubernetesProject, cluster_access: Cluster, chart: Path, tmp_path: Path
) -> None:
    part = write_chart(tmp_path / "part", {"config.yaml": CONFIG.replace("-config", "-part")}, greeting="from the part")
    with (chart / "Chart.yaml").open("a") as file:
        file.write(f"dependencies: [{{name: part, version: 1.0.0, repository: 'file://{part}'}}]\n")
    declare(project)
    assert "missing in charts/ directory: part" in project.preview(fails=True)
    declare(project, '"dependency_update": True')
    project.up()
    assert config(project, cluster_access, "web-part") == {"greeting": "from the part"}
    assert config(project, cluster_access) == {"greeting": "hello"}


def test_templates_see_the_cluster(project: KubernetesProject, cluster_access: Cluster, chart: Path) -> None:
    template = """
{{- $before := lookup "v1" "ConfigMap" .Release.Namespace "generated" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: generated}
data:
  password: {{ (default dict $before.data).password | default (randAlphaNum 20) }}
  version: {{ .Capabilities.KubeVersion.Version }}
  definitions: {{ .Capabilities.APIVersions.Has "apiextensions.k8s.io/v1/CustomResourceDefinition" | quote }}
  others: {{ .Capabilities.APIVersions.Has "nobody.test/v1" | quote }}
"""
    write_chart(chart, {"config.yaml": template})
    declare(project)
    project.up()
    found = config(project, cluster_access, "generated")
    assert found["version"] == json.loads(cluster_access.kubectl("get", "--raw", "/version"))["gitVersion"]
    assert (found["definitions"], found["others"]) == ("true", "false")
    project.assert_no_change()


def test_secret_values_stay_secret(project: KubernetesProject, cluster_access: Cluster, chart: Path) -> None:
    template = """
apiVersion: v1
kind: Secret
metadata: {name: generated}
stringData: {random: {{ randAlphaNum 8 | quote }}, fixed: not-from-values}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: connection}
data: {url: "postgres://me:{{ .Values.password }}@db", user: me}
"""
    write_chart(chart, {"config.yaml": template}, greeting="hello")
    declare(project, '"values": {"password": pulumi.Output.secret("hunter22")}')
    shown = project.preview() + project.up()
    assert "hunter22" not in shown
    assert "not-from-values" not in shown
    assert config(project, cluster_access, "connection") == {"url": "postgres://me:hunter22@db", "user": "me"}
    state = project.pulumi("stack", "export")
    assert "hunter22" not in state
    assert "not-from-values" not in state

    write_chart(chart, {"config.yaml": '{{ fail (printf "bad password %s" .Values.password) }}'})
    assert "bad password [secret]" in project.preview(fails=True)


def test_a_value_that_isnt_known_yet_leaves_the_objects_out_of_the_preview(
    project: KubernetesProject, cluster_access: Cluster, chart: Path
) -> None:
    more = """
    first = K.core.v1.ConfigMap("first", metadata=named("first"), data={}, opts=Options(provider=provider))
    Chart("later", chart="./web", namespace=NS, values={"greeting": first.id},
          opts=Options(provider=provider))
    """
    declare(project, more=more)
    shown = project.preview()
    assert "its objects aren't in this preview: values isn't known yet" in shown
    assert "later-config" not in shown
    project.up()
    assert config(project, cluster_access, "later-config") == {"greeting": f"{project.namespace}/first"}


def test_drift_is_shown_and_repaired(project: KubernetesProject, cluster_access: Cluster, chart: Path) -> None:
    declare(project)
    project.up()
    assert not re.search(r"\d+ (updated|deleted)", project.refresh())
    patch = '{"data": {"greeting": "by hand"}}'
    cluster_access.kubectl("patch", "cm", "web-config", "-n", project.namespace, "--type", "merge", "-p", patch)
    assert 'greeting: "hello" => "by hand"' in project.refresh()
    project.up()
    assert config(project, cluster_access) == {"greeting": "hello"}


def test_what_a_chart_keeps_outlives_it(project: KubernetesProject, cluster_access: Cluster, chart: Path) -> None:
    kept = CONFIG.replace("pulumi.com/patchForce", "helm.sh/resource-policy").replace('"true"', "keep")
    write_chart(chart, {"config.yaml": kept}, greeting="hello")
    declare(project)
    project.up()
    project.pulumi("destroy", "--yes")
    assert cluster_access.exists("configmap", "web-config", "-n", project.namespace)


def test_objects_that_arent_waited_for(project: KubernetesProject, chart: Path) -> None:
    deployment = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, annotations: }
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {schedulerName: nobody, containers: [{name: app, image: nowhere/app:1}]}
"""
    write_chart(chart, {"app.yaml": deployment}, greeting="hello")
    declare(project, '"skip_await": True')
    project.up()
    assert project.resource(f"web:{project.namespace}/app")["outputs"]["metadata"]["annotations"] == {
        "pulumi.com/skipAwait": "true"
    }


def test_a_chart_comes_after_and_goes_before_what_it_is_given(
    project: KubernetesProject, cluster_access: Cluster, chart: Path
) -> None:
    name = f"{project.namespace}-own"
    declare(
        project,
        f'''"namespace": K.core.v1.Namespace(
            "ns", metadata={{"name": "{name}"}}, opts=Options(provider=provider)).metadata["name"]''',
    )
    assert f"web:{name}/web-config" in project.preview()
    done = project.up()
    assert done.index(" ns created") < done.index(f"web:{name}/web-config creating")
    gone = project.pulumi("destroy", "--yes", "--skip-preview")
    assert gone.index(f"web:{name}/web-config deleted") < gone.index(" ns deleting")


def test_nothing_of_the_users_helm_is_read_or_written(project: KubernetesProject, chart: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config" / "helm").mkdir(parents=True)
    (home / ".config" / "helm" / "repositories.yaml").write_text("not: [a repository file")
    project.variables |= {"HOME": str(home), "HELM_KUBEAPISERVER": "https://127.0.0.1:1", "TMPDIR": str(tmp_path)}
    declare(project)
    project.preview()
    assert [path for path in home.rglob("*helm*") if path.name != "helm"] == []
    assert not (home / ".cache" / "helm").exists()
    assert list(tmp_path.glob("pulumi-kubernetes-*")) == []
