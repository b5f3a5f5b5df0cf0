"""Create, no change, update, replace and delete, with the real engine and API server."""

import re

from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject
from tests.waiting import eventually

CONFIG = 'K.core.v1.ConfigMap("config", metadata=named("config"), data={})'

DEPLOYMENT = """
app = K.apps.v1.Deployment(
    "app",
    metadata=named("app", skipAwait="true"),
    spec={
        "replicas": 1,
        "selector": {"match_labels": {"app": SELECTED}},
        "template": {
            "metadata": {"labels": {"app": SELECTED}},
            "spec": {"scheduler_name": "nobody", "containers": [
                {"name": "app", "image": IMAGE, "ports": [{"container_port": 80}],
                 "resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}},
            ]},
        },
    },
)
"""


def deployment(image: str, selected: str = "a") -> str:
    return f"IMAGE, SELECTED = {image!r}, {selected!r}\n{DEPLOYMENT}"


def test_create_no_change_update_destroy(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(deployment("one"))
    project.up()
    live = cluster_access.object("deployment", "app", "-n", project.namespace)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "one"
    project.assert_no_change()

    project.declare(deployment("two"))
    shown = project.preview()
    assert re.search(r'image: "one" => "two"', shown)
    assert "1 to update" in shown
    project.up()
    after = cluster_access.object("deployment", "app", "-n", project.namespace)
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "two"
    assert after["metadata"]["uid"] == live["metadata"]["uid"]
    project.assert_no_change()

    project.pulumi("destroy", "--yes")
    # It isn't awaited, and its pods go first.
    assert eventually(lambda: not cluster_access.exists("deployment", "app", "-n", project.namespace))


def test_a_removed_field_is_removed_from_the_object(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare('K.core.v1.ServiceAccount("sa", metadata={**named("sa"), "labels": {"a": "1", "b": "2"}})')
    project.up()
    project.declare('K.core.v1.ServiceAccount("sa", metadata={**named("sa"), "labels": {"a": "1"}})')
    shown = project.preview()
    assert re.search(r'- b: "2"', shown)
    project.up()
    assert cluster_access.object("sa", "sa", "-n", project.namespace)["metadata"]["labels"] == {"a": "1"}


def test_a_misspelt_field_is_an_error_in_preview(project: KubernetesProject) -> None:
    project.declare("""
    K.apiextensions.CustomResource("ns", api_version="v1", kind="ConfigMap", metadata=named("c"), spec={"a": 1})
    """)
    assert "ConfigMap" in (shown := project.preview(fails=True))
    assert "field not declared in schema" in shown
    assert "Traceback" not in shown


def test_data_changes_in_place_where_the_provider_allows_it(
    project: KubernetesProject, cluster_access: Cluster
) -> None:
    program = """
    provider = K.Provider("k", enable_config_map_mutable=True, enable_secret_mutable=True)
    K.core.v1.ConfigMap("config", metadata=named("config"), data={{"key": "{0}"}}, opts=Options(provider=provider))
    K.core.v1.Secret("secret", metadata=named("secret"), string_data={{"key": "{0}"}}, opts=Options(provider=provider))
    """
    project.declare(program.format(1))
    project.up()
    project.declare(program.format(2))
    shown = project.preview()
    assert "2 to update" in shown
    project.up()
    assert cluster_access.object("configmap", "config", "-n", project.namespace)["data"] == {"key": "2"}
    assert cluster_access.object("secret", "secret", "-n", project.namespace)["data"] == {"key": "Mg=="}


def test_a_changed_selector_replaces_a_deployment(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(deployment("one", "a"))
    project.up()
    project.declare(deployment("one", "b"))
    assert "1 to replace" in project.preview()
    project.up()
    live = cluster_access.object("deployment", "app", "-n", project.namespace)
    assert live["spec"]["selector"]["matchLabels"] == {"app": "b"}


def test_what_only_the_server_knows_to_be_immutable_replaces_too(
    project: KubernetesProject, cluster_access: Cluster
) -> None:
    program = """
    K.storage.v1.CSIDriver("driver", metadata={{"name": "{0}.test"}}, spec={{"attach_required": {1}}})
    """
    project.declare(program.format(project.namespace, True))
    project.up()
    project.declare(program.format(project.namespace, False))
    shown = project.preview()
    assert "1 to replace" in shown
    assert re.search(r"\[diff: ~spec\]|attachRequired: true => false", shown)
    project.up()
    assert cluster_access.object("csidriver", f"{project.namespace}.test")["spec"]["attachRequired"] is False
    project.pulumi("destroy", "--yes")


def test_an_object_that_exists_already_isnt_taken(project: KubernetesProject, cluster_access: Cluster) -> None:
    cluster_access.kubectl("create", "configmap", "config", "-n", project.namespace)
    project.declare(CONFIG)
    name = f"{project.namespace}/config"
    wanted = (
        f"ConfigMap {name} exists already: import it (import_='{name}'), give the resource an alias if it was renamed, "
        "or set the provider's upsertExistingObjects"
    )
    assert wanted in project.preview(fails=True)
    assert wanted in project.up(fails=True)


def test_upsert_takes_an_object_that_exists(project: KubernetesProject, cluster_access: Cluster) -> None:
    cluster_access.kubectl("create", "configmap", "config", "-n", project.namespace)
    project.variables["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"] = "true"
    project.declare(CONFIG.replace("{}", '{"a": "1"}'))
    project.up()
    assert cluster_access.object("configmap", "config", "-n", project.namespace)["data"] == {"a": "1"}


def test_a_lost_state_finds_its_own_objects_again(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(deployment("one"))
    project.up()
    project.pulumi("stack", "rm", "--yes", "--force", "dev")
    project.pulumi("stack", "init", "dev")
    project.declare(deployment("two"))
    project.up()
    live = cluster_access.object("deployment", "app", "-n", project.namespace)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "two"

    def managers() -> int:
        return len(cluster_access.object("deployment", "app", "-n", project.namespace)["metadata"]["managedFields"])

    assert eventually(lambda: managers() == 2), "one manager of ours, and the controller"


def test_a_delete_in_progress_is_waited_for_before_creating(
    project: KubernetesProject, cluster_access: Cluster
) -> None:
    cluster_access.kubectl("create", "configmap", "config", "-n", project.namespace)
    held = ["patch", "configmap", "config", "-n", project.namespace, "--type", "merge", "-p"]
    cluster_access.kubectl(*held, '{"metadata": {"finalizers": ["test.local/hold"]}}')
    cluster_access.kubectl("delete", "configmap", "config", "-n", project.namespace, "--wait=false")
    project.declare('K.core.v1.ConfigMap("config", metadata=named("config", timeoutSeconds="2"), data={})')
    assert "isn't gone after 2 s: held by finalizer test.local/hold; it must be gone before" in project.up(fails=True)
    assert all(not each["urn"].endswith("::config") for each in project.resources())
    cluster_access.kubectl(*held, '{"metadata": {"finalizers": null}}')
    project.up()
    assert cluster_access.exists("configmap", "config", "-n", project.namespace)


def test_what_holds_a_deletion_is_named(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare("""
    K.core.v1.ConfigMap("config", metadata={**named("config", timeoutSeconds="2"), "finalizers": ["test.local/hold"]})
    """)
    project.up()
    done = project.pulumi("destroy", "--yes", fails=True)
    assert f"ConfigMap {project.namespace}/config isn't gone after 2 s: held by finalizer test.local/hold" in done
    patch = '{"metadata": {"finalizers": null}}'
    cluster_access.kubectl("patch", "configmap", "config", "-n", project.namespace, "--type", "merge", "-p", patch)
    project.pulumi("destroy", "--yes")


def test_what_holds_a_namespace_is_named(project: KubernetesProject, cluster_access: Cluster) -> None:
    name = f"{project.namespace}-held"
    # The namespace controller says what holds it after some seconds only.
    project.declare(f"""
    K.core.v1.Namespace("ns", metadata={{"name": "{name}", "annotations": {{"pulumi.com/timeoutSeconds": "25"}}}})
    """)
    project.up()
    body = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "finalizers": ["test.local/hold"]}}'
    cluster_access.kubectl("apply", "-n", name, "-f", "-", stdin=body)
    done = project.pulumi("destroy", "--yes", fails=True)
    assert f"Namespace {name} isn't gone after 25 s: " in done
    assert "test.local/hold in 1 resource instances" in done
    cluster_access.kubectl(
        "patch", "configmap", "c", "-n", name, "--type", "merge", "-p", '{"metadata": {"finalizers": null}}'
    )
    project.pulumi("destroy", "--yes")


def test_patch_resources_own_only_their_fields(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare("""
    K.core.v1.ConfigMapPatch("patch", metadata={"namespace": NS, "name": "config"}, data={"b": "2"})
    """)
    missing = f"ConfigMap {project.namespace}/config doesn't exist, so it can't be patched"
    assert missing in project.up(fails=True)
    cluster_access.kubectl("create", "configmap", "config", "-n", project.namespace, "--from-literal=a=1")
    project.up()
    project.assert_no_change()
    assert cluster_access.object("configmap", "config", "-n", project.namespace)["data"] == {"a": "1", "b": "2"}
    project.pulumi("destroy", "--yes")
    assert cluster_access.object("configmap", "config", "-n", project.namespace)["data"] == {"a": "1"}


def test_lists_stand_for_their_items(project: KubernetesProject, cluster_access: Cluster) -> None:
    def program(**data: int) -> str:
        items = ", ".join(
            f'{{"metadata": named("{name}"), "data": {{"v": "{value}"}}}}' for name, value in data.items()
        )
        return f'K.core.v1.ConfigMapList("maps", items=[{items}])'

    project.declare(program(one=1, two=2))
    project.up()
    project.assert_no_change()
    project.declare(program(one=9, three=3))
    project.up()
    live = cluster_access.object("configmap", "-n", project.namespace)["items"]
    found = {each["metadata"]["name"]: each["data"] for each in live if each["metadata"]["name"] != "kube-root-ca.crt"}
    assert found == {"one": {"v": "9"}, "three": {"v": "3"}}
    cluster_access.kubectl("delete", "configmap", "one", "-n", project.namespace)
    project.refresh()
    assert "1 to update" in project.preview()
    project.pulumi("destroy", "--yes")
    assert not cluster_access.exists("configmap", "three", "-n", project.namespace)


def test_names_are_generated_and_kept(project: KubernetesProject, cluster_access: Cluster) -> None:
    program = """
    K.core.v1.ServiceAccount("robot", metadata={{**IN, "labels": {{"a": "{0}"}}}})
    K.core.v1.ServiceAccount("other", metadata={{**IN, "generate_name": "android-"}})
    """
    project.declare(program.format(1))
    project.up()
    name = project.resource("robot")["id"].rpartition("/")[2]
    assert re.fullmatch(r"robot-[0-9a-f]{8}", name)
    assert re.fullmatch(r"android-[0-9a-f]{8}", project.resource("other")["id"].rpartition("/")[2])
    live = cluster_access.object("sa", name, "-n", project.namespace)
    assert live["metadata"]["annotations"]["pulumi.com/autonamed"] == "true"
    project.declare(program.format(2))
    assert "1 updated" in project.up()
    assert project.resource("robot")["id"].rpartition("/")[2] == name


def test_new_data_replaces_a_configmap(project: KubernetesProject, cluster_access: Cluster) -> None:
    program = """
    K.core.v1.ConfigMap("fixed", metadata=named("fixed"), data={{"key": "{0}"}})
    K.core.v1.ConfigMap("generated", metadata=IN, data={{"key": "{0}"}})
    """
    project.declare(program.format(1))
    project.up()
    before = cluster_access.object("configmap", "fixed", "-n", project.namespace)
    generated = project.resource("generated")["id"]
    project.declare(program.format(2))
    assert "2 to replace" in project.preview()
    done = project.up()
    # A fixed name must be free first; a generated one is another, and there before the old one goes.
    assert done.index("fixed deleted original") < done.index("fixed created replacement")
    assert done.index("generated created replacement") < done.index("generated deleted original")
    after = cluster_access.object("configmap", "fixed", "-n", project.namespace)
    assert after["data"] == {"key": "2"}
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert project.resource("generated")["id"] != generated


def test_what_was_deleted_by_hand_is_no_obstacle(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(deployment("one"))
    project.up()
    cluster_access.kubectl("delete", "deployment", "app", "-n", project.namespace)
    project.declare(deployment("two"))
    project.up()
    assert cluster_access.exists("deployment", "app", "-n", project.namespace)
    cluster_access.kubectl("delete", "deployment", "app", "-n", project.namespace)
    project.pulumi("destroy", "--yes")
    assert project.resources() == []
