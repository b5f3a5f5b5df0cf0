"""How the API server is asked about what a stack has deployed, and what is said where it can't be."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from embedded.health.api import WATCH_SECONDS, ApiError, connect
from embedded.health.deployed import Kind
from tests.unit.api_servers import kubeconfig
from tests.unit.api_servers import serve as serve
from tests.unit.api_servers import started as started

POD, ROLE = Kind("v1", "Pod"), Kind("rbac.authorization.k8s.io/v1", "ClusterRole")
FOUND = {"metadata": {"name": "web"}}
FORBIDDEN = 'User "eve" cannot get resource "pods"'


def discovered(*kinds: tuple[str, str, bool]) -> tuple[int, Any]:
    return 200, {"resources": [{"kind": kind, "name": name, "namespaced": inside} for kind, name, inside in kinds]}


KINDS = {
    "/api/v1": discovered(
        ("Namespace", "namespaces", False),
        ("Pod", "pods", True),
        ("Pod", "pods/log", True),
        ("Service", "services", True),
    ),
    "/apis/rbac.authorization.k8s.io/v1": discovered(("ClusterRole", "clusterroles", False)),
}


def problem(text: str, context: str | None = "here") -> str:
    """What is said where the API server of a kubeconfig can't be asked."""
    with pytest.raises(ApiError) as caught:
        connect("shop", text, context).check()
    return str(caught.value)


def test_objects_are_where_discovery_says(serve: Any) -> None:
    objects = {
        "/api/v1/namespaces/blog/pods/web": (200, FOUND),
        "/api/v1/namespaces/default/pods/web": (200, FOUND),
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa%20b%3F": (200, FOUND),
        "/api/v1/pods?labelSelector=a%20in%20%28x%2Cy%29": (200, {"items": [FOUND]}),
        "/api/v1/namespaces/empty/pods": (200, {"items": None}),
    }
    server = serve(answers=KINDS | objects)
    cluster = connect("shop", kubeconfig(server.url))
    assert cluster.get(POD, "blog", "web") == FOUND
    assert cluster.get(POD, None, "web") == FOUND
    assert cluster.get(POD, "blog", "none") is None
    assert cluster.get(ROLE, None, "system:a b?") == FOUND
    assert cluster.objects(POD, None, labelSelector="a in (x,y)") == [FOUND]
    assert cluster.objects(POD, "empty") == []
    # Each API version is discovered once.
    asked = [asked.path for asked in server.asked]
    assert sorted(asked) == sorted([*KINDS, *objects, "/api/v1/namespaces/blog/pods/none"])


def test_the_end_of_a_log(serve: Any) -> None:
    path = "/api/v1/namespaces/blog/pods/web/log?container=site&previous={}&tailLines=2"
    logs = {path.format("true"): (200, "no such file\nexiting\n"), path.format("false"): (400, {"code": 400})}
    cluster = connect("shop", kubeconfig(serve(answers=KINDS | logs).url))
    assert cluster.log("blog", "web", "site", previous=True, lines=2) == ["no such file", "exiting"]
    assert cluster.log("blog", "web", "site", previous=False, lines=2) == []


def test_the_lines_of_a_log(serve: Any) -> None:
    path = "/api/v1/namespaces/blog/pods/web/log?container="
    logs = {f"{path}site&follow=true": (200, "one\r\n\ntwo"), f"{path}new": (400, {}), f"{path}secret": (403, {})}
    cluster = connect("shop", kubeconfig(serve(answers=KINDS | logs).url))
    assert list(cluster.log_lines("blog", "web", "site", follow="true")) == [b"one\r\n", b"\n", b"two"]
    assert [*cluster.log_lines("blog", "web", "new"), *cluster.log_lines("blog", "none", "site")] == []
    with pytest.raises(ApiError, match="grant that permission, or use another user"):
        list(cluster.log_lines("blog", "web", "secret"))


def test_changes_of_objects(serve: Any) -> None:
    path = f"/api/v1/namespaces/blog/pods?watch=true&timeoutSeconds={WATCH_SECONDS}&labelSelector=a"
    events = [("ADDED", FOUND), ("DELETED", {}), ("MODIFIED", FOUND), ("ERROR", {"code": 410})]
    text = "".join(f"{json.dumps({'type': kind, 'object': each})}\n" for kind, each in events)
    cluster = connect("shop", kubeconfig(serve(answers=KINDS | {path: (200, text)}).url))
    assert list(cluster.changes(POD, "blog", labelSelector="a")) == [FOUND, FOUND]


def behind(namespace: str, service: str, port: int, target: int | str, *pods: dict[str, Any]) -> dict[str, Any]:
    """A Service, and the pods that it selects."""
    spec = {"ports": [{"port": port, "targetPort": target}], "selector": {"app": service}}
    return {
        f"/api/v1/namespaces/{namespace}/services/{service}": (200, {"spec": spec}),
        f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3D{service}": (200, {"items": pods}),
    }


