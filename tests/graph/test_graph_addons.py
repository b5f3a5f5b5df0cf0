"""The program under mocks: what each addon adds to the graph."""

import pytest
from pulumi.runtime import rpc

from settings.cluster_facts import ClusterFacts, Node
from tests.graph.recorder import Recording, run


def test_rights_are_given_where_the_sites_are_once_those_are_there(recording: Recording) -> None:
    options = {"viewers": ["account:viewer"], "editors": ["alice"], "admins": ["group:ops"]}
    with_rbac = run({"addons": {"rbac": options}})
    new = {urn: each for urn, each in with_rbac.resources.items() if urn not in recording.resources}
    assert {resource.name for resource in new.values()} == {
        "rbac", "rbac-namespace", "rbac-account-viewer", "rbac-role", "rbac-view", "rbac-view-cluster",
        "rbac-edit-inspiration", "rbac-admin-inspiration",
    }  # fmt: skip
    for kind, name, field, before in (
        ("RoleBinding", "rbac-edit-inspiration", "metadata", "inspiration-namespace"),
        ("ClusterRoleBinding", "rbac-view", "subjects", "rbac-namespace"),
        ("ClusterRoleBinding", "rbac-view-cluster", "roleRef", "rbac-role"),
    ):
        urns = with_rbac.find(kind, name).property_dependencies[field]
        assert before in {urn.rpartition("::")[2] for urn in urns}
    command = "kubectl create token viewer --namespace rbac --duration 8h"
    [rbac] = [urn for urn, each in new.items() if each.name == "rbac"]
    assert with_rbac.outputs[rbac] == {"commands": {"viewer": command}}
    assert with_rbac.stack_outputs["rbac_commands"] == {"viewer": command}


def test_rights_by_default_are_an_account_that_views() -> None:
    recording = run({"addons": {"rbac": True}})
    assert recording.stack_outputs["rbac_commands"].keys() == {"viewer"}
    assert not [each.name for each in recording.resources.values() if each.name.startswith(("rbac-edit", "rbac-admin"))]


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


def test_the_metrics_server_comes_with_a_certificate_that_the_api_server_verifies(recording: Recording) -> None:
    metered = run({"addons": {"metrics-server": True}})
    new = {urn: each for urn, each in metered.resources.items() if urn not in recording.resources}
    assert {owner.type.rpartition(":")[2] for urn in new if (owner := metered.component(urn))} == {"MetricsServer"}
    for kind, name, field, before in (
        ("Deployment", "metrics-server-deployment", "spec", "metrics-server-tls-secret"),
        ("APIService", "metrics-server-api", "spec", "ca-certificate"),
        ("APIService", "metrics-server-api", "spec", "metrics-server-service"),
    ):
        urns = metered.find(kind, name).property_dependencies[field]
        assert before in {urn.rpartition("::")[2] for urn in urns}
    [component] = [urn for urn, each in new.items() if each.name == "metrics-server"]
    assert metered.outputs[component] == {"api": "v1beta1.metrics.k8s.io"}
    assert metered.stack_outputs == recording.stack_outputs


def test_the_registry_is_closed_to_all_but_the_nodes_and_who_is_named(recording: Recording) -> None:
    assert recording.find("NetworkPolicy", "registry-policy").inputs["spec"]["ingress"] == []
    told = run(
        {"addons": {"registry": {"sourceRanges": ["192.0.2.0/24"]}}},
        facts=ClusterFacts("test", nodes=(Node(("10.0.0.1",)),)),
    )
    [rule] = told.find("NetworkPolicy", "registry-policy").inputs["spec"]["ingress"]
    assert rule["from"] == [{"ipBlock": {"cidr": cidr}} for cidr in ("192.0.2.0/24", "10.0.0.1/32")]
    # No pod runs before the policy that confines it.
    policy, pods = told.find("NetworkPolicy", "registry-policy"), told.find("Deployment", "registry-deployment")
    assert policy.urn in pods.dependencies


