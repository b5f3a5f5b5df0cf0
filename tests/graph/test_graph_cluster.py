"""The program under mocks: what the cluster has already is used, and what doesn't fit it is refused."""

import pulumi
import pytest

from settings.addons import AddonSettings
from settings.cluster_facts import ClusterFacts, Found, FoundClass, FoundRegistry, FoundService
from settings.models import ADDON_NAMESPACES
from settings.problems import keys
from settings.resolution import NEEDS
from tests.graph.recorder import READY, Recording, run

NO_ADDONS = {"dns": False, "storage": False, "registry": False, "ingress": False, "dashboard": False}


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


def test_without_the_storage_addon_the_default_storage_class_is_used() -> None:
    recording = run({"addons": {"storage": False}})
    assert "storageClassName" not in recording.find("PersistentVolumeClaim", "registry-claim").inputs["spec"]


def test_a_fixed_address_of_the_dns_is_not_looked_up() -> None:
    recording = run({"addons": {"dns": {"clusterIP": "10.214.0.10"}}})
    assert recording.find("Service", "dns-service").inputs["spec"]["clusterIP"] == "10.214.0.10"
    assert not any(resource.read for resource in recording.resources.values())


@pytest.mark.parametrize("preview", [False, True])
def test_nothing_is_registered_with_a_wrong_configuration(preview: bool) -> None:
    recording = Recording()
    with pytest.raises(pulumi.RunError, match=r'^inspiration:domain: "3" given; allowed: a host name in lower case$'):
        run({"domain": "3"}, preview=preview, recording=recording)
    assert recording.types() == {"pulumi:pulumi:Stack"}
