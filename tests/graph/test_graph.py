"""The dependency graph of the stack, as the engine would be told of it."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime import rpc

from settings.addons import AddonSettings
from settings.cluster_facts import ClusterFacts, Found, FoundClass, FoundRegistry, FoundService
from settings.models import ADDON_NAMESPACES
from settings.problems import keys
from settings.resolution import NEEDS
from tests.graph.recorder import DIGEST, PROJECT, Recording, run

READY = [{"name": "ready", "image": f"ghcr.io/me/ready@{DIGEST}"}]
TOKEN_COMMAND = "kubectl create token dashboard --namespace dashboard --duration 1h"
NO_ADDONS = {"dns": False, "storage": False, "registry": False, "ingress": False, "dashboard": False}


@pytest.fixture(scope="module", autouse=True)
def project() -> Iterator[None]:
    """Run the program in its project, as Pulumi does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        yield


@pytest.fixture(scope="module")
def recording(project: None) -> Recording:
    """What ``up`` registers with the configuration's defaults."""
    return run({})


@pytest.fixture(scope="module")
def preview(project: None) -> Recording:
    """What the first ``preview`` registers with the configuration's defaults."""
    return run({}, preview=True)


def components(recording: Recording) -> set[tuple[str, str]]:
    """Return the edges between components, each the type that another type comes after."""
    edges = set()
    for resource in recording.resources.values():
        provider = resource.provider.rpartition("::")[0]
        for urn in {*resource.dependencies, provider}:
            before, after = recording.component(urn), recording.component(resource.urn)
            if before and after and before != after:
                edges.add((before.type.rpartition(":")[2], after.type.rpartition(":")[2]))
    return edges