def server_pod(name: str, port: int, *, ready: bool = True) -> dict[str, Any]:
    """A pod with a port that is called *http*."""
    return {
        "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "first"}, {"name": "web", "ports": [{"name": "http", "containerPort": port}]}]
        },
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {"message": "no such page"}), "answered HTTP 404 (no such page); see whether its pods run"),
        ((400, "parse  error\nat 1"), "answered HTTP 400 (parse error at 1); see whether its pods run"),
        ((200, "[]"), "answered HTTP 200 ([]); see whether its pods run"),
    ],
)
@pytest.mark.parametrize("target", ["http", 8080])
def test_a_pod_of_a_service_is_asked(target: int | str, answer: tuple[int, Any], said: str, serve: Any) -> None:
    path = "/api/v1/namespaces/blog/pods/web-1/portforward?ports=8080/{}?a=b"
    pods = server_pod("web-0", 8080, ready=False), server_pod("web-1", 8080)
    answers = KINDS | behind("blog", "web", 80, target, *pods)
    long = {"its": "answer" * 1000}
    answers |= {path.format("good"): (200, long), path.format("bad"): answer}
    cluster = connect("shop", kubeconfig(serve(answers=answers).url))
    assert cluster.ask_service("blog", "web", 80, "/good", a="b") == long
    with pytest.raises(ApiError) as caught:
        cluster.ask_service("blog", "web", 80, "/bad", a="b")
    assert said in str(caught.value)


def test_a_service_that_nobody_answers_for(serve: Any) -> None:
    pods = server_pod("web-0", 8080, ready=False), server_pod("web-1", 8080)
    server = serve(answers=KINDS | behind("blog", "web", 80, 8080, *pods) | behind("blog", "idle", 80, 8080, pods[0]))
    server.forwards = False
    cluster = connect("shop", kubeconfig(server.url))
    with pytest.raises(ApiError, match="there is no Service blog/none; see whether it was removed"):
        cluster.ask_service("blog", "none", 80, "/")
    with pytest.raises(ApiError, match="the Service blog/idle has no pod that is ready; wait until one is"):
        cluster.ask_service("blog", "idle", 80, "/")
    with pytest.raises(ApiError, match="refuses to reach into a pod"):
        cluster.ask_service("blog", "web", 80, "/")


def test_a_kind_that_the_cluster_has_not(serve: Any) -> None:
    with pytest.raises(ApiError) as caught:
        connect("shop", kubeconfig(serve(answers=KINDS).url)).get(Kind("example.com/v1", "Thing"), "blog", "web")
    assert str(caught.value) == (
        "the cluster has no kind Thing in example.com/v1: install what defines it (a CustomResourceDefinition)"
    )


def test_an_object_that_may_not_be_seen(serve: Any) -> None:
    refused = {"/api/v1/namespaces/blog/pods/web": (403, {"message": f'pods "web" is forbidden: {FORBIDDEN}'})}
    with pytest.raises(ApiError) as caught:
        connect("shop", kubeconfig(serve(answers=KINDS | refused).url)).get(POD, "blog", "web")
    assert str(caught.value) == f"{FORBIDDEN}; grant that permission, or use another user"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (
            {"/api/v1": (401, {"message": "Unauthorized"})},
            "shop:context: {}, doesn't accept the credentials (401 Unauthorized); sign in again, or set another "
            "context",
        ),
        ({}, "{}, isn't a Kubernetes API server: it has no /api/v1; set another context"),
    ],
)
def test_what_is_of_no_use_at_all(serve: Any, answers: Any, said: str) -> None:
    url = serve(answers=answers).url
    assert problem(kubeconfig(url)) == said.format(f'{url}, of context "here"')


def test_nobody_there(caplog: pytest.LogCaptureFixture) -> None:
    assert problem(kubeconfig("http://127.0.0.1:1"), None) == (
        "shop:context: http://127.0.0.1:1, of the current context, doesn't answer: Connection refused; start the "
        "cluster, or set another context"
    )
    assert not caplog.records


def test_one_that_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("settings.cluster_reader.READ_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        said = problem(kubeconfig(f"http://127.0.0.1:{listening.getsockname()[1]}"))
    assert "doesn't answer: timed out; start the cluster" in said


def test_no_kubeconfig_or_no_such_context(tmp_path: Path) -> None:
    assert problem(str(tmp_path / "none")).startswith(f"shop:kubeconfig: {tmp_path / 'none'} doesn't exist; allowed: ")
    assert problem(kubeconfig("http://x"), "nope") == (
        "shop:kubeconfig: Invalid kube-config file. Expected object with name nope in kube-config/contexts list; "
        "correct it, or write it again"
    )
