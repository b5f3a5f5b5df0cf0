"""What is said of the health of what the stack has deployed."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from embedded.commands import deployment, health
from embedded.health.api import Api, ApiError
from embedded.health.deployed import Component, Kind, Object, components
from embedded.health.inspection import Problem, expired, inspect

NOW = datetime(2026, 11, 23, tzinfo=UTC)
URN = "urn:pulumi:dev::inspiration::"
STACK = f"{URN}pulumi:pulumi:Stack::inspiration-dev"
DEPLOYMENT, SERVICE = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"


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
        below(SITE, DEPLOYMENT, "blog/web"),
        site_urls={"blog": "http://blog.localhost/"},
        addon_urls={"dashboard": "https://dashboard.localhost/"},
    )
    assert [(each.name, each.url, [str(it) for it in each.objects]) for each in components(state)] == [
        ("dashboard", "https://dashboard.localhost/", ["Ingress dashboard/dashboard", "Namespace dashboard"]),
        ("blog", "http://blog.localhost/", ["Deployment blog/web"]),
    ]


def test_what_runs_nothing_is_left_out() -> None:
    assert components({}) == []
    state = exported(
        IMAGE,
        below(IMAGE, "docker:index/image:Image", "localhost:32000/blog"),
        SITE,
        below(SITE, "pulumi:providers:kubernetes", "x"),
        below(SITE, DEPLOYMENT, "blog/old", delete=True),
        below(SITE, "kubernetes:networking.k8s.io/v1:IngressClass", "nginx", external=True),
        below(SITE, "kubernetes:helm.sh/v3:Release", "blog/chart", inputs={"chart": "blog"}),
        below(SITE, "kubernetes:core/v1:ConfigMapList", "list", inputs={"kind": "ConfigMapList", "items": []}),
        resource("kubernetes:yaml/v2:ConfigGroup", "group", SITE["urn"]),
    )
    assert components(state) == []


def test_what_a_chart_has_made_is_of_the_component_that_has_the_chart() -> None:
    chart = resource("kubernetes:helm.sh/v4:Chart", "blog-chart", SITE["urn"])
    [component] = components(exported(SITE, chart, below(chart, SERVICE, "blog/web")))
    assert (component.name, component.objects) == ("blog", [Object(Kind("v1", "Service"), "blog", "web")])


@pytest.mark.parametrize(
    ("token", "inputs", "kind"),
    [
        ("core/v1:Service", {}, Kind("v1", "Service")),
        ("apps/v1:Deployment", {"apiVersion": "apps/v1", "kind": "Deployment"}, Kind("apps/v1", "Deployment")),
        ("apps/v1:DeploymentPatch", {"apiVersion": "apps/v1", "kind": "Deployment"}, Kind("apps/v1", "Deployment")),
        ("apps/v1:DeploymentPatch", {}, Kind("apps/v1", "Deployment")),
        ("a.io/v1:ThingPatch", {"apiVersion": "a.io/v1", "kind": "Thing"}, Kind("a.io/v1", "Thing")),
        ("a.io/v1:ThingPatch", {"apiVersion": "a.io/v1", "kind": "ThingPatch"}, Kind("a.io/v1", "ThingPatch")),
        ("a.io/v1:AllowList", {"apiVersion": "a.io/v1", "kind": "AllowList", "spec": {}}, Kind("a.io/v1", "AllowList")),
        ("helm.cattle.io/v1:HelmChart", {}, Kind("helm.cattle.io/v1", "HelmChart")),
        ("core/v1:Secret", {"apiVersion": "v1", "kind": {"ciphertext": "x"}}, Kind("v1", "Secret")),
    ],
)
def test_the_kind_of_an_object(token: str, inputs: dict[str, Any], kind: Kind) -> None:
    [component] = components(exported(SITE, below(SITE, f"kubernetes:{token}", "blog/web", inputs=inputs)))
    assert component.objects == [Object(kind, "blog", "web")]


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
    [component] = components(exported(SITE, leaf))
    assert [problem.what for problem in expired(component, NOW)] == said


class Cluster(Api):
    """An API server with some objects."""

    def __init__(self, *there: dict[str, Any], error: str = "", silent: str = "") -> None:
        self._there = there
        self._error = error
        self._silent = silent

    def check(self) -> None:
        if self._silent:
            raise ApiError(self._silent)

    def get(self, kind: Kind, namespace: str | None, name: str) -> dict[str, Any] | None:
        return next((each for each in self.objects(kind, namespace) if each["metadata"]["name"] == name), None)

    def objects(self, kind: Kind, namespace: str | None, **selectors: str) -> list[dict[str, Any]]:
        if self._error:
            raise ApiError(self._error)
        return [each for each in self._there if each["kind"] == kind.name]

    def log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> list[str]:
        return ["no such file", "exiting"]


def live(api_version: str, kind: str, name: str, status: Any, spec: Any, **metadata: Any) -> dict[str, Any]:
    named = {"name": name, "namespace": "blog", **metadata}
    return {"apiVersion": api_version, "kind": kind, "metadata": named, "spec": spec, "status": status}


def web(available: int, **metadata: Any) -> dict[str, Any]:
    status = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": available}
    spec = {"replicas": 2, "template": {"metadata": {"labels": {"a": "b"}}}}
    return live("apps/v1", "Deployment", "web", status, spec, **metadata)


def pod(state: dict[str, Any]) -> dict[str, Any]:
    return live("v1", "Pod", "web-1", {"containerStatuses": [{"name": "site", "restartCount": 0, **state}]}, {})


EXPOSED = live("v1", "Service", "web", {}, {"selector": {"a": "b"}, "clusterIP": "10.0.0.1", "type": "ClusterIP"})
PULLING = pod({"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}})
CRASHED = pod({"state": {"terminated": {"exitCode": 7}}})


def problems(cluster: Cluster, *kinds: str) -> list[Problem]:
    resources = [below(SITE, kind, "blog/web") for kind in kinds or (DEPLOYMENT,)]
    [(_, found)] = inspect(exported(SITE, *resources), cluster)
    return found


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
        (Cluster(error="forbidden"), Problem("Deployment blog/web: forbidden")),
    ],
)
def test_a_problem_has_its_causes(cluster: Cluster, problem: Problem) -> None:
    assert problems(cluster) == [problem]


def test_a_cause_is_told_once_where_it_arises() -> None:
    [deployed, exposed] = problems(Cluster(web(0), PULLING, EXPOSED), SERVICE, DEPLOYMENT)
    assert deployed.causes == ("container site: ErrImagePull: not found",)
    assert exposed == Problem("Service blog/web isn't ready: it has no ready endpoint")


def test_an_object_is_told_of_once_though_something_patches_it() -> None:
    [problem] = problems(Cluster(web(0)), DEPLOYMENT, f"{DEPLOYMENT}Patch")
    assert problem.what == "Deployment blog/web isn't ready: 0 of 2 pods are available"


def test_a_certificate_is_told_of_after_the_objects() -> None:
    leaf = resource("tls:index/locallySignedCert:LocallySignedCert", "leaf", SITE["urn"], id="1")
    leaf["outputs"] = {"validityEndTime": NOW.replace(year=2020).isoformat()}
    [(_, [gone, leaf_problem])] = inspect(exported(SITE, leaf, below(SITE, DEPLOYMENT, "blog/web")), Cluster())
    assert gone.what == "Deployment blog/web is gone; `pulumi up --refresh` makes it again"
    assert leaf_problem.what == "the certificate leaf expired on 2020-11-23; `pulumi up` makes a new one"


def test_without_an_api_server_there_is_one_error() -> None:
    with pytest.raises(ApiError, match="it doesn't answer"):
        problems(Cluster(silent="it doesn't answer"))


def test_the_table() -> None:
    file = io.StringIO()
    sick = Problem("Deployment blog/web isn't ready: 0 of 2 pods are available", ("[bold] isn't markup here",))
    shop = Component("shop", "http://shop.localhost/")
    health.render(Console(file=file, width=60, highlight=False), [(Component("dns"), []), (shop, [sick])])
    assert [line.rstrip() for line in file.getvalue().splitlines()] == [
        "component  health     page",
        "dns        healthy",
        "shop       unhealthy  http://shop.localhost/",
        "shop: Deployment blog/web isn't ready: 0 of 2 pods are available",
        "  [bold] isn't markup here",
    ]


def shown(monkeypatch: pytest.MonkeyPatch, cluster: Cluster, *resources: dict[str, Any]) -> tuple[bool, list[str]]:
    """What is shown of a stack whose configuration names a cluster, and whether all is well."""
    answers = {
        "stack": {"deployment": exported(*resources)},
        "config": {"inspiration:kubeconfig": {"value": "/a/kubeconfig"}, "inspiration:context": {"value": "here"}},
    }
    clusters = {("inspiration", "/a/kubeconfig", "here"): cluster}
    monkeypatch.setattr(deployment, "pulumi", lambda command, *_: answers[command])
    monkeypatch.setattr(deployment, "connect", lambda *chosen: clusters[chosen])
    file = io.StringIO()
    healthy = health.show(Console(file=file, width=60, highlight=False), "mine")
    return healthy, [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_stack_is_told_of_by_the_cluster_of_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = (SITE, below(SITE, DEPLOYMENT, "blog/web"))
    assert shown(monkeypatch, Cluster(web(2)), *deployed) == (True, ["component  health   page", "blog       healthy"])
    assert shown(monkeypatch, Cluster(), *deployed) == (
        False,
        [
            "component  health     page",
            "blog       unhealthy",
            "blog: Deployment blog/web is gone; `pulumi up --refresh` makes it again",
        ],
    )
    assert shown(monkeypatch, Cluster()) == (True, ["Nothing is deployed: pulumi up does that."])
    silent = Cluster(silent="the Kubernetes API server [::1] doesn't answer; check that the cluster runs")
    assert shown(monkeypatch, silent, *deployed) == (
        False,
        [
            "what the stack has deployed: unknown, the Kubernetes API server [::1] doesn't answer; check that the "
            "cluster runs"
        ],
    )
