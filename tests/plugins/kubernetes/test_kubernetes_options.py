"""The provider's options, and errors of the connection: one line each, in preview already."""

import json
import re
import socket

import yaml

from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject

PROGRAM = """
provider = K.Provider("k", {0})
K.core.v1.ConfigMap("config", metadata={{"name": "config", "annotations": {{}}}}, opts=Options(provider=provider))
"""


def failing(project: KubernetesProject, options: str) -> str:
    project.declare(PROGRAM.format(options))
    shown = project.pulumi("preview", fails=True)
    assert "Traceback" not in shown
    assert ".py" not in shown
    return " ".join(shown.split())


def test_kubeconfig_as_relative_path_and_as_text(project: KubernetesProject, cluster_access: Cluster) -> None:
    text = cluster_access.kubeconfig.read_text()
    project.write("cluster.yaml", text)
    options = f"kubeconfig='cluster.yaml', namespace={project.namespace!r}"
    project.declare(PROGRAM.format(options))
    project.up()
    assert project.resource("config")["id"] == f"{project.namespace}/config"

    project.declare(PROGRAM.format(f"kubeconfig=open('cluster.yaml').read(), namespace={project.namespace!r}"))
    shown = project.preview()
    assert "to replace" not in shown, "it is the same cluster"
    assert re.search(r"kubeconfig *: .*\[secret\]", shown)
    project.up()
    assert "clusters:" not in project.pulumi("stack", "export")
    project.assert_no_change()
    # Resources of the default namespace move with it, even to one that isn't there yet.
    project.declare(PROGRAM.format("kubeconfig='cluster.yaml', namespace='another'"))
    assert "to replace" in project.preview()


def test_what_is_wrong_with_a_kubeconfig(project: KubernetesProject, cluster_access: Cluster) -> None:
    folder = project.folder
    how = "set the provider's kubeconfig (pulumi config set kubernetes:kubeconfig PATH) or KUBECONFIG"
    assert f"kubeconfig {folder}/none.yaml doesn't exist; {how}" in failing(project, "kubeconfig='none.yaml'")
    name = yaml.safe_load(cluster_access.kubeconfig.read_text())["contexts"][0]["name"]
    wanted = (
        f"kubeconfig {cluster_access.kubeconfig} has no context 'none' (it has {name}); correct the provider's context"
    )
    assert wanted in failing(project, "context='none'")


def test_a_server_that_doesnt_answer(project: KubernetesProject) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project.write("dead.yaml", kubeconfig(f"https://127.0.0.1:{port}"))
    shown = failing(project, "kubeconfig='dead.yaml'")
    assert (
        f"the Kubernetes API server https://127.0.0.1:{port} doesn't answer (Connection refused); check that the "
        f"cluster runs, and that context 'one' (kubeconfig {project.folder}/dead.yaml) is the one you mean"
    ) in shown


def test_a_server_that_doesnt_know_us(project: KubernetesProject, cluster_access: Cluster) -> None:
    document = yaml.safe_load(cluster_access.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": "hunter2222"}
    project.write("stranger.yaml", json.dumps(document))
    shown = failing(project, "kubeconfig='stranger.yaml'")
    assert "doesn't accept the credentials of context" in shown
    assert "hunter" not in shown
    document["users"][0]["user"] = {}
    document["clusters"][0]["cluster"].pop("certificate-authority", None)
    document["clusters"][0]["cluster"].pop("certificate-authority-data", None)
    project.write("stranger.yaml", json.dumps(document))
    assert "can't be trusted (" in failing(project, "kubeconfig='stranger.yaml'")


def test_a_permission_that_is_missing(project: KubernetesProject, cluster_access: Cluster) -> None:
    cluster_access.kubectl("create", "serviceaccount", "robot", "-n", project.namespace)
    token = cluster_access.kubectl("create", "token", "robot", "-n", project.namespace)
    document = yaml.safe_load(cluster_access.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    project.write("robot.yaml", json.dumps(document))
    shown = failing(project, f"kubeconfig='robot.yaml', namespace={project.namespace!r}")
    assert 'cannot get resource "configmaps"' in shown
    assert "grant that permission, or use another user than that of context" in shown


def test_options_that_arent_supported_are_named(project: KubernetesProject) -> None:
    refused = "isn't supported by the embedded kubernetes plugin; remove it, or install the official plugin"
    assert f"the provider option renderYamlToDirectory {refused}" in failing(project, "render_yaml_to_directory='out'")
    shown = failing(project, "enable_server_side_apply=False")
    assert "enableServerSideApply: false isn't supported" in shown


def test_a_cluster_that_is_gone_for_good(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.write("cluster.yaml", cluster_access.kubeconfig.read_text())
    project.declare(PROGRAM.format(f"kubeconfig='cluster.yaml', namespace={project.namespace!r}"))
    project.up()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        project.write("cluster.yaml", kubeconfig(f"https://127.0.0.1:{free.getsockname()[1]}"))
    hint = "if the cluster is gone for good, set PULUMI_K8S_DELETE_UNREACHABLE=true and run this again"
    assert hint in " ".join(project.pulumi("destroy", "--yes", fails=True).split())
    project.variables["PULUMI_K8S_DELETE_UNREACHABLE"] = "true"
    assert "forgotten: the Kubernetes API server" in project.pulumi("destroy", "--yes")
    assert project.resources() == []


def kubeconfig(server: str) -> str:
    return json.dumps(
        {
            "clusters": [{"name": "one", "cluster": {"server": server}}],
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
            "users": [{"name": "one", "user": {}}],
            "current-context": "one",
        }
    )