def closure(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while more := {(a, d) for a, b in edges for c, d in edges if b == c} - edges:
        edges = edges | more
    return edges


def test_the_graph_is_the_one_that_the_program_documents(recording: Recording) -> None:
    text = ast.get_docstring(ast.parse((PROJECT / "__main__.py").read_text())) or ""
    chains = [line.split(" ─► ") for line in text.splitlines() if "─►" in line]
    documented = {edge for chain in chains for edge in pairwise(chain)}
    # Edges that others imply may be recorded and needn't be drawn.
    assert closure(components(recording)) == closure(documented)


def test_every_child_belongs_to_the_component_whose_name_it_begins_with(recording: Recording) -> None:
    for resource in recording.resources.values():
        if not resource.type.startswith(("pulumi:pulumi:", "inspiration:")) and resource.name != "docker":
            parent = recording.resources[resource.parent]
            assert parent.type.startswith("inspiration:index:")
            assert resource.name.startswith(f"{parent.name}-")


def test_every_resource_has_an_explicit_provider(recording: Recording) -> None:
    providers = {"kubernetes": "::cluster-kubernetes::", "docker": "::docker::", "tls": "::ca-tls::"}
    seen = {
        (resource.type.partition(":")[0], next((p for p in providers.values() if p in resource.provider), None))
        for resource in recording.resources.values()
        if resource.type.startswith(tuple(providers))
    }
    assert seen == set(providers.items())


@pytest.mark.parametrize(
    ("kind", "name", "field", "before"),
    [
        ("Deployment", "inspiration-deployment", "spec", "inspiration-docker"),
        ("Deployment", "inspiration-deployment", "spec", "inspiration-account"),
        ("Deployment", "inspiration-deployment", "metadata", "inspiration-namespace"),
        ("Ingress", "inspiration-ingress", "spec", "inspiration-service"),
        ("Ingress", "inspiration-ingress", "spec", "ingress-daemonset"),
        ("Ingress", "inspiration-ingress", "spec", "ingress-class"),
        ("Ingress", "ingress-startup", "spec", "ingress-class"),
        ("Ingress", "ingress-startup", "spec", "ingress-itself"),
        ("NetworkPolicy", "inspiration-policy", "spec", "ingress-namespace"),
        ("Image", "inspiration-docker", "imageName", "registry-service"),
        ("PersistentVolumeClaim", "registry-claim", "spec", "storage-class"),
        ("PersistentVolumeClaim", "registry-claim", "spec", "storage-deployment"),
        ("Deployment", "registry-deployment", "spec", "registry-claim"),
        ("Deployment", "registry-deployment", "spec", "registry-config"),
        ("Deployment", "storage-deployment", "spec", "storage-config"),
        ("Deployment", "dns-deployment", "spec", "dns-config"),
        ("Service", "dns-service", "spec", "dns-kubernetes"),
        ("ClusterRoleBinding", "ingress-binding", "roleRef", "ingress-role"),
        ("Deployment", "dashboard-deployment", "spec", "dashboard-tls-secret"),
        ("Deployment", "dashboard-deployment", "spec", "dashboard-tls-certificate"),
        ("LocallySignedCert", "dashboard-tls-certificate", "caCertPem", "ca-certificate"),
        ("NetworkPolicy", "dashboard-policy", "spec", "ingress-namespace"),
        ("Ingress", "dashboard-ingress-ingress", "spec", "dashboard-service"),
        ("Ingress", "dashboard-ingress-ingress", "spec", "ingress-daemonset"),
    ],
)
def test_data_edges(recording: Recording, kind: str, name: str, field: str, before: str) -> None:
    names = {urn.rpartition("::")[2] for urn in recording.find(kind, name).property_dependencies[field]}
    assert before in names


@pytest.mark.parametrize(
    ("kind", "name", "before"),
    [
        ("Deployment", "inspiration-deployment", "inspiration-policy"),
        ("Service", "inspiration-service", "inspiration-deployment"),
        ("Service", "registry-service", "registry-deployment"),
        ("Service", "dns-service", "dns-deployment"),
        ("Deployment", "dns-deployment", "dns-binding"),
        ("Deployment", "storage-deployment", "storage-cluster-binding"),
        ("Deployment", "storage-deployment", "storage-binding"),
        ("DaemonSet", "ingress-daemonset", "ingress-binding"),
        ("DaemonSet", "ingress-daemonset", "ingress-startup"),
        ("Deployment", "dashboard-deployment", "dashboard-policy"),
        ("Deployment", "dashboard-deployment", "dashboard-view"),
        ("Deployment", "dashboard-deployment", "dashboard-view-cluster"),
        ("Service", "dashboard-service", "dashboard-deployment"),
    ],
)
def test_edges_that_no_field_shows(recording: Recording, kind: str, name: str, before: str) -> None:
    resource = recording.find(kind, name)
    assert before in {urn.rpartition("::")[2] for urn in resource.dependencies}
    assert before not in {urn.rpartition("::")[2] for urns in resource.property_dependencies.values() for urn in urns}


def test_an_ingress_waits_for_the_node_ports_of_the_controller() -> None:
    recording = run({"sites": READY, "addons": {"ingress": {"nodePorts": {"http": 30080, "https": 30443}}}})
    spec = recording.find("Ingress", "ready-ingress").property_dependencies["spec"]
    assert {"ingress-daemonset", "ingress-service"} <= {urn.rpartition("::")[2] for urn in spec}
    level = "pod-security.kubernetes.io/enforce"
    assert recording.find("Namespace", "ingress-namespace").inputs["metadata"]["labels"][level] == "restricted"


def test_a_site_does_not_wait_for_its_image_to_get_a_namespace(recording: Recording) -> None:
    assert recording.find("Namespace", "inspiration-namespace").dependencies == frozenset()


def test_components_register_their_outputs(recording: Recording) -> None:
    registered = {
        recording.resources[urn].type.rpartition(":")[2]: outputs
        for urn, outputs in recording.outputs.items()
        if recording.resources[urn].type.startswith("inspiration:")
    }
    assert registered == {
        "Cluster": {},
        "Dns": {"clusterIp": "10.96.0.10"},
        "Storage": {"className": "local-path"},
        "Registry": {"address": "localhost:32000"},
        "IngressController": {"className": "nginx", "namespace": "ingress"},
        "SiteImage": {"image": f"localhost:32000/inspiration@{DIGEST}"},
        "Site": {"url": "http://inspiration.localhost/"},
        "CertificateAuthority": {"certificate": "certPem of ca-certificate\n"},
        "Dashboard": {"url": "https://dashboard.localhost/", "login": {"command": TOKEN_COMMAND}},
        "TlsPassthroughIngress": {},
    }


def test_stack_outputs(recording: Recording) -> None:
    assert recording.stack_outputs == {
        "site_urls": {"inspiration": "http://inspiration.localhost/"},
        "images": {"inspiration": f"localhost:32000/inspiration@{DIGEST}"},
        "registry": "localhost:32000",
        "dashboard_url": "https://dashboard.localhost/",
        "dashboard_login": {"command": TOKEN_COMMAND},
        "ca_certificate": "certPem of ca-certificate\n",
        "addon_urls": {"dashboard": "https://dashboard.localhost/"},
    }


def test_the_deployment_runs_the_digest_and_not_the_tag(recording: Recording) -> None:
    pod = recording.find("Deployment", "inspiration-deployment").inputs["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"localhost:32000/inspiration@{DIGEST}"


def test_the_state_names_no_path_of_this_machine(recording: Recording) -> None:
    build = recording.find("Image", "inspiration-docker").inputs["build"]
    assert build == {"context": "site", "dockerfile": "site/Dockerfile"}


def test_the_first_preview_builds_nothing_and_does_not_know_the_digest(preview: Recording) -> None:
    image = preview.find("Image", "inspiration-docker").inputs
    pod = preview.find("Deployment", "inspiration-deployment").inputs["spec"]["template"]["spec"]
    assert image["buildOnPreview"] is False
    assert isinstance(pod["containers"][0]["image"], pulumi.output.Unknown)
    assert isinstance(preview.stack_outputs["images"]["inspiration"], pulumi.output.Unknown)
    assert preview.stack_outputs["site_urls"] == {"inspiration": "http://inspiration.localhost/"}


def test_the_first_preview_registers_what_up_registers(preview: Recording, recording: Recording) -> None:
    assert preview.resources.keys() == recording.resources.keys()


def test_a_ready_image_needs_no_docker() -> None:
    recording = run({"sites": READY})
    assert not [kind for kind in recording.types() if "docker" in kind]
    assert recording.stack_outputs["images"] == {"ready": f"ghcr.io/me/ready@{DIGEST}"}


def test_a_cluster_without_sites_has_all_the_rest(recording: Recording) -> None:
    empty = run({"sites": [], "addons": {"prometheus": True, "rbac": {"editors": ["account:ci"]}}})
    assert empty.stack_outputs["site_urls"] == {}
    assert empty.stack_outputs["images"] == {}
    assert not {kind for kind in empty.types() if kind.endswith((":Site", ":SiteImage", ":docker"))}
    assert {kind for kind in recording.types() if kind.endswith((":Dashboard", ":Registry"))} < empty.types()


def test_one_docker_provider_serves_all_sites() -> None:
    recording = run({"sites": [{"name": "one"}, {"name": "two"}, *READY]})
    assert [r.name for r in recording.resources.values() if r.type == "pulumi:providers:docker"] == ["docker"]
    images = [r.name for r in recording.resources.values() if r.type == "docker:index/image:Image"]
    assert sorted(images) == ["one-docker", "two-docker"]


def test_a_second_site_leaves_the_first_one_as_it_is(recording: Recording) -> None:
    both = run({"sites": [{"name": "inspiration", "healthPath": "/healthz"}, {"name": "blog"}]})
    assert {urn: r for urn, r in both.resources.items() if urn in recording.resources} == recording.resources


def test_a_cluster_with_everything_gets_the_sites_only() -> None:
    recording = run(
        {
            "addons": NO_ADDONS,
            "sites": READY,
            "ingress": {"className": "public", "httpPort": 8080},
            "registry": {"address": "registry.example.com/me"},
        }
    )
    components = {kind.rpartition(":")[2] for kind in recording.types() if kind.startswith("inspiration:")}
    assert components == {"Cluster", "CertificateAuthority", "Site"}
    assert recording.find("Ingress", "ready-ingress").inputs["spec"]["ingressClassName"] == "public"
    # Whoever runs the controller runs it where we don't know.
    assert recording.find("NetworkPolicy", "ready-policy").inputs["spec"]["ingress"] == [
        {"ports": [{"port": 8080, "protocol": "TCP"}]}
    ]
    assert recording.stack_outputs["site_urls"] == {"ready": "http://ready.localhost:8080/"}
    assert recording.stack_outputs["registry"] == "registry.example.com/me"


@pytest.mark.parametrize(
    ("addon", "components"),
    [
        ("dns", {"Dns"}),
        ("storage", {"Storage"}),
        ("registry", {"Registry"}),
        ("ingress", {"IngressController"}),
        ("dashboard", {"Dashboard", "TlsPassthroughIngress"}),
    ],
)
def test_an_addon_switched_off_takes_only_itself_away(recording: Recording, addon: str, components: set[str]) -> None:
    without = run({"addons": {addon: False}})
    gone = [recording.component(urn) for urn in recording.resources.keys() - without.resources.keys()]
    assert {owner.type.rpartition(":")[2] for owner in gone if owner} == components
    new = [without.resources[urn] for urn in without.resources.keys() - recording.resources.keys()]
    # Where somebody else runs an ingress controller, its IngressClass is read.
    read = [("dashboard-ingress-class", True)] if addon == "ingress" else []
    assert [(resource.name, resource.read) for resource in new] == read


def test_what_the_cluster_has_already_is_used() -> None:
    facts = ClusterFacts(
        stack="test",
        services=(FoundService("kube-dns", None, "kube-system", dns=True),),
        storage_classes=(FoundClass("standard", default=True),),
        ingress_classes=(FoundClass("public", default=True), FoundClass("nginx")),
        registry=FoundRegistry("local-registry-hosting", host="localhost:5001"),
        metrics_api=Found("v1beta1.metrics.k8s.io"),
    )
    recording = run({"addons": {"metrics-server": "auto", "logs": True}}, facts=facts)
    components = {kind.rpartition(":")[2] for kind in recording.types() if kind.startswith("inspiration:")}
    assert components == {
        "Cluster", "CertificateAuthority", "SiteImage", "Site", "Dashboard", "TlsPassthroughIngress", "Logs",
    }  # fmt: skip
    assert recording.find("Image", "inspiration-docker").inputs["imageName"].startswith("localhost:5001/inspiration:")
    for ingress in ("inspiration-ingress", "dashboard-ingress-ingress"):
        assert recording.find("Ingress", ingress).inputs["spec"]["ingressClassName"] == "public"
    assert "storageClassName" not in recording.find("PersistentVolumeClaim", "logs-claim").inputs["spec"]
    assert recording.stack_outputs["registry"] == "localhost:5001"


@pytest.mark.parametrize("addon", ["dns", "storage", "registry", "ingress"])
def test_auto_on_an_empty_cluster_is_what_true_is(recording: Recording, addon: str) -> None:
    assert run({"addons": {addon: True}}).resources == recording.resources


def test_nothing_is_registered_where_something_does_not_fit_the_cluster() -> None:
    recording = Recording()
    facts = ClusterFacts("test", namespaces=(Found("inspiration"),))
    with pytest.raises(pulumi.RunError, match="the namespace inspiration is there already"):
        run({}, preview=True, recording=recording, facts=facts)
    assert not [each for each in recording.resources.values() if each.type != "pulumi:pulumi:Stack"]


def test_the_namespaces_of_addons_are_reserved_and_looked_for() -> None:
    everything = run({"addons": dict.fromkeys(keys(AddonSettings), True), "sites": READY})
    made = {
        each.inputs["metadata"]["name"]: each.inputs["metadata"]["labels"]["app.kubernetes.io/component"]
        for each in everything.resources.values()
        if each.type.endswith(":Namespace")
    }
    assert made.pop("ready") == "site"
    assert made == ADDON_NAMESPACES


@pytest.mark.parametrize("addon", keys(AddonSettings))
def test_what_an_addon_needs_is_declared(addon: str) -> None:
    addons = dict.fromkeys(keys(AddonSettings), False) | {addon: True}
    recording = run({"sites": [], "addons": addons, "ingress": {"className": "the-class"}})
    inputs = {each.name: repr(each.inputs) for each in recording.resources.values()}
    uses = {
        "ingress": any("the-class" in text for text in inputs.values()),
        "storage": any("PersistentVolumeClaim" in each.type for each in recording.resources.values()),
    }
    assert {need for need, used in uses.items() if used and need != addon} == set(NEEDS.get(addon, ()))


def test_all_objects_say_of_which_stack_they_are() -> None:
    everything = run({"addons": dict.fromkeys(keys(AddonSettings), True)})
    # A chart isn't one, and says itself how its objects are labelled.
    objects = [each for each in everything.resources.values() if "metadata" in each.inputs and not each.read]
    unmarked = [
        each.name
        for each in objects
        if each.inputs["metadata"].get("labels", {}).get("app.kubernetes.io/instance") != "test"
    ]
    assert len(objects) > 50
    assert unmarked == []


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


def test_without_the_storage_addon_the_default_storage_class_is_used() -> None:
    recording = run({"addons": {"storage": False}})
    assert "storageClassName" not in recording.find("PersistentVolumeClaim", "registry-claim").inputs["spec"]


def test_a_fixed_address_of_the_dns_is_not_looked_up() -> None:
    recording = run({"addons": {"dns": {"clusterIP": "10.214.0.10"}}})
    assert recording.find("Service", "dns-service").inputs["spec"]["clusterIP"] == "10.214.0.10"
    assert not any(resource.read for resource in recording.resources.values())


def test_hosts_that_do_not_resolve_by_themselves_get_a_hosts_entry() -> None:
    recording = run({"domain": "example.test", "sites": [*READY, {"name": "local", "host": "local.localhost"}]})
    assert recording.stack_outputs["hosts_entry"] == "127.0.0.1 ready.example.test dashboard.example.test"


def test_a_kubeconfig_is_a_secret(recording: Recording) -> None:
    provider = recording.find("kubernetes", "cluster-kubernetes")
    assert rpc.is_rpc_secret(provider.inputs["kubeconfig"])


def test_a_site_with_tls_is_served_with_a_certificate_of_its_own() -> None:
    recording = run({"sites": [{**READY[0], "tls": True}], "ingress": {"httpsPort": 8443}})
    ingress = recording.find("Ingress", "ready-ingress")
    assert ingress.inputs["spec"]["tls"] == [{"hosts": ["ready.localhost"], "secretName": "ready-tls"}]
    assert "ready-tls-secret" in {urn.rpartition("::")[2] for urn in ingress.property_dependencies["spec"]}
    assert recording.find("CertRequest", "ready-tls-request").inputs["dnsNames"] == ["ready.localhost"]
    assert recording.stack_outputs["site_urls"] == {"ready": "https://ready.localhost:8443/"}


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


def test_the_registry_is_open_to_all_unless_told_otherwise(recording: Recording) -> None:
    assert not [each for each in recording.resources.values() if each.name == "registry-policy"]
    told = run({"addons": {"registry": {"sourceRanges": ["192.0.2.0/24"]}}})
    [rule] = told.find("NetworkPolicy", "registry-policy").inputs["spec"]["ingress"]
    assert rule["from"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]
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
    assert controller.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    for program in ("autoscaler", "activator", "webhook", "gateway"):
        assert "annotations" not in scaled.find("Deployment", f"knative-{program}").inputs["metadata"]

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


PASSTHROUGH = {"addons": {"ingress": False}, "sites": READY}


@pytest.mark.parametrize(
    ("controller", "kinds"),
    [
        ("k8s.io/ingress-nginx", {"kubernetes:networking.k8s.io/v1:Ingress"}),
        ("haproxy.org/ingress-controller/haproxy", {"kubernetes:networking.k8s.io/v1:Ingress"}),
        (
            "traefik.io/ingress-controller",
            {
                "kubernetes:traefik.io/v1alpha1:IngressRouteTCP",
                "kubernetes:traefik.io/v1alpha1:IngressRoute",
                "kubernetes:traefik.io/v1alpha1:Middleware",
            },
        ),
    ],
)
@pytest.mark.parametrize("preview", [False, True])
def test_passthrough_is_told_as_the_ingress_class_says(controller: str, kinds: set[str], preview: bool) -> None:
    recording = run(PASSTHROUGH, controller=controller, preview=preview)
    owner = recording.find("TlsPassthroughIngress", "dashboard-ingress")
    children = {r.type for r in recording.resources.values() if r.parent == owner.urn and not r.read}
    assert children == kinds


def test_passthrough_by_a_gateway_reads_no_ingress_class() -> None:
    recording = run({**PASSTHROUGH, "ingress": {"passthrough": "gateway", "gateway": "infra/public"}})
    assert recording.find("TLSRoute", "dashboard-ingress-tls").inputs["spec"]["parentRefs"] == [
        {"namespace": "infra", "name": "public"}
    ]
    assert not any(
        resource.read and resource.type.endswith("IngressClass") for resource in recording.resources.values()
    )


@pytest.mark.parametrize(
    ("ingress", "controller", "error"),
    [
        (
            {},
            "example.com/other",
            "inspiration:ingress.passthrough: auto given, and the controller of inspiration:ingress.className, "
            "example.com/other, isn't known to pass TLS through; allowed: gateway, another className, "
            "or nginx, traefik or haproxy where it does as that one",
        ),
        (
            {"passthrough": "nginx"},
            "traefik.io/ingress-controller",
            "inspiration:ingress.passthrough: nginx given, which the controller of inspiration:ingress.className, "
            "traefik.io/ingress-controller, would ignore; allowed: auto, or another className",
        ),
        (
            {"passthrough": "nginx"},
            "nginx.org/ingress-controller",
            "inspiration:ingress.passthrough: nginx given, which the controller of inspiration:ingress.className, "
            "nginx.org/ingress-controller, would ignore; allowed: gateway, or another className",
        ),
    ],
)
def test_what_a_controller_would_ignore_is_an_error(ingress: dict[str, str], controller: str, error: str) -> None:
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(error)}$"):
        run({**PASSTHROUGH, "ingress": ingress}, controller=controller)


def test_a_controller_that_is_not_known_is_told_what_the_configuration_says() -> None:
    recording = run({**PASSTHROUGH, "ingress": {"passthrough": "nginx"}}, controller="example.com/nginx-fork")
    annotations = recording.find("Ingress", "dashboard-ingress-ingress").inputs["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/ssl-passthrough"] == "true"


def test_a_folder_without_dockerfile_is_built_with_the_stock_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blog = tmp_path / "blog"
    blog.mkdir()
    (blog / "index.html").write_text("hello")
    monkeypatch.chdir(tmp_path)
    recording = run({"sites": [{"name": "blog", "source": "blog"}]})
    build = recording.find("Image", "blog-docker").inputs["build"]
    assert build["context"] == "blog"
    assert (tmp_path / build["dockerfile"]).resolve() == PROJECT / "components" / "stock.Dockerfile"


@pytest.mark.parametrize("preview", [False, True])
def test_nothing_is_registered_with_a_wrong_configuration(preview: bool) -> None:
    recording = Recording()
    with pytest.raises(pulumi.RunError, match=r'^inspiration:domain: "3" given; allowed: a host name in lower case$'):
        run({"domain": "3"}, preview=preview, recording=recording)
    assert recording.types() == {"pulumi:pulumi:Stack"}
