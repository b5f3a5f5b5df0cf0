"""The program under mocks: what each addon adds to the graph, and to the stack's outputs."""

from typing import Any

import pytest
from pulumi.runtime import rpc

from components.addons import ADDONS, NAMESPACES
from components.addons.addon import Addon
from settings.cluster_facts import ClusterFacts, Node
from tests.graph.configurations import ALL_ADDONS
from tests.graph.recorder import Recording, run


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_an_addon_adds_only_itself(recording: Recording, addon: Addon[Any]) -> None:
    switched = run({"addons": {addon.name: not addon.default and ALL_ADDONS[addon.name]}})
    on, off = (recording, switched) if addon.default else (switched, recording)
    assert on.owners(on.beyond(off)) - {"TlsPassthroughIngress"} == {addon.component}
    # Where somebody else runs an ingress controller, its IngressClass is read.
    read = [("dashboard-ingress-class", True)] if addon.name == "ingress" else []
    assert [(each.name, each.read) for each in off.beyond(on)] == read
    if addon.optional:
        # Traefik is told where its traces go.
        changed = {"ingress-daemonset"} if addon.name == "jaeger" else set()
        assert {each.name for urn, each in off.resources.items() if each != on.resources[urn]} == changed


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_what_an_addon_needs_is_declared(addon: Addon[Any]) -> None:
    addons = dict.fromkeys(ALL_ADDONS, False) | {addon.name: True}
    alone = run({"sites": [], "addons": addons, "ingress": {"className": "the-class"}})
    uses = {
        "ingress": any("the-class" in repr(each.inputs) for each in alone.resources.values()),
        "storage": any("PersistentVolumeClaim" in kind for kind in alone.types()),
    }
    assert {need for need, used in uses.items() if used and need != addon.name} == set(addon.needs)


def test_the_namespaces_of_addons_are_reserved_and_looked_for(everything: Recording) -> None:
    made = {
        each.inputs["metadata"]["name"]: each.inputs["metadata"]["labels"]["app.kubernetes.io/component"]
        for each in everything.resources.values()
        if each.type.endswith(":Namespace")
    }
    assert made.pop("inspiration") == "site"
    assert made == NAMESPACES


def test_what_addons_tell(everything: Recording, recording: Recording) -> None:
    def login(name: str) -> dict[str, str]:
        return {"user": "admin", "password": f"result of {name}-password\n"}

    endpoint = "http://jaeger.jaeger.svc:4318/v1/traces"
    knative, issuers = "http://{name}-{namespace}.knative.localhost/", ["inspiration-ca", "inspiration-acme"]
    token = {"viewer": "kubectl create token viewer --namespace rbac --duration 8h"}
    to_jaeger = "kubectl port-forward --namespace jaeger service/jaeger 16686"
    to_loki = "kubectl port-forward --namespace logs service/loki 3100"
    registered = {
        each.type.rpartition(":")[2]: plain(everything.outputs[each.urn])
        for each in everything.beyond(recording)
        if each.type.startswith("inspiration:")
    }
    expected = {
        "MetricsServer": {"api": "v1beta1.metrics.k8s.io"},
        "Prometheus": {"url": "https://prometheus.localhost/", "login": login("prometheus")},
        "Logs": {"url": "http://loki.logs.svc:3100", "queryCommand": to_loki},
        "Rbac": {"commands": token},
        "Jaeger": {"otlpEndpoint": endpoint, "queryCommand": to_jaeger},
        "Knative": {"urlPattern": knative},
        "Cert": {"issuers": issuers},
        "Cilium": {"namespace": "cilium"},
        "GpuOperator": {"namespace": "gpu-operator"},
        "Istio": {"namespace": "istio-system"},
        "Linkerd": {"namespace": "linkerd"},
        "Rancher": {"url": "https://rancher.localhost/", "login": login("rancher")},
        "TlsPassthroughIngress": {},
    }
    assert {name: registered[name] for name in expected} == expected
    outputs = recording.stack_outputs | {
        "addon_urls": {name: f"https://{name}.localhost/" for name in ("dashboard", "prometheus", "rancher")},
        "prometheus_login": login("prometheus"),
        "logs_command": to_loki,
        "rbac_commands": token,
        "jaeger_command": to_jaeger,
        "knative_url": knative,
        "cert_issuers": issuers,
        "rancher_login": login("rancher"),
    }
    assert {name: plain(everything.stack_outputs)[name] for name in outputs} == outputs
    secrets = {name for name, value in everything.stack_outputs.items() if rpc.is_rpc_secret(value)}
    assert secrets == {"prometheus_login", "rancher_login"}


def plain(outputs: dict[str, Any]) -> dict[str, Any]:
    return {name: rpc.unwrap_rpc_secret(value) for name, value in outputs.items()}


