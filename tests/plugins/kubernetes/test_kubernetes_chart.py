"""Helm charts as the component installs them, with the real engine, Pulumi's provider and a real API server."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.charts import CONFIG, HOOK, archive, definition, served, write_chart
from tests.conftest import PROJECT
from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject

PROGRAM = f"""
import sys
sys.path.insert(0, {str(PROJECT)!r})
from components.chart import ChartAddon
from components.chart_options import ChartOptions
provider = K.Provider("k", enable_config_map_mutable=True)
HOME = NS + "-chart"
def chart(values=None, **given):
    options = ChartOptions(**{{"name": "web", "chart": "./web", "namespace": HOME, **given}})
    return ChartAddon("web", options, values, opts=Options(providers=[provider]))
"""


class ChartProject(KubernetesProject):
    """A project with one chart in the folder ``web``."""

    cluster: Cluster

    @property
    def home(self) -> str:
        """The namespace of the chart."""
        return f"{self.namespace}-chart"

    @property
    def web(self) -> Path:
        return self.folder / "web"

    def install(self, arguments: str = "", more: str = "") -> None:
        """Write a program that installs the chart."""
        self.declare(PROGRAM, f"chart({arguments})\n", more)

    def config(self, name: str = "web-config") -> dict[str, str]:
        """What is in a ConfigMap of the chart."""
        data: dict[str, str] = self.cluster.object("configmap", name, "-n", self.home)["data"]
        return data

    def exists(self, *words: str) -> bool:
        """Whether an object of the chart is there."""
        return self.cluster.exists(*words, "-n", self.home)


@pytest.fixture
def project(
    tmp_path: Path, variables: dict[str, str], namespace: str, cluster_access: Cluster
) -> Iterator[ChartProject]:
    project = ChartProject(tmp_path / "project", variables, namespace=namespace)
    project.cluster = cluster_access
    write_chart(project.web, {"config.yaml": CONFIG}, greeting="hello")
    yield project
    cluster_access.kubectl("delete", "namespace", project.home, "--wait=false", "--ignore-not-found")


def test_a_folder_is_installed_upgraded_and_removed(project: ChartProject) -> None:
    project.install()
    shown = project.preview()
    assert 'greeting: "hello"' in shown
    assert "6 to create" in shown
    project.up()
    assert project.config() == {"greeting": "hello"}
    project.assert_no_change()

    project.install("values={'greeting': 'good day'}")
    shown = project.preview()
    assert re.search(r'~ greeting: "hello" => "good day"', shown)
    assert "1 to update" in shown
    project.up()
    assert project.config() == {"greeting": "good day"}

    write_chart(project.web, {"other.yaml": CONFIG.replace("-config", "-other")}, version="2.0.0", greeting="hello")
    (project.web / "templates" / "config.yaml").unlink()
    project.install()
    shown = project.preview()
    assert "1 to create" in shown
    assert "1 to delete" in shown
    project.up()
    assert project.config("web-other") == {"greeting": "hello"}
    assert not project.exists("configmap", "web-config")

    project.pulumi("destroy", "--yes")
    assert not project.exists("configmap", "web-other")
    assert project.resources() == []


def test_it_is_a_component_of_objects(project: ChartProject) -> None:
    write_chart(project.web, {"crd.yaml": definition(f"{project.namespace}.test", "Thing")}, greeting="hello")
    project.install()
    project.up()
    urns = {each["urn"].rpartition("::")[2]: each for each in project.resources()}
    child = urns[f"web-chart:{project.home}/web-config"]
    assert child["parent"] == urns["web-chart"]["urn"]
    assert child["provider"].startswith(urns["k"]["urn"])
    assert f"web-chart:things.{project.namespace}.test" in urns
    # So its state is the same wherever the chart comes from.
    assert "inputs" not in urns["web-chart"]
    project.pulumi("destroy", "--yes")


@pytest.mark.parametrize("hooks", [False, True])
@pytest.mark.parametrize("source", ["folder", "archive", "repository", "registry"])
def test_where_a_chart_comes_from(project: ChartProject, tmp_path: Path, source: str, hooks: bool) -> None:
    first = write_chart(project.folder / "1" / "shop", {"config.yaml": CONFIG}, version="1.0.0", greeting="one")
    second = write_chart(tmp_path / "2" / "shop", {"config.yaml": CONFIG}, version="2.0.0", greeting="two")
    with served(tmp_path / "repository", first, second) as host:
        arguments = {
            "folder": "chart='1/shop'",
            "archive": f"chart={archive(first, project.folder).name!r}",
            "repository": f"chart='shop', repository='http://{host}', version='1.0.0'",
            "registry": f"chart='oci://{host}/charts/shop', version='1.0.0'",
        }
        project.install(f"{arguments[source]}, hooks={hooks}")
        project.up()
        assert project.config() == {"greeting": "one"}
        project.assert_no_change()


@pytest.mark.parametrize("hooks", [False, True])
def test_a_chart_that_cant_be_had_is_named(project: ChartProject, tmp_path: Path, hooks: bool) -> None:
    def said(arguments: str) -> str:
        project.install(f"{arguments}, hooks={hooks}")
        shown = project.preview(fails=True)
        assert "Traceback (most recent call last)" not in shown
        return shown

    shop = write_chart(tmp_path / "shop", {"config.yaml": CONFIG}, version="1.0.0")
    with served(tmp_path / "repository", shop) as host:
        url = f"http://{host}"
        for name, version in ("shop", "3.0.0"), ("bakery", "1.0.0"):
            shown = said(f"chart='{name}', repository='{url}', version='{version}'")
            assert f'chart "{name}" version "{version}" not found in {url} repository' in shown
        assert "charts/bakery" in said(f"chart='oci://{host}/charts/bakery', version='1.0.0'")
    unreachable = f'looks like "{url}" is not a valid chart repository or cannot be reached'
    assert unreachable in said(f"chart='shop', repository='{url}', version='1.0.0'")


def test_definitions_come_before_what_they_define(project: ChartProject) -> None:
    group = f"{project.namespace}.test"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: thing}}\n"
    other = f"apiVersion: {group}/v1\nkind: Wide\nmetadata: {{name: wide}}\n"
    crds = {"things.yaml": definition(group, "Thing"), "wides.yaml": definition(group, "Wide", "Cluster")}
    write_chart(project.web, {"thing.yaml": thing, "wide.yaml": other}, crds=crds, greeting="hello")
    project.install()
    project.preview()
    done = project.up()
    assert done.index(f"web-chart:things.{group} created") < done.index(f"web-chart:{project.home}/thing creating")
    # Not by name of the kind, which kubectl's discovery may learn later.
    project.cluster.kubectl("get", "--raw", f"/apis/{group}/v1/namespaces/{project.home}/things/thing")
    project.cluster.kubectl("get", "--raw", f"/apis/{group}/v1/wides/wide")
    project.assert_no_change()
    project.pulumi("destroy", "--yes")
    assert not project.cluster.exists("crd", f"things.{group}")


@pytest.mark.parametrize("hooks", [False, True])
def test_definitions_can_be_left_out(project: ChartProject, hooks: bool) -> None:
    group = f"{project.namespace}.test"
    write_chart(project.web, {}, crds={"things.yaml": definition(group, "Thing")}, greeting="hello")
    project.install(f"crds=False, hooks={hooks}")
    project.up()
    assert not project.cluster.exists("crd", f"things.{group}")


def test_a_kind_that_nobody_defines_is_named(project: ChartProject) -> None:
    write_chart(
        project.web, {"t.yaml": "apiVersion: a.test/v1\nkind: Thing\nmetadata: {name: thing}"}, greeting="hello"
    )
    project.install()
    assert "a.test/v1" in project.preview(fails=True)


def test_one_definition_in_two_charts_is_one(project: ChartProject) -> None:
    crds = {"things.yaml": definition(f"{project.namespace}.test", "Thing")}
    write_chart(project.web, {}, crds=crds, greeting="hello")
    write_chart(project.web / "charts" / "part", {}, crds=crds)
    project.install()
    project.up()
    assert len([each for each in project.resources() if each["type"].endswith(":CustomResourceDefinition")]) == 1
    project.pulumi("destroy", "--yes")


def test_hooks_are_left_out_in_silence(project: ChartProject) -> None:
    write_chart(project.web, {"hook.yaml": HOOK}, greeting="hello")
    project.install()
    assert "hook" not in project.up()
    assert project.config() == {"greeting": "hello"}
    assert not project.exists("configmap", "migrate")


def test_a_release_runs_its_hooks(project: ChartProject) -> None:
    write_chart(project.web, {"hook.yaml": HOOK}, greeting="hello")
    project.install("hooks=True, values={'greeting': 'good day'}")
    assert "5 to create" in project.preview()
    project.up()
    assert project.config() == {"greeting": "good day"}
    assert project.exists("configmap", "migrate")
    assert not project.exists("configmap", "check")  # of `helm test`
    # What `helm list` shows.
    assert project.exists("secret", "sh.helm.release.v1.web.v1")
    assert {each["type"].rpartition(":")[2] for each in project.resources()} >= {"Release", "Namespace"}
    assert not [each for each in project.resources() if each["type"].endswith(":ConfigMap")]
    project.assert_no_change()

    # Without values any more, it has those of the chart again.
    project.cluster.kubectl("delete", "configmap", "migrate", "-n", project.home)
    project.install("hooks=True")
    assert '- greeting: "good day"' in project.preview()
    project.up()
    assert project.config() == {"greeting": "hello"}
    assert project.exists("configmap", "migrate")
    project.assert_no_change()

    # A chart of the same version is the same one, to a release: another text of a template is none to it.
    write_chart(project.web, {"config.yaml": CONFIG}, greeting="good evening")
    project.assert_no_change()
    write_chart(project.web, {"config.yaml": CONFIG}, version="1.0.1", greeting="good evening")
    assert '~ version: "1.0.0" => "1.0.1"' in project.preview()
    project.up()
    assert project.config() == {"greeting": "good evening"}

    project.pulumi("destroy", "--yes")
    assert not project.exists("configmap", "web-config")


def test_a_release_doesnt_take_the_objects_of_a_chart(project: ChartProject) -> None:
    project.install()
    project.up()
    project.install("hooks=True")
    assert "exists and cannot be imported into the current release" in project.up(fails=True)
    assert project.config() == {"greeting": "hello"}


def test_what_a_chart_keeps_outlives_it(project: ChartProject) -> None:
    kept = CONFIG.replace('-config"', '-kept", annotations: {helm.sh/resource-policy: keep}')
    write_chart(project.web, {"kept.yaml": kept}, greeting="hello")
    project.install()
    project.up()
    (project.web / "templates" / "kept.yaml").unlink()
    (project.web / "templates" / "config.yaml").unlink()
    project.up()
    assert project.exists("configmap", "web-kept")
    assert not project.exists("configmap", "web-config")


VALUES = """
apiVersion: v1
kind: ConfigMap
metadata: {name: values}
data: {values: {{ .Values | toJson | quote }}}
"""


@pytest.mark.parametrize(("hooks", "kept"), [(False, {}), (True, {"removed": 2})])
def test_values_are_helms(project: ChartProject, hooks: bool, kept: dict[str, Any]) -> None:
    """Null takes a default of the chart away, as Helm has it; to a release it isn't passed on."""
    write_chart(project.web, {"config.yaml": VALUES}, kept=1, removed=2, literal=4, nested={"a": 1})
    given = {"literal": 400, "list": [1, 1.5, True, "="], "large": 12345678901, "nested": {"b": 2}, "removed": None}
    project.install(f"hooks={hooks}, values={given}")
    project.up()
    assert json.loads(project.config("values")["values"]) == {
        "kept": 1,
        "literal": 400,
        "list": [1, 1.5, True, "="],
        "large": 12345678901,
        "nested": {"a": 1, "b": 2},
        **kept,
    }
    project.assert_no_change()


