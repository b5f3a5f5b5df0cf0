"""Import, by command and by option, and lookup of objects that somebody else made."""

import json

from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: config, labels: {a: "1"}}
data: {key: value}
"""


def make(cluster: Cluster, namespace: str, *words: str) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", *words, stdin=MANIFEST)


def test_import_option_takes_an_object_over(project: KubernetesProject, cluster_access: Cluster) -> None:
    make(cluster_access, project.namespace)
    program = """
    K.core.v1.ConfigMap("config", metadata={{"namespace": NS, "name": "config", "labels": {{"a": "{0}"}}}},
                        data={{"key": "value"}}, opts=Options(import_=f"{{NS}}/config"))
    """
    project.declare(program.format(1))
    assert "1 to import" in project.preview()
    project.up()
    project.assert_no_change()
    uid = cluster_access.object("-n", project.namespace, "configmap/config")["metadata"]["uid"]
    project.declare(program.format(2))
    project.up()
    live = cluster_access.object("-n", project.namespace, "configmap/config")["metadata"]
    assert live["labels"] == {"a": "2"}
    assert live["uid"] == uid


def test_import_option_then_updates_what_differs(project: KubernetesProject, cluster_access: Cluster) -> None:
    make(cluster_access, project.namespace)
    project.declare("""
    K.core.v1.ConfigMap("config", metadata={"namespace": NS, "name": "config", "labels": {"a": "2"}},
                        data={"key": "value"}, opts=Options(import_=f"{NS}/config"))
    """)
    project.up()
    assert cluster_access.object("-n", project.namespace, "configmap/config")["metadata"]["labels"] == {"a": "2"}
    project.assert_no_change()


def test_import_command(project: KubernetesProject, cluster_access: Cluster) -> None:
    make(cluster_access, project.namespace, "--server-side")
    project.declare("")
    identity = f"{project.namespace}/config"
    words = ["import", "--yes", "--generate-code=false", "--protect=false"]
    project.pulumi(*words, "kubernetes:core/v1:ConfigMap", "config", identity)
    imported = project.resource("config")
    assert imported["inputs"] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "config", "namespace": project.namespace, "labels": {"a": "1"}},
        "data": {"key": "value"},
    }
    project.declare("""
    K.core.v1.ConfigMap("config", data={"key": "value"},
                        metadata={"namespace": NS, "name": "config", "labels": {"a": "1"}})
    """)
    project.assert_no_change()
    assert "does not exist" in project.pulumi(*words, "kubernetes:core/v1:ConfigMap", "none", "no/where", fails=True)


def test_get_looks_up_without_managing(project: KubernetesProject, cluster_access: Cluster) -> None:
    make(cluster_access, project.namespace)
    project.declare("""
    found = K.core.v1.ConfigMap.get("found", f"{NS}/config")
    system = K.core.v1.Namespace.get("system", "kube-system")
    pulumi.export("data", found.data)
    pulumi.export("phase", system.status.phase)
    """)
    project.up()
    assert project.outputs() == {"data": {"key": "value"}, "phase": "Active"}
    project.pulumi("destroy", "--yes")
    assert cluster_access.exists("-n", project.namespace, "configmap/config")


def test_a_state_without_a_manager_keeps_defaults_alone(project: KubernetesProject, cluster_access: Cluster) -> None:
    cluster_access.kubectl("create", "service", "clusterip", "web", "-n", project.namespace, "--tcp", "80:8080")
    project.declare("")
    words = ["import", "--yes", "--generate-code=false", "--protect=false"]
    project.pulumi(*words, "kubernetes:core/v1:Service", "web", f"{project.namespace}/web")
    assert json.dumps(project.resource("web")["inputs"]).count("clusterIP") >= 1
    project.declare("""
    K.core.v1.Service("web", metadata={"namespace": NS, "name": "web"}, spec={
        "selector": {"app": "web"}, "ports": [{"name": "80-8080", "port": 80, "protocol": "TCP", "target_port": 8080}]})
    """)
    assert "to replace" not in project.preview()