def test_prometheus_watches_the_sites_behind_a_password(recording: Recording) -> None:
    measured = run({"addons": {"prometheus": {"size": "2Gi"}}, "domain": "localhost"})
    new = {urn: each for urn, each in measured.resources.items() if urn not in recording.resources}
    assert {owner.type.rpartition(":")[2] for urn in new if (owner := measured.component(urn))} == {
        "Prometheus",
        "TlsPassthroughIngress",
    }
    for kind, name, field, before in (
        ("StatefulSet", "prometheus-statefulset", "spec", "prometheus-claim"),
        ("StatefulSet", "prometheus-statefulset", "spec", "prometheus-config"),
        ("StatefulSet", "prometheus-statefulset", "spec", "prometheus-web"),
        ("StatefulSet", "prometheus-statefulset", "spec", "prometheus-tls-secret"),
        ("Secret", "prometheus-web", "data", "prometheus-password"),
        ("PersistentVolumeClaim", "prometheus-claim", "spec", "storage-deployment"),
        ("NetworkPolicy", "prometheus-policy", "spec", "ingress-namespace"),
        ("Ingress", "prometheus-ingress-ingress", "spec", "prometheus-service"),
    ):
        urns = measured.find(kind, name).property_dependencies[field]
        assert before in {urn.rpartition("::")[2] for urn in urns}
    for kind, name, before in (
        ("StatefulSet", "prometheus-statefulset", "prometheus-policy"),
        ("StatefulSet", "prometheus-statefulset", "prometheus-binding"),
        ("Service", "prometheus-service", "prometheus-statefulset"),
    ):
        assert before in {urn.rpartition("::")[2] for urn in measured.find(kind, name).dependencies}
    rules = measured.find("ConfigMap", "prometheus-config").inputs["data"]["rules.yml"]
    assert '"site": "inspiration"' in rules
    assert measured.stack_outputs["addon_urls"]["prometheus"] == "https://prometheus.localhost/"
    login = measured.stack_outputs["prometheus_login"]
    assert rpc.is_rpc_secret(login)
    assert rpc.unwrap_rpc_secret(login) == {"user": "admin", "password": "result of prometheus-password\n"}
    assert rpc.is_rpc_secret(measured.find("Secret", "prometheus-web").inputs["data"])
    [component] = [urn for urn, each in new.items() if each.name == "prometheus" and "Prometheus" in each.type]
    assert measured.outputs[component].keys() == {"url", "login"}


@pytest.mark.parametrize("insecure", [False, True])
def test_the_metrics_server_takes_any_certificate_of_a_kubelet_only_if_told(insecure: bool) -> None:
    recording = run({"addons": {"metrics-server": {"kubeletInsecureTls": insecure}}})
    pod = recording.find("Deployment", "metrics-server-deployment").inputs["spec"]["template"]["spec"]
    assert ("--kubelet-insecure-tls" in pod["containers"][0]["args"]) is insecure


def test_knative_is_removed_while_its_controller_can_still_let_its_objects_go(recording: Recording) -> None:
    scaled = run({"addons": {"knative": {"domain": "apps.localhost"}}, "ingress": {"httpPort": 8080}})
    new = {urn: each for urn, each in scaled.resources.items() if urn not in recording.resources}
    component = next(urn for urn, each in new.items() if each.name == "knative")
    assert {each.parent for urn, each in new.items() if urn != component} == {component}

    def before(name: str) -> set[str]:
        [resource] = [each for each in new.values() if each.name == name]
        return {urn.rpartition("::")[2] for urn in resource.dependencies}

    others = {"services", "configurations", "revisions", "ingresses", "podautoscalers", "images"}
    assert {f"knative-{plural}" for plural in others} <= before("knative-controller")
    # What comes after it is removed before it.
    for finalized in ("knative-routes", "knative-domainmappings"):
        assert "knative-controller" in before(finalized)
        assert finalized in before("knative-controller-service")
        assert finalized in before("knative-webhook")
    for configuration in ("defaulting", "validation", "config"):
        assert "knative-webhook-service" in before(f"knative-{configuration}")
    controller = scaled.find("Deployment", "knative-controller")
    assert controller.inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
    for program in ("autoscaler", "activator", "webhook", "gateway"):
        awaited = scaled.find("Deployment", f"knative-{program}").inputs["metadata"]["annotations"]
        assert "pulumi.com/skipAwait" not in awaited

    ingress = scaled.find("Ingress", "knative-gateway-ingress")
    assert [rule["host"] for rule in ingress.inputs["spec"]["rules"]] == ["*.apps.localhost"]
    edges = {urn.rpartition("::")[2] for urn in ingress.property_dependencies["spec"]}
    assert {"knative-gateway-service", "ingress-class"} <= edges
    assert scaled.find("ConfigMap", "knative-config-domain").inputs["data"] == {"apps.localhost": ""}
    assert scaled.stack_outputs["knative_url"] == "http://{name}-{namespace}.apps.localhost:8080/"


