"""An object's life with Pulumi's provider: from its first preview to its deletion, with changes by hand in between."""

import json
import re
from collections.abc import Mapping, Sequence

from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject

APP = """
K.apps.v1.Deployment("app", metadata=named("app", **ANNOTATIONS), opts=Options(ignore_changes=IGNORED), spec={
    "replicas": 0,
    "selector": {"match_labels": {"app": SELECTED}},
    "template": {"metadata": {"labels": {"app": SELECTED}}, "spec": {"containers": [
        {"name": "app", "image": IMAGE, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
         "resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}}]}}})
"""

DATA = """
provider = K.Provider("k", enable_config_map_mutable=True, enable_secret_mutable=True)
K.core.v1.ConfigMap("replaced", metadata=named("replaced"), data={"key": DATA})
K.core.v1.ConfigMap("updated", metadata=named("updated"), data={"key": DATA}, opts=Options(provider=provider))
K.core.v1.Secret("secret", metadata=named("secret"), data={"key": DATA + "aaa"}, opts=Options(provider=provider))
K.core.v1.ServiceAccount("robot", metadata={**IN, "labels": {"a": "1", **({"b": "2"} if DATA == "1" else {})}})
"""

REST = """
K.core.v1.Service("service", metadata=named("service", skipAwait="true", **ANNOTATIONS), spec={
    "selector": {"app": "a"}, "ports": [{"port": 80, "target_port": 8080}]})
K.core.v1.Secret("secret", metadata=named("secret", **ANNOTATIONS), string_data={"password": "hunter2222"})
K.core.v1.ServiceAccount("robot", metadata={**named("robot", **ANNOTATIONS), "labels": {"a": "1"}})
"""

FORCED = {"patchForce": "true"}


def app(
    annotations: Mapping[str, str] = {},
    *,
    ignored: Sequence[str] = (),
    selected: str = "a",
    image: str = "one",
    data: str = "1",
) -> str:
    """A Deployment without pods, which is ready at once, and what the other objects are to be like."""
    first = f"ANNOTATIONS, IGNORED, SELECTED, IMAGE = {annotations}, {list(ignored)}, {selected!r}, {image!r}\n"
    return f"{first}DATA = {data!r}\n{APP}"


