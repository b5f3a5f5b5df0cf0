"""Kubeconfigs as Pulumi's provider reads them: which cluster and namespace objects go to, as whom, and on which way.

Of ``$KUBECONFIG`` and ``~/.kube/config`` it reads what kubectl reads, if the provider's key ``kubeconfig`` is empty. It
isn't by itself: Pulumi's SDK sets it to ``$KUBECONFIG``. A list of files there is no path, and paths in the one that is
given by its own are relative to the working directory.
"""

import base64
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject

MADE = """
def made(name, **options):
    K.core.v1.ConfigMap(name, metadata={"name": name}, opts=Options(provider=K.Provider(name, **options)))
"""

CREDENTIALS = """#!/bin/sh
printf %s "$KUBERNETES_EXEC_INFO" > "${0%/*}/info"
token="$(cat "${0%/*}/token")"
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "'"$token"'"}}'
"""

EXEC = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": "./credentials",
    "provideClusterInfo": True,
    "interactiveMode": "Never",
}


class Kubeconfigs:
    """Writes kubeconfigs for the cluster, each with one context, in JSON with tabs."""

    def __init__(self, project: KubernetesProject, cluster: Cluster) -> None:
        flat = yaml.safe_load(cluster.kubectl("config", "view", "--raw", "--flatten", "--minify"))
        self.project = project
        self.cluster: dict[str, Any] = flat["clusters"][0]["cluster"]
        self.user: dict[str, Any] = flat["users"][0]["user"]

    @property
    def authority(self) -> str:
        return base64.b64decode(self.cluster["certificate-authority-data"]).decode()

    def write(
        self,
        name: str,
        namespace: str,
        *,
        context: str = "main",
        user: dict[str, Any] | None = None,
        **cluster: Any,
    ) -> Path:
        """Write one for the ``namespace``; what is given of ``cluster`` replaces or, if ``None``, removes something."""
        changed = {**self.cluster, **{key.replace("_", "-"): value for key, value in cluster.items()}}
        config = {
            "clusters": [{"name": name, "cluster": {key: value for key, value in changed.items() if value}}],
            "users": [{"name": name, "user": user or self.user}],
            "contexts": [{"name": context, "context": {"cluster": name, "user": name, "namespace": namespace}}],
            "current-context": context,
        }
        return self.project.write(name, json.dumps(config, indent="\t"))


@pytest.fixture
def kubeconfigs(project: KubernetesProject, cluster_access: Cluster) -> Kubeconfigs:
    return Kubeconfigs(project, cluster_access)


@pytest.fixture
def other(namespace: str, cluster_access: Cluster) -> Iterator[str]:
    """A second namespace."""
    name = f"{namespace}-other"
    cluster_access.kubectl("create", "namespace", name)
    yield name
    cluster_access.kubectl("delete", "namespace", name, "--wait=false")


def maps(cluster: Cluster, namespace: str) -> set[str]:
    """The ConfigMaps that programs made in a namespace."""
    items = cluster.object("configmaps", "-n", namespace)["items"]
    return {each["metadata"]["name"] for each in items} - {"kube-root-ca.crt"}


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            target.sendall(received)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """The URL of an HTTP proxy, and the addresses that it was asked to connect to."""
    asked: list[str] = []

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client.makefile("rb", buffering=0) as lines:
                    asked.append(lines.readline().split()[1].decode())
                    while lines.readline().strip():
                        pass
                host, _, port = asked[-1].rpartition(":")
                server = socket.create_connection((host, int(port)))
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                for pair in (client, server), (server, client):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_objects_go_where_kubectl_would_put_them(
    project: KubernetesProject, cluster_access: Cluster, kubeconfigs: Kubeconfigs, other: str
) -> None:
    """Of several files, the first with a current context wins; JSON with tabs is read; a text stays secret."""
    namespace = project.namespace
    first, second = kubeconfigs.write("a", namespace), kubeconfigs.write("b", other, context="second")
    project.variables["KUBECONFIG"] = f"{first}:{project.folder / 'missing'}:{second}"
    project.declare(MADE, """
    K.core.v1.ConfigMap("default", metadata={"name": "default"})
    made("current", kubeconfig="")
    made("chosen", kubeconfig="", context="second")
    made("path", kubeconfig="b")
    made("text", kubeconfig=pulumi.Output.secret(open("b").read()))
    made("given", kubeconfig="a", namespace=f"{NS}-other")
    """)  # fmt: skip
    shown = project.up()
    assert maps(cluster_access, namespace) == {"default", "current"}
    assert maps(cluster_access, other) == {"chosen", "path", "text", "given"}
    assert "client-key-data" not in shown + project.pulumi("stack", "export")
    project.assert_no_change()

    # Another text, or a path instead, is the same cluster as long as its address and authority stay: no new objects.
    project.declare(MADE, 'made("path", kubeconfig=open("b").read())\nmade("text", kubeconfig="b")')
    shown = project.preview("--target", "**path", "--target", "**text")
    assert "to replace" not in shown
    assert "2 to update" in shown