TOKENS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: tokens}
data:
  equals: =
  hash: 12e4567
  values: {{ .Values.list | toJson | quote }}
---
apiVersion: v1
kind: Pod
metadata: {name: tokens, annotations: {pulumi.com/skipAwait: "true"}}
spec:
  automountServiceAccountToken: false
  schedulerName: nobody
  containers: [{name: app, image: nowhere/app:1, args: [=, 12e4567]}]
"""


def test_what_yaml_readers_disagree_on_is_as_helm_has_it(project: ChartProject) -> None:
    write_chart(project.web, {"config.yaml": TOKENS})
    (project.web / "values.yaml").write_text("list: [=, 12e4567]\n")
    project.install("pod_security='privileged'")
    project.up()
    assert project.config("tokens") == {"equals": "=", "hash": "12e4567", "values": '["=","12e4567"]'}
    pod = project.cluster.object("pod", "tokens", "-n", project.home)
    assert pod["spec"]["containers"][0]["args"] == ["=", "12e4567"]
    project.assert_no_change()


LIST = """
apiVersion: v1
kind: ConfigMapList
items:
- {metadata: {name: one}, data: {a: b}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: two}, data: {a: b}}
"""


def test_items_of_a_list_name_their_kind(project: ChartProject) -> None:
    """A release, as ``helm install``, takes the list for what it says it is; for a chart, each item has to say it."""
    write_chart(project.web, {"config.yaml": LIST})
    project.install()
    assert 'Kubernetes resources require a kind and apiVersion: `{"data"' in project.preview(fails=True)
    project.install("hooks=True")
    project.up()
    assert project.config("one") == project.config("two") == {"a": "b"}
    project.pulumi("destroy", "--yes")

    named = LIST.replace("{metadata: {name: one}", "{apiVersion: v1, kind: ConfigMap, metadata: {name: one}")
    write_chart(project.web, {"config.yaml": named.replace("ConfigMapList", "List")})
    project.install()
    project.up()
    assert project.config("one") == project.config("two") == {"a": "b"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            '{{ fail "greeting must be polite" }}',
            "execution error at (web/templates/bad.yaml:1:3): greeting must be polite",
        ),
        (
            "{{ .Values.a.b.c }}",
            'template: web/templates/bad.yaml:1:10: executing "web/templates/bad.yaml" at <.Values',
        ),
        ("a: b: c", "YAML parse error on web/templates/bad.yaml: error converting YAML to JSON"),
        ("a: 1", "Kubernetes resources require a kind and apiVersion: `{"),
    ],
)
def test_what_is_wrong_with_a_chart_is_said(project: ChartProject, template: str, message: str) -> None:
    write_chart(project.web, {"bad.yaml": template}, greeting="hello")
    project.install()
    shown = project.preview(fails=True)
    assert f"resource 'web-chart' has a problem: {message}" in shown
    assert "Traceback (most recent call last)" not in shown


def test_templates_see_the_cluster(project: ChartProject) -> None:
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
    write_chart(project.web, {"config.yaml": template})
    project.install()
    project.up()
    found = project.config("generated")
    assert found["version"] == json.loads(project.cluster.kubectl("get", "--raw", "/version"))["gitVersion"]
    assert (found["definitions"], found["others"]) == ("true", "false")
    project.assert_no_change()


SECRETIVE = """
apiVersion: v1
kind: Secret
metadata: {name: stored}
stringData: {password: {{ .Values.password | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: connection, labels: {hash: "h{{ .Values.password | sha256sum | trunc 20 }}"}}
data: {url: "postgres://me:{{ .Values.password }}@db", encoded: "{{ .Values.password | b64enc }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, annotations: {checksum: {{ .Values.password | sha256sum }}}}
spec:
  replicas: 0
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}, annotations: {checksum: {{ .Values.password | sha256sum }}}}
    spec: {containers: [{name: app, image: nowhere/app:1, args: ["--password={{ .Values.password }}"]}]}
"""


@pytest.mark.parametrize("hooks", [False, True])
@pytest.mark.parametrize("values", ["Output.secret({{'password': {}}})", "{{'password': Output.secret({})}}"])
def test_secret_values_stay_secret(project: ChartProject, values: str, hooks: bool) -> None:
    def traces(password: str) -> list[str]:
        digest = hashlib.sha256(password.encode()).hexdigest()
        return [password, base64.b64encode(password.encode()).decode(), digest, digest[:20]]

    write_chart(project.web, {"config.yaml": SECRETIVE})
    said = ""
    for password in "hunter22", "correct-horse":
        given = values.format(repr(password)).replace("Output", "pulumi.Output")
        project.install(f"hooks={hooks}, pod_security='privileged', values={given}")
        said += project.preview() + project.up() + project.preview("--expect-no-changes") + project.refresh()
        assert project.config("connection")["url"] == f"postgres://me:{password}@db"
        state = project.pulumi("stack", "export")
        assert [trace for trace in traces(password) if trace in state + said] == []


def test_values_that_arent_secret_are_shown(project: ChartProject) -> None:
    write_chart(project.web, {"config.yaml": SECRETIVE})
    project.install("pod_security='privileged', values={'password': 'hunter22'}")
    assert "postgres://me:hunter22@db" in project.preview()


def test_a_value_that_isnt_known_yet_leaves_the_objects_out_of_the_preview(project: ChartProject) -> None:
    more = """
    first = K.core.v1.ConfigMap("first", metadata=named("first"), data={}, opts=Options(provider=provider))
    chart(values={"greeting": first.id})
    """
    project.declare(PROGRAM, more)
    shown = project.preview()
    assert "Input properties have unknown values. Preview is incomplete." in shown
    assert "web-config" not in shown
    project.up()
    assert project.config() == {"greeting": f"{project.namespace}/first"}


def test_what_was_edited_by_hand_is_shown_and_repaired(project: ChartProject) -> None:
    project.install()
    project.up()
    assert not re.search(r"\d+ (updated|deleted)", project.refresh())
    patch = '{"data": {"greeting": "by hand"}}'
    project.cluster.kubectl("patch", "configmap", "web-config", "-n", project.home, "--type", "merge", "-p", patch)
    assert 'greeting: "hello" => "by hand"' in project.refresh()
    project.up()
    assert project.config() == {"greeting": "hello"}
    project.assert_no_change()


def test_a_chart_comes_after_and_goes_before_its_namespace(project: ChartProject) -> None:
    project.install()
    done = project.up()
    assert done.index("web-namespace created") < done.index(f"web-chart:{project.home}/web-config creating")
    gone = project.pulumi("destroy", "--yes", "--skip-preview")
    assert gone.index(f"web-chart:{project.home}/web-config deleted") < gone.index("web-namespace deleting")