def test_create_update_replace_and_delete(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(app(), DATA)
    assert re.search(r'image +: "one"', shown := project.preview())
    assert "7 to create" in shown
    project.up()
    project.assert_no_change()
    where = ("-n", project.namespace)
    before = {kind: cluster_access.object(kind, *where) for kind in ("deployment/app", "cm/replaced", "cm/updated")}
    robot = project.resource("robot")["id"].rpartition("/")[2]
    assert re.fullmatch(r"robot-[0-9a-f]{8}", robot)

    project.declare(app(image="two", data="2"), DATA)
    shown = project.update()
    assert 'image: "one" => "two"' in shown
    assert '- b: "2"' in shown
    assert "4 updated" in shown
    assert "1 replaced" in shown
    live = {kind: cluster_access.object(kind, *where) for kind in before}
    assert live["deployment/app"]["spec"]["template"]["spec"]["containers"][0]["image"] == "two"
    same = [kind for kind in live if live[kind]["metadata"]["uid"] == before[kind]["metadata"]["uid"]]
    assert same == ["deployment/app", "cm/updated"]
    assert live["cm/replaced"]["data"] == live["cm/updated"]["data"] == {"key": "2"}
    assert cluster_access.object("secret/secret", *where)["data"] == {"key": "2aaa"}
    # A generated name stays.
    assert cluster_access.object(f"sa/{robot}", *where)["metadata"]["labels"] == {"a": "1"}

    project.declare(app(image="two", data="2", selected="b"), DATA)
    assert "1 replaced" in project.update()
    project.assert_no_change()
    replaced = cluster_access.object("deployment/app", *where)
    assert replaced["spec"]["selector"]["matchLabels"] == {"app": "b"}
    assert replaced["metadata"]["uid"] != live["deployment/app"]["metadata"]["uid"]

    cluster_access.kubectl("delete", "deployment/app", "cm/updated", *where)
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.resources() == []
    assert not cluster_access.exists("secret/secret", *where)


def edit_by_hand(cluster: Cluster, namespace: str) -> None:
    where = ("-n", namespace)
    cluster.kubectl("set", "image", *where, "deployment/app", "app=other")
    cluster.kubectl("set", "env", *where, "deployment/app", "A-")
    cluster.kubectl("scale", *where, "deployment/app", "--replicas", "1")
    cluster.kubectl("patch", *where, "service/service", "-p", '{"spec": {"selector": {"app": "b"}}}')
    cluster.kubectl("label", *where, "serviceaccount/robot", "a=2", "mine=too", "--overwrite")
    cluster.kubectl("patch", *where, "secret/secret", "-p", '{"data": {"password": "YWJj"}}')


def test_drift_is_shown_and_repaired(project: KubernetesProject, cluster_access: Cluster) -> None:
    """With the annotation ``pulumi.com/patchForce``, as all objects of this stack have it."""
    project.declare(app(FORCED), REST)
    project.up()
    assert "5 unchanged" in project.refresh(), "the server's own notation isn't drift"

    edit_by_hand(cluster_access, project.namespace)
    found = project.refresh()
    assert 'image: "one" => "other"' in found
    assert "replicas: 0 => 1" in found
    assert 'app: "a" => "b"' in found
    assert 'a: "1" => "2"' in found
    assert "mine" not in found, "a label that the program doesn't name is somebody else's"
    assert "password: [secret] => [secret]" in found
    assert "4 updated" in found

    shown = project.update()
    assert "3 updated" in shown
    assert "1 replaced" in shown, "a Secret's data is replaced, unless the provider has enable_secret_mutable"
    where = ("-n", project.namespace)
    live = cluster_access.object("deployment/app", *where)["spec"]
    container = live["template"]["spec"]["containers"][0]
    assert (live["replicas"], container["image"]) == (0, "one")
    assert [each["name"] for each in container["env"]] == ["A", "B"]
    assert cluster_access.object("service/service", *where)["spec"]["selector"] == {"app": "a"}
    labels = cluster_access.object("sa/robot", *where)["metadata"]["labels"]
    assert labels == {"a": "1"}, "what kubectl has added goes with an update"
    assert cluster_access.object("secret/secret", *where)["data"] == {"password": "aHVudGVyMjIyMg=="}

    cluster_access.kubectl("delete", *where, "deployment/app")
    project.declare(app(FORCED, image="two"), REST)
    assert 'deployments.apps "app" not found' in project.up(fails=True), "it has to be refreshed first"
    project.update("--refresh")
    assert cluster_access.exists("deployment/app", *where)


def test_a_field_of_somebody_else_is_a_conflict(project: KubernetesProject, cluster_access: Cluster) -> None:
    where = ("-n", project.namespace)
    project.declare(app())
    project.up()
    cluster_access.kubectl("scale", *where, "deployment/app", "--replicas", "1")
    project.declare(app(image="two"))
    conflict = 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
    for shown in project.preview(fails=True), project.up(fails=True):
        assert "Server-Side Apply field conflict detected. See https://www.pulumi.com/" in shown
        assert conflict in shown

    project.declare(app({"skipAwait": "true"}, ignored=["spec.replicas"], image="two"))
    project.up()
    live = cluster_access.object("deployment/app", *where)["spec"]
    assert (live["replicas"], live["template"]["spec"]["containers"][0]["image"]) == (1, "two")

    project.declare(app(FORCED, image="two"))
    project.up()
    assert cluster_access.object("deployment/app", *where)["spec"]["replicas"] == 0


def test_an_object_that_exists_already_is_taken_over(project: KubernetesProject, cluster_access: Cluster) -> None:
    """Silently, by a create: with server-side apply, that is the same as an update.

    The program itself has to refuse what isn't its own. Only values that differ from what somebody else has set are a
    conflict, and with ``pulumi.com/patchForce`` not even these.
    """
    where = ("-n", project.namespace)
    for name in ("same", "other", "forced"):
        cluster_access.kubectl("create", "configmap", name, *where, "--from-literal=theirs=1")
    uid = cluster_access.object("cm/same", *where)["metadata"]["uid"]
    project.declare("""
    K.core.v1.ConfigMap("same", metadata=named("same"), data={"ours": "2"})
    K.core.v1.ConfigMap("forced", metadata=named("forced", patchForce="true"), data={"theirs": "2"})
    """)
    assert "3 created" in project.up()
    live = cluster_access.object("cm/same", *where)
    assert (live["metadata"]["uid"], live["data"]) == (uid, {"theirs": "1", "ours": "2"})
    assert cluster_access.object("cm/forced", *where)["data"] == {"theirs": "2"}
    project.declare('K.core.v1.ConfigMap("other", metadata=named("other"), data={"theirs": "2"})')
    project.preview()
    assert 'conflict with "kubectl-create" using v1: .data.theirs' in project.up(fails=True)
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert not cluster_access.exists("cm/same", *where), "it is the stack's now"


def test_import(project: KubernetesProject, cluster_access: Cluster) -> None:
    for name in ("one", "two"):
        cluster_access.kubectl("create", "configmap", name, "-n", project.namespace, "--from-literal=key=value")
    uid = cluster_access.object("cm/one", "-n", project.namespace)["metadata"]["uid"]
    words = ("import", "--yes", "--generate-code=false", "--protect=false", "kubernetes:core/v1:ConfigMap")
    project.declare("")
    project.pulumi(*words, "two", f"{project.namespace}/two")
    assert "resource 'no/where' does not exist" in project.pulumi(*words, "none", "no/where", fails=True)
    program = """
    K.core.v1.ConfigMap("one", metadata={{**IN, "name": "one"{0}}}, data={{"key": "value"}}, opts={1})
    K.core.v1.ConfigMap("two", metadata={{**IN, "name": "two"{0}}}, data={{"key": "value"}})
    """
    project.declare(program.format("", 'Options(import_=f"{NS}/one")'))
    shown = project.up()
    assert "1 imported" in shown
    assert "2 unchanged" in shown
    project.declare(program.format(', "labels": {"a": "1"}', "None"))
    assert "2 updated" in project.up()
    live = cluster_access.object("cm/one", "-n", project.namespace)["metadata"]
    assert (live["uid"], live["labels"]) == (uid, {"a": "1"})


def test_what_the_api_server_refuses_is_refused_in_preview(project: KubernetesProject) -> None:
    project.declare("""
    K.core.v1.Service("service", metadata=named("service"), spec={"ports": [{"port": 99999}]})
    """)
    refused = "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive"
    assert refused in project.preview(fails=True)


def test_secrets_stay_secret(project: KubernetesProject) -> None:
    """In what is shown and in the state: of a Secret always, elsewhere what the program gives as secret."""
    project.declare("""
    K.core.v1.Secret("one", metadata=named("one"), string_data={"password": "hunter2222"})
    K.core.v1.ConfigMap("two", metadata=named("two"), data={"url": pulumi.Output.secret("https://hunter2222@x")})
    K.apiextensions.CustomResource("three", api_version="rbac.authorization.k8s.io/v1", kind="Role",
                                   metadata={**named("three"), "labels": {"a": pulumi.Output.secret("hunter2222")}})
    """)
    shown = project.preview() + project.up() + project.refresh() + project.pulumi("stack", "export")
    assert "hunter2222" not in shown
    assert "aHVudGVyMjIyMg" not in shown
    assert "hunter2222" in json.dumps(project.pulumi("stack", "export", "--show-secrets"))


def test_a_deletion_is_waited_for(project: KubernetesProject, cluster_access: Cluster) -> None:
    """Also with ``pulumi.com/skipAwait``, but for workloads and Namespaces; finalizers that hold it are named."""
    project.declare("""
    K.core.v1.ConfigMap("held", metadata={**named("held", timeoutSeconds="2", skipAwait="true"),
                                          "finalizers": ["test.local/hold"]})
    """)
    project.up()
    shown = project.pulumi("destroy", "--yes", "--skip-preview", fails=True)
    patch = ("--type", "merge", "-p", '{"metadata": {"finalizers": null}}')
    cluster_access.kubectl("patch", "configmap", "held", "-n", project.namespace, *patch)
    assert "finalizers might be preventing deletion (test.local/hold)" in shown
    assert "timed out waiting for the condition" in shown
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.resources() == []