def test_traefik_traces_to_jaeger_and_does_not_wait_for_it(recording: Recording) -> None:
    traced = run({"addons": {"jaeger": {"maxTraces": 500}}})
    new = {urn: each for urn, each in traced.resources.items() if urn not in recording.resources}
    assert {each.name for each in new.values()} == {
        "jaeger", "jaeger-namespace", "jaeger-config", "jaeger-policy", "jaeger-deployment", "jaeger-service",
    }  # fmt: skip
    for kind, name, field, before in (
        ("Deployment", "jaeger-deployment", "spec", "jaeger-config"),
        ("Service", "jaeger-service", "metadata", "jaeger-namespace"),
        ("DaemonSet", "ingress-daemonset", "spec", "jaeger-namespace"),
    ):
        urns = traced.find(kind, name).property_dependencies[field]
        assert before in {urn.rpartition("::")[2] for urn in urns}
    deployment = traced.find("Deployment", "jaeger-deployment")
    assert "jaeger-policy" in {urn.rpartition("::")[2] for urn in deployment.dependencies}
    assert not [urn for urn in deployment.dependencies if "::ingress-" in urn]
    daemon_set = traced.find("DaemonSet", "ingress-daemonset")
    assert not [urn for urn in daemon_set.dependencies if urn.endswith(("::jaeger-deployment", "::jaeger-service"))]
    [container] = daemon_set.inputs["spec"]["template"]["spec"]["containers"]
    endpoint = "http://jaeger.jaeger.svc:4318/v1/traces"
    assert f"--tracing.otlp.http.endpoint={endpoint}" in container["args"]

    command = "kubectl port-forward --namespace jaeger service/jaeger 16686"
    [jaeger] = [urn for urn, each in new.items() if each.name == "jaeger"]
    assert traced.outputs[jaeger] == {"otlpEndpoint": endpoint, "queryCommand": command}
    assert traced.stack_outputs["jaeger_command"] == command


def test_the_logs_wait_for_what_they_need(recording: Recording) -> None:
    logged = run({"addons": {"logs": True}})
    new = {urn: each for urn, each in logged.resources.items() if urn not in recording.resources}
    assert {owner.name for urn in new if (owner := logged.component(urn))} == {"logs"}
    for kind, name, field, before in (
        ("StatefulSet", "logs-statefulset", "spec", "logs-claim"),
        ("StatefulSet", "logs-statefulset", "spec", "logs-loki-config"),
        ("PersistentVolumeClaim", "logs-claim", "spec", "storage-deployment"),
        ("ConfigMap", "logs-collector-config", "data", "logs-service"),
        ("DaemonSet", "logs-daemonset", "spec", "logs-collector-config"),
    ):
        urns = logged.find(kind, name).property_dependencies[field]
        assert before in {urn.rpartition("::")[2] for urn in urns}
    for kind, name, before in (
        ("StatefulSet", "logs-statefulset", "logs-loki-policy"),
        ("Service", "logs-service", "logs-statefulset"),
        ("DaemonSet", "logs-daemonset", "logs-collector-policy"),
    ):
        assert before in {urn.rpartition("::")[2] for urn in logged.find(kind, name).dependencies}
    command = "kubectl port-forward --namespace logs service/loki 3100"
    [component] = [urn for urn, each in new.items() if each.type == "inspiration:index:Logs"]
    assert logged.outputs[component] == {"url": "http://loki.logs.svc:3100", "queryCommand": command}
    assert logged.stack_outputs["logs_command"] == command


def test_a_chart_is_installed_in_a_namespace_of_its_own(recording: Recording) -> None:
    charted = run({"charts": [{"name": "shop", "chart": "oci://example.com/shop", "version": "1.2.3"}]})
    new = {urn: each for urn, each in charted.resources.items() if urn not in recording.resources}
    assert {(each.name, each.type.rpartition(":")[2]) for each in new.values()} == {
        ("shop", "ChartAddon"),
        ("shop-namespace", "Namespace"),
        ("shop-chart", "Chart"),
    }
    chart = charted.find("Chart", "shop-chart")
    assert {urn.rpartition("::")[2] for urn in chart.property_dependencies["namespace"]} == {"shop-namespace"}
    # Its volumes are made, and removed, by what is there before and after it.
    assert {"storage-class", "storage-deployment"} <= {urn.rpartition("::")[2] for urn in chart.dependencies}
    [component] = [urn for urn, each in new.items() if each.name == "shop"]
    assert charted.outputs[component] == {"namespace": "shop"}
    assert charted.stack_outputs == recording.stack_outputs


@pytest.mark.parametrize("secrets", [(), ("charts",)])
def test_the_values_of_a_chart_are_secret_if_the_configuration_says_so(secrets: tuple[str, ...]) -> None:
    shop = {"name": "shop", "chart": "oci://example.com/shop", "version": "1.2.3", "values": {"password": "x"}}
    values = run({"charts": [shop]}, secrets=secrets).find("Chart", "shop-chart").inputs["values"]
    assert rpc.is_rpc_secret(values) == bool(secrets)
    assert (rpc.unwrap_rpc_secret(values) if secrets else values) == {"password": "x"}


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
