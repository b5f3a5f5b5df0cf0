"""What is said of the health of what the stack has deployed."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from rich.console import Console

from embedded import health
from embedded.commands.health import render
from embedded.health import Component, Object, Problem
from embedded.plugins.kubernetes.client import Client
from embedded.plugins.kubernetes.errors import ApiError, UnreachableError
from embedded.plugins.kubernetes.kinds import Kind

NOW = datetime(2026, 11, 23, tzinfo=UTC)
URN = "urn:pulumi:dev::inspiration::"
STACK = f"{URN}pulumi:pulumi:Stack::inspiration-dev"
DEPLOYMENT, POD, SERVICE = Kind("apps/v1", "Deployment"), Kind("v1", "Pod"), Kind("v1", "Service")


def resource(kind: str, name: str, parent: str = STACK, **more: Any) -> dict[str, Any]:
    return {"urn": f"{URN}{kind}::{name}", "type": kind, "parent": parent, "custom": "id" in more, **more}


def exported(*resources: dict[str, Any], **outputs: Any) -> dict[str, Any]:
    stack = {"urn": STACK, "type": "pulumi:pulumi:Stack", "outputs": outputs}
    return {"resources": [stack, *resources]}


DASHBOARD = resource("inspiration:index:Dashboard", "dashboard")
INGRESS = resource("inspiration:index:TlsPassthroughIngress", "dashboard-ingress", DASHBOARD["urn"])
SITE = resource("inspiration:index:Site", "blog")
IMAGE = resource("inspiration:index:SiteImage", "blog")


def below(parent: dict[str, Any], kind: str, identity: str, **more: Any) -> dict[str, Any]:
    return resource(kind, identity.replace("/", "-"), parent["urn"], id=identity, **more)


def test_objects_belong_to_the_outermost_component() -> None:
    state = exported(
        DASHBOARD,
        INGRESS,
        below(INGRESS, "kubernetes:networking.k8s.io/v1:Ingress", "dashboard/dashboard"),
        below(DASHBOARD, "kubernetes:core/v1:Namespace", "dashboard"),
        SITE,
        below(SITE, "kubernetes:apps/v1:Deployment", "blog/web"),
        site_urls={"blog": "http://blog.localhost/"},
        addon_urls={"dashboard": "https://dashboard.localhost/"},
    )
    assert [(each.name, each.url, [str(it) for it in each.objects]) for each in health.components(state)] == [
        ("dashboard", "https://dashboard.localhost/", ["Ingress dashboard/dashboard", "Namespace dashboard"]),
        ("blog", "http://blog.localhost/", ["Deployment blog/web"]),
    ]


def test_what_runs_nothing_is_left_out() -> None:
    assert health.components({}) == []
    state = exported(
        IMAGE,
        below(IMAGE, "docker:index/image:Image", "localhost:32000/blog"),
        SITE,
        below(SITE, "pulumi:providers:kubernetes", "x"),
        below(SITE, "kubernetes:apps/v1:Deployment", "blog/old", delete=True),
        below(SITE, "kubernetes:networking.k8s.io/v1:IngressClass", "nginx", external=True),
        below(SITE, "kubernetes:helm.sh/v3:Release", "blog/chart"),
    )
    assert health.components(state) == []


def test_a_custom_resource_says_its_kind_itself() -> None:
    inputs = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRouteTCP"}
    state = exported(SITE, below(SITE, "kubernetes:traefik.io/v1alpha1:IngressRouteTCP", "blog/web", inputs=inputs))
    [component] = health.components(state)
    assert component.objects == [Object(Kind("traefik.io/v1alpha1", "IngressRouteTCP"), "blog", "web")]


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=15), []),
        (timedelta(days=13), ["the certificate leaf expires on 2026-12-06; `pulumi up` makes a new one"]),
        (timedelta(days=-1), ["the certificate leaf expired on 2026-11-22; `pulumi up` makes a new one"]),
    ],
)
def test_certificates(left: timedelta, said: list[str]) -> None:
    leaf = resource("tls:index/locallySignedCert:LocallySignedCert", "leaf", SITE["urn"], id="1")
    leaf["outputs"] = {"validityEndTime": (NOW + left).isoformat()}
    [component] = health.components(exported(SITE, leaf))
    assert [problem.what for problem in health.expired(component, NOW)] == said


class Cluster:
    """An API server with some objects, as the plugin's client shows them."""

    def __init__(self, *objects: dict[str, Any], error: Exception | None = None) -> None:
        self._objects = objects
        self._error = error

    def _of(self, kind: Kind) -> list[dict[str, Any]]:
        if self._error:
            raise self._error
        return [each for each in self._objects if each["kind"] == kind.name]

    async def endpoint(self, kind: Kind) -> None:
        self._of(kind)

    async def get(self, kind: Kind, namespace: str | None, name: str) -> dict[str, Any] | None:
        return next((each for each in self._of(kind) if each["metadata"]["name"] == name), None)

    async def list_objects(self, kind: Kind, namespace: str | None, **selectors: str) -> dict[str, Any]:
        return {"items": self._of(kind)}

    async def log_tail(self, *where: str, previous: bool, lines: int) -> list[str]:
        return ["no such file", "exiting"]