def test_the_sdk_takes_a_list_of_files_for_a_path(project: KubernetesProject, kubeconfigs: Kubeconfigs) -> None:
    """What an empty ``kubeconfig`` is for."""
    listed = f"{kubeconfigs.write('a', project.namespace)}:{kubeconfigs.write('b', project.namespace)}"
    project.variables["KUBECONFIG"] = listed
    project.declare(MADE, 'made("sdk")')
    assert "failed to parse kubeconfig data in `kubernetes:config:kubeconfig`" in project.up(fails=True)
    assert project.resource("sdk")["inputs"]["kubeconfig"] == listed


def test_who_asks_and_whom_to_trust(
    project: KubernetesProject,
    cluster_access: Cluster,
    kubeconfigs: Kubeconfigs,
    proxy: tuple[str, list[str]],
) -> None:
    """Files that one in ``$KUBECONFIG`` names are found beside it; a proxy is asked; users are impersonated."""
    namespace = project.namespace
    cluster_access.kubectl("create", "role", "maps", "-n", namespace, "--verb=*", "--resource=configmaps")
    to = ("--group=painters", f"--serviceaccount={namespace}:default")
    cluster_access.kubectl("create", "rolebinding", "maps", "-n", namespace, "--role=maps", *to)
    project.write("files/ca.crt", f"# Für das Büro, 東京\n{kubeconfigs.authority}")
    project.write("files/token", cluster_access.kubectl("create", "token", "default", "-n", namespace))
    project.write("files/credentials", CREDENTIALS).chmod(0o755)
    files: dict[str, Any] = {"certificate_authority_data": None, "certificate_authority": "ca.crt"}
    beside = [
        kubeconfigs.write("files/exec", namespace, context="exec", user={"exec": EXEC}, **files),
        kubeconfigs.write("files/ca", namespace, context="ca", **files),
    ]
    vincent = {**kubeconfigs.user, "as": "vincent"}
    kubeconfigs.write("painter", namespace, user={**vincent, "as-groups": ["painters"]})
    kubeconfigs.write("poet", namespace, user={**vincent, "as-groups": ["poets"]})
    kubeconfigs.write("proxied", namespace, proxy_url=proxy[0])
    project.variables["KUBECONFIG"] = ":".join(map(str, beside))
    program = """
    made("exec", kubeconfig="", context="exec")
    made("ca", kubeconfig="", context="ca")
    made("painter", kubeconfig="painter")
    made("proxied", kubeconfig="proxied")
    """
    project.declare(MADE, program)
    project.up()
    assert maps(cluster_access, namespace) == {"exec", "ca", "painter", "proxied"}
    address = kubeconfigs.cluster["server"].removeprefix("https://")
    assert set(proxy[1]) == {address}
    told = json.loads((project.folder / "files" / "info").read_text())["spec"]["cluster"]
    assert told["server"] == kubeconfigs.cluster["server"]
    assert base64.b64decode(told["certificate-authority-data"]).decode().endswith(kubeconfigs.authority)

    # By a path of its own, the same files are looked for in the working directory.
    project.declare(MADE, program, 'made("poet", kubeconfig="poet")\nmade("by-path", kubeconfig="files/ca")')
    shown = project.pulumi("up", "--yes", "--skip-preview", "--continue-on-error", fails=True)
    assert 'User "vincent" cannot patch resource "configmaps"' in shown
    assert "unable to read certificate-authority ca.crt" in shown


def test_no_proxy(project: KubernetesProject, kubeconfigs: Kubeconfigs) -> None:
    """As a range of addresses, and with a port; but a name or a loopback address wouldn't show it."""
    host, _, port = kubeconfigs.cluster["server"].removeprefix("https://").partition(":")
    if host.startswith("127.") or not host.replace(".", "").isdigit():
        pytest.skip(f"the API server is {host}: no address that is asked through a proxy")
    project.declare("""
    pulumi.export("phase", K.core.v1.Namespace.get("default", "default").status.phase)
    """)
    project.variables["HTTPS_PROXY"] = f"http://127.0.0.1:{closed_port()}"
    for without in f"{host.rpartition('.')[0]}.0/24", f"example.test,{host}:{port}":
        project.variables["NO_PROXY"] = without
        assert 'phase: "Active"' in project.preview()
    project.variables["NO_PROXY"] = f"{host}:1"
    assert "proxyconnect tcp: dial tcp 127.0.0.1" in project.preview(fails=True)


def test_a_cluster_that_cannot_be_reached(project: KubernetesProject, kubeconfigs: Kubeconfigs) -> None:
    """A preview, or an update without changes, doesn't notice. Who knows that it is gone for good can say so."""
    project.declare(MADE, 'made("one", kubeconfig="cluster")')
    assert "3 to create" in project.preview(), "the kubeconfig isn't there yet"
    kubeconfigs.write("cluster", project.namespace)
    project.up()
    kubeconfigs.write("cluster", project.namespace, server=f"https://127.0.0.1:{closed_port()}")
    assert "3 unchanged" in project.up()
    project.declare(MADE, 'made("one", kubeconfig="cluster")\nmade("two", kubeconfig="cluster")')
    assert "configured Kubernetes cluster is unreachable: unable to load schema" in project.up(fails=True)
    refused = project.pulumi("destroy", "--yes", "--skip-preview", fails=True)
    assert "connect: connection refused" in refused
    assert "PULUMI_K8S_DELETE_UNREACHABLE environment variable set to" in refused
    project.variables["PULUMI_K8S_DELETE_UNREACHABLE"] = "true"
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.resources() == []