def test_hosts_and_ports_are_those_of_the_configuration() -> None:
    addons = {"knative": {"domain": "apps.localhost"}, "rancher": {"host": "fleet.localhost"}}
    recording = run({"addons": addons, "ingress": {"httpPort": 8080, "httpsPort": 8443}})
    rules = recording.find("Ingress", "knative-gateway-ingress").inputs["spec"]["rules"]
    assert [rule["host"] for rule in rules] == ["*.apps.localhost"]
    assert recording.find("ConfigMap", "knative-config-domain").inputs["data"] == {"apps.localhost": ""}
    assert recording.stack_outputs["knative_url"] == "http://{name}-{namespace}.apps.localhost:8080/"
    assert recording.find("CertRequest", "rancher-tls-request").inputs["dnsNames"] == ["fleet.localhost"]
    assert recording.stack_outputs["addon_urls"]["rancher"] == "https://fleet.localhost:8443/"


def test_knative_is_awaited_but_for_its_controller(everything: Recording) -> None:
    # It is ready when it has seen the kinds that come after it, so that they go before it.
    for program in ("controller", "autoscaler", "activator", "webhook", "gateway"):
        annotations = everything.find("Deployment", f"knative-{program}").inputs["metadata"]["annotations"]
        assert ("pulumi.com/skipAwait" in annotations) is (program == "controller")


def test_prometheus_watches_the_sites_behind_a_password(everything: Recording) -> None:
    assert '"site": "inspiration"' in everything.find("ConfigMap", "prometheus-config").inputs["data"]["rules.yml"]
    assert rpc.is_rpc_secret(everything.find("Secret", "prometheus-web").inputs["data"])


def test_traefik_traces_to_jaeger(everything: Recording, recording: Recording) -> None:
    def told(program: Recording) -> bool:
        [container] = program.find("DaemonSet", "ingress-daemonset").inputs["spec"]["template"]["spec"]["containers"]
        return "--tracing.otlp.http.endpoint=http://jaeger.jaeger.svc:4318/v1/traces" in container["args"]

    assert (told(everything), told(recording)) == (True, False)


@pytest.mark.parametrize("insecure", [False, True])
def test_the_metrics_server_takes_any_certificate_of_a_kubelet_only_if_told(insecure: bool) -> None:
    recording = run({"addons": {"metrics-server": {"kubeletInsecureTls": insecure}}})
    pod = recording.find("Deployment", "metrics-server-deployment").inputs["spec"]["template"]["spec"]
    assert ("--kubelet-insecure-tls" in pod["containers"][0]["args"]) is insecure


@pytest.mark.parametrize(
    ("access", "bindings"),
    [
        ("view", {"dashboard-view": "view", "dashboard-view-cluster": "dashboard-view-cluster"}),
        ("admin", {"dashboard-admin": "cluster-admin"}),
    ],
)
def test_what_the_dashboard_may_do(access: str, bindings: dict[str, str]) -> None:
    recording = run({"addons": {"dashboard": {"access": access}}})
    found = {
        resource.name: resource.inputs["roleRef"]["name"]
        for resource in recording.resources.values()
        if resource.type.endswith(":ClusterRoleBinding") and resource.name.startswith("dashboard")
    }
    assert found == bindings


def test_kube_web_view_has_a_password() -> None:
    recording = run({"addons": {"dashboard": {"kind": "kube-web-view"}}})
    login = recording.stack_outputs["dashboard_login"]
    assert rpc.is_rpc_secret(login)
    assert rpc.unwrap_rpc_secret(login) == {"user": "admin", "password": "result of dashboard-password\n"}
    [provider] = [r for r in recording.resources.values() if r.type == "pulumi:providers:random"]
    assert provider.name == "dashboard-random"
    assert rpc.is_rpc_secret(recording.find("Secret", "dashboard-caddy").inputs["data"])
    # Only a hash of what is secret is in the pod's annotation.
    template = recording.find("Deployment", "dashboard-deployment").inputs["spec"]["template"]
    assert template["metadata"]["annotations"].keys() == {"inspiration/config-sha256"}


def test_the_registry_is_closed_to_all_but_the_nodes_and_who_is_named(recording: Recording) -> None:
    assert recording.find("NetworkPolicy", "registry-policy").inputs["spec"]["ingress"] == []
    told = run(
        {"addons": {"registry": {"sourceRanges": ["192.0.2.0/24"]}}},
        facts=ClusterFacts("test", nodes=(Node(("10.0.0.1",)),)),
    )
    [rule] = told.find("NetworkPolicy", "registry-policy").inputs["spec"]["ingress"]
    assert rule["from"] == [{"ipBlock": {"cidr": cidr}} for cidr in ("192.0.2.0/24", "10.0.0.1/32")]


def test_old_releases_are_deleted_unless_all_are_kept(recording: Recording) -> None:
    def prunes(recorded: Recording) -> bool:
        return any(each.name.startswith("registry-prune") for each in recorded.resources.values())

    assert prunes(recording)
    assert not prunes(run({"addons": {"registry": {"keep": False}}}))


def test_rights_by_default_are_an_account_that_views() -> None:
    recording = run({"addons": {"rbac": True}})
    assert recording.stack_outputs["rbac_commands"].keys() == {"viewer"}
    assert not [each.name for each in recording.resources.values() if each.name.startswith(("rbac-edit", "rbac-admin"))]
