"""Drift: what refresh shows, what it doesn't, and that the next update repairs it."""

import json
import re

from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject

PROGRAM = """
deployment = K.apps.v1.Deployment("app", metadata=named("app", skipAwait="true"), spec={
    "replicas": 1,
    "selector": {"match_labels": {"app": "a"}},
    "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"scheduler_name": "nobody", "containers": [
        {"name": "app", "image": "one", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
         "resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}}]}},
})
K.core.v1.Service("service", metadata=named("service", skipAwait="true"), spec={
    "selector": {"app": "a"}, "ports": [{"port": 80, "target_port": 8080}]})
K.core.v1.Secret("secret", metadata=named("secret"), string_data={"password": "hunter2222"})
K.core.v1.ServiceAccount("robot", metadata={**named("robot"), "labels": {"a": "1"}})
"""


def test_drift_is_shown_and_repaired(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(PROGRAM)
    project.up()
    assert "4 unchanged" not in (found := project.refresh())
    assert not re.search(r"\d+ (updated|deleted)", found), "the server's own notation isn't drift"

    by_hand = ("-n", project.namespace)
    cluster_access.kubectl("set", "image", *by_hand, "deployment/app", "app=other")
    cluster_access.kubectl("set", "env", *by_hand, "deployment/app", "A-")
    cluster_access.kubectl("scale", *by_hand, "deployment/app", "--replicas", "3")
    ports = """[{"op": "replace", "path": "/spec/ports/0/port", "value": 81},
                {"op": "add", "path": "/spec/selector/b", "value": "2"}]"""
    cluster_access.kubectl("patch", *by_hand, "service/service", "--type", "json", "-p", ports)
    cluster_access.kubectl("label", *by_hand, "serviceaccount/robot", "a=2", "mine=too", "--overwrite")
    cluster_access.kubectl(
        "patch", *by_hand, "secret/secret", "--type", "merge", "-p", '{"data": {"password": "YWJj"}}'
    )

    found = project.refresh()
    assert re.search(r'image: "one" => "other"', found)
    assert re.search(r"replicas: 1 => 3", found)
    assert re.search(r"port +: 80 => 81", found)
    assert re.search(r'\+ b: "2"', found)
    assert re.search(r'a: "1" => "2"', found)
    assert "mine" not in found, "a label that the program doesn't name is somebody else's"
    assert "password: [secret] => [secret]" in found
    assert "4 updated" in found
    assert "hunter" not in found

    assert "4 changes" in project.preview()
    project.up()
    project.assert_no_change()
    live = cluster_access.object(*by_hand, "deployment/app")["spec"]
    container = live["template"]["spec"]["containers"][0]
    assert (live["replicas"], container["image"]) == (1, "one")
    assert [each["name"] for each in container["env"]] == ["A", "B"]
    service = cluster_access.object(*by_hand, "service/service")["spec"]
    assert [each["port"] for each in service["ports"]] == [80]
    assert service["selector"] == {"app": "a"}
    assert cluster_access.object(*by_hand, "serviceaccount/robot")["metadata"]["labels"] == {"a": "1", "mine": "too"}
    assert cluster_access.object(*by_hand, "secret/secret")["data"] == {"password": "aHVudGVyMjIyMg=="}
    assert not re.search(r"\d+ (updated|deleted)", project.refresh())


def test_an_object_that_is_only_a_name_has_no_drift(project: KubernetesProject) -> None:
    project.declare("""
    K.core.v1.Namespace("ns", metadata={"name": f"{NS}-own"})
    K.core.v1.ConfigMap("config", metadata={"name": "config", "namespace": NS})
    """)
    project.up()
    assert not re.search(r"\d+ (updated|deleted)", project.refresh())
    project.assert_no_change()
    project.pulumi("destroy", "--yes")


def test_an_object_deleted_by_hand_is_made_anew(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(PROGRAM)
    project.up()
    cluster_access.kubectl("delete", "-n", project.namespace, "deployment/app", "secret/secret")
    assert "2 deleted" in project.refresh()
    assert "2 to create" in project.preview()
    project.up()
    assert cluster_access.exists("-n", project.namespace, "deployment/app")
    assert cluster_access.exists("-n", project.namespace, "secret/secret")


def test_a_change_behind_pulumis_back_is_a_conflict(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(PROGRAM)
    project.up()
    cluster_access.kubectl("scale", "-n", project.namespace, "deployment/app", "--replicas", "3")
    project.declare(PROGRAM.replace('"one"', '"two"'))
    conflict = (
        f"Deployment {project.namespace}/app: fields are managed by somebody else: .spec.replicas (owned by kubectl). "
        'To take them over, set the annotation pulumi.com/patchForce: "true"; to leave them alone, take them out of '
        "the program, or list them in ignore_changes"
    )
    assert conflict in project.preview(fails=True)
    assert conflict in project.up(fails=True)

    ignoring = PROGRAM.replace('"one"', '"two"').replace(
        "},\n})", '},\n}, opts=Options(ignore_changes=["spec.replicas"]))', 1
    )
    project.declare(ignoring)
    project.up()
    live = cluster_access.object("-n", project.namespace, "deployment/app")["spec"]
    assert (live["replicas"], live["template"]["spec"]["containers"][0]["image"]) == (3, "two")

    forced = 'skipAwait="true", patchForce="true"'
    project.declare(PROGRAM.replace('"one"', '"three"').replace('skipAwait="true"', forced, 1))
    project.up()
    assert cluster_access.object("-n", project.namespace, "deployment/app")["spec"]["replicas"] == 1


def test_a_field_of_somebody_else_is_a_conflict_even_after_refresh(
    project: KubernetesProject, cluster_access: Cluster
) -> None:
    project.declare(PROGRAM.replace('"replicas": 1,', ""))
    project.up()
    replicas = ["--type", "merge", "-p", '{"spec": {"replicas": 3}}']
    cluster_access.kubectl("patch", "-n", project.namespace, "deployment/app", *replicas)
    project.refresh()
    project.declare(PROGRAM)
    assert ".spec.replicas (owned by kubectl-patch)" in project.preview(fails=True)


def test_an_unready_object_is_noticed_by_refresh_and_waited_for_by_up(
    project: KubernetesProject, cluster_access: Cluster
) -> None:
    program = """
    K.core.v1.PersistentVolumeClaim("claim", metadata=named("claim"{0}), spec={{
        "access_modes": ["ReadWriteOnce"], "storage_class_name": "none",
        "resources": {{"requests": {{"storage": "1Mi"}}}}}})
    """
    project.declare(program.format(', timeoutSeconds="1"'))
    project.up(fails=True)
    claim = f"PersistentVolumeClaim {project.namespace}/claim"
    assert f"{claim} isn't ready: it isn't bound to a volume" in project.refresh()
    assert project.resource("claim")["initErrors"]
    assert f"{claim} isn't ready after 1 s" in project.up(fails=True)
    cluster_access.set_status("pvc", "claim", project.namespace, {"phase": "Bound"})
    project.declare(program.format(', timeoutSeconds="120"'))
    project.up()
    assert not project.resource("claim").get("initErrors")


def test_secrets_stay_secret_in_state_and_output(project: KubernetesProject) -> None:
    project.declare("""
    K.core.v1.Secret("one", metadata=named("one"), string_data={"password": "hunter2222"})
    K.core.v1.ConfigMap("two", metadata=named("two"), data={"url": pulumi.Output.secret("https://hunter2222@x")})
    K.apiextensions.CustomResource("three", api_version="v1", kind="ServiceAccount",
                                   metadata={**named("three"), "labels": {"a": pulumi.Output.secret("hunter2222")}})
    """)
    shown = project.preview() + project.up() + project.refresh() + project.pulumi("stack", "export")
    assert "hunter2222" not in shown
    assert "aHVudGVyMjIyMg" not in shown
    plain = json.loads(project.pulumi("stack", "export", "--show-secrets"))
    assert "hunter2222" in json.dumps(plain)


def test_secrets_stay_secret_in_errors(project: KubernetesProject) -> None:
    project.declare("""
    K.core.v1.ServiceAccount("sa", metadata={**named("sa"), "labels": {"a": pulumi.Output.secret("hunter 2222!")}})
    """)
    shown = project.preview(fails=True) + project.up(fails=True)
    assert "[secret]" in shown
    assert "hunter" not in shown