def live(kind: Kind, name: str, status: dict[str, Any], spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    named = {"name": name, "namespace": "blog", **metadata}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": named, "spec": spec, "status": status}


def web(available: int, **metadata: Any) -> dict[str, Any]:
    status = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": available}
    return live(DEPLOYMENT, "web", status, {"replicas": 2}, **metadata)


def pod(state: dict[str, Any]) -> dict[str, Any]:
    return live(POD, "web-1", {"containerStatuses": [{"name": "site", "restartCount": 0, **state}]}, {})


EXPOSED = live(SERVICE, "web", {}, {"selector": {"a": "b"}, "clusterIP": "10.0.0.1", "type": "ClusterIP"})
PULLING = pod({"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}})
CRASHED = pod({"state": {"terminated": {"exitCode": 7}}})


def problems(cluster: Cluster, *kinds: Kind) -> list[Problem]:
    component = Component("blog", objects=[Object(kind, "blog", "web") for kind in kinds or (DEPLOYMENT,)])
    return asyncio.run(health.problems(component, cast(Client, cluster), NOW))


def test_a_healthy_component_has_no_problems() -> None:
    assert problems(Cluster(web(2))) == []


@pytest.mark.parametrize(
    ("cluster", "problem"),
    [
        (Cluster(), Problem("Deployment blog/web is gone; `pulumi up --refresh` makes it again")),
        (
            Cluster(web(0, deletionTimestamp="now", finalizers=["example.com/mine"])),
            Problem("Deployment blog/web is being deleted: held by finalizer example.com/mine"),
        ),
        (
            Cluster(web(1), PULLING),
            Problem(
                "Deployment blog/web isn't ready: 1 of 2 pods are available",
                ("container site: ErrImagePull: not found",),
            ),
        ),
        (
            Cluster(web(1), CRASHED),
            Problem(
                "Deployment blog/web isn't ready: 1 of 2 pods are available",
                (
                    "container site crashed (exit code 7)",
                    "last lines of container site in pod web-1:\n    no such file\n    exiting",
                ),
            ),
        ),
        (Cluster(error=ApiError(403, {"message": "forbidden"})), Problem("Deployment blog/web: forbidden")),
    ],
)
def test_a_problem_has_its_causes(cluster: Cluster, problem: Problem) -> None:
    assert problems(cluster) == [problem]


def test_a_cause_is_told_once_where_it_arises() -> None:
    [deployed, exposed] = problems(Cluster(web(0), PULLING, EXPOSED), SERVICE, DEPLOYMENT)
    assert deployed.causes == ("container site: ErrImagePull: not found",)
    assert exposed.what.startswith("Service blog/web isn't ready: ")
    assert exposed.causes == ()


def test_without_an_api_server_there_is_one_error() -> None:
    gone = cast(Client, Cluster(error=UnreachableError("it doesn't answer")))
    with pytest.raises(UnreachableError, match="it doesn't answer"):
        asyncio.run(health.inspect(exported(SITE, below(SITE, "kubernetes:apps/v1:Deployment", "blog/web")), gone))


def test_the_table() -> None:
    file = io.StringIO()
    sick = Problem("Deployment blog/web isn't ready: 0 of 2 pods are available", ("[bold] isn't markup here",))
    shop = Component("shop", "http://shop.localhost/")
    render(Console(file=file, width=60, highlight=False), [(Component("dns"), []), (shop, [sick])])
    assert [line.rstrip() for line in file.getvalue().splitlines()] == [
        "component  health     page",
        "dns        healthy",
        "shop       unhealthy  http://shop.localhost/",
        "shop: Deployment blog/web isn't ready: 0 of 2 pods are available",
        "  [bold] isn't markup here",
    ]
