"""What a preview knows, and what it leaves unknown."""

from tests.plugins.kubernetes.conftest import KubernetesProject

NEW_NAMESPACE = """
space = K.core.v1.Namespace("space")
service = K.core.v1.Service("service", metadata={"namespace": space.metadata.name, "annotations": {
    "pulumi.com/skipAwait": "true"}}, spec={"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80}]})
pulumi.export("space", space.metadata.name)
pulumi.export("named", service.metadata.apply(lambda metadata: metadata.name))
pulumi.export("ip", service.spec.cluster_ip)
pulumi.export("node_port", service.spec.ports[0].node_port)
pulumi.export("port", service.spec.ports[0].port)
pulumi.export("status", service.status.load_balancer)
"""


def test_a_first_preview_works_without_the_namespace(project: KubernetesProject) -> None:
    project.declare(NEW_NAMESPACE)
    shown = project.preview()
    assert "3 to create" in shown
    outputs = dict(
        line.strip(" +").split(": ", 1) for line in shown.partition("--outputs:--")[2].splitlines() if ": " in line
    )
    known = {key.strip(): value for key, value in outputs.items()}
    assert known["space"].startswith('"space-')
    assert known["named"].startswith('"service-')
    assert known["port"] == "80"
    assert {known[key] for key in ("ip", "node_port", "status")} == {"[unknown]"}
    project.up()
    assert project.outputs()["ip"]
    project.assert_no_change()
    project.pulumi("destroy", "--yes")


def test_a_preview_works_without_the_custom_resource_definition(project: KubernetesProject) -> None:
    project.declare("""
    group = f"{NS}.test.local"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    crd = K.apiextensions.v1.CustomResourceDefinition("crd", metadata={"name": f"things.{group}"}, spec={
        "group": group, "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"open_apiv3_schema": schema}}]})
    K.apiextensions.CustomResource("thing", api_version=f"{group}/v1", kind="Thing", metadata=named("thing"),
                                   spec={"size": 3, "deep": {"list": [1, 2.5, "x", True]}})
    """)
    assert "3 to create" in project.preview()
    project.up()
    project.assert_no_change()
    thing = project.resource("thing")
    assert thing["outputs"]["spec"] == {"size": 3, "deep": {"list": [1, 2.5, "x", True]}}
    project.pulumi("destroy", "--yes")


def test_a_kind_that_nobody_defines(project: KubernetesProject) -> None:
    project.declare("""
    K.apiextensions.CustomResource("thing", api_version="nobody.test.local/v1", kind="Thing", metadata=named("thing"))
    """)
    project.preview()
    done = project.up(fails=True)
    assert (
        "the cluster has no kind Thing in nobody.test.local/v1: install what defines it (a CustomResourceDefinition), "
        "or make this resource depend on what installs it"
    ) in done
    assert "Traceback" not in done


def test_unknown_inputs_are_shown_as_such(project: KubernetesProject) -> None:
    project.declare("""
    first = K.core.v1.ServiceAccount("first", metadata=named("first"))
    uid = first.metadata.uid
    K.core.v1.ConfigMap("second", metadata={"namespace": NS, "name": uid}, data={"uid": uid})
    """)
    # In a preview, what only the server can say is missing from metadata: None, not a wrong value.
    shown = project.preview()
    assert "3 to create" in shown
    project.up()
    assert (
        project.resource("second")["outputs"]["data"]["uid"] == project.resource("first")["outputs"]["metadata"]["uid"]
    )
    project.assert_no_change()


def test_what_the_api_server_refuses_is_refused_in_preview(project: KubernetesProject) -> None:
    project.declare("""
    K.core.v1.Service("service", metadata=named("service"), spec={"ports": [{"port": 99999}]})
    """)
    shown = project.preview(fails=True)
    assert 'Service "service" is invalid: ' in shown
    assert "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive" in shown
    assert "Traceback" not in shown


def test_what_isnt_supported_is_refused_by_name(project: KubernetesProject) -> None:
    project.declare('K.core.v1.ConfigMapPatch("patch", data={})')
    assert "is needed: it says which ConfigMap is to be patched" in project.preview(fails=True)
    project.declare('K.helm.v3.Release("release", chart="x")')
    refused = "isn't supported by the embedded kubernetes plugin"
    assert f"kubernetes:helm.sh/v3:Release {refused}" in project.preview(fails=True)
    project.declare('K.yaml.v2.ConfigGroup("group", yaml="")')
    assert f"kubernetes:yaml/v2:ConfigGroup {refused}" in project.preview(fails=True)
    project.declare("K.yaml.ConfigGroup('group', yaml=['a: 1'])")
    assert f"kubernetes:yaml:decode {refused}" in project.preview(fails=True)
