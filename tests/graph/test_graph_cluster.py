"""The program under mocks: what the cluster has already is used, and what doesn't fit it is refused."""

from typing import Any

import pulumi
import pytest

from settings.cluster_facts import ClusterFacts, Found, FoundService
from settings.taken import list_path
from tests.graph.configurations import ALL_ADDONS, NO_ADDONS
from tests.graph.recorder import READY, Recording, run


def test_a_cluster_with_everything_gets_the_sites_only() -> None:
    recording = run(
        {
            "addons": NO_ADDONS,
            "sites": READY,
            "ingress": {"className": "public", "httpPort": 8080},
            "registry": {"address": "registry.example.com/me"},
        }
    )
    assert recording.components() == {"Cluster", "CertificateAuthority", "Site"}
    assert recording.find("Ingress", "ready-ingress").inputs["spec"]["ingressClassName"] == "public"
    # Whoever runs the controller runs it where we don't know.
    assert recording.find("NetworkPolicy", "ready-policy").inputs["spec"]["ingress"] == [
        {"ports": [{"port": 8080, "protocol": "TCP"}]}
    ]
    assert recording.stack_outputs["site_urls"] == {"ready": "http://ready.localhost:8080/"}
    assert recording.stack_outputs["registry"] == "registry.example.com/me"


def test_what_the_cluster_has_already_is_used() -> None:
    facts = ClusterFacts(
        stack="test",
        services=(FoundService("kube-dns", namespace="kube-system"),),
        found={
            "dns": (Found("kube-dns"),),
            "storage": (Found("standard", default=True),),
            "ingress": (Found("public", default=True), Found("nginx")),
            "registry": (Found("local-registry-hosting", data={"localRegistryHosting.v1": "host: localhost:5001"}),),
            "metrics-server": (Found("v1beta1.metrics.k8s.io"),),
        },
    )
    recording = run({"addons": {"metrics-server": "auto", "logs": True}}, facts=facts)
    assert recording.components() == {
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


def item(name: str, **labels: str) -> dict[str, Any]:
    """An object, as in the list of the metadata of several."""
    return {
        "metadata": {
            "name": name,
            "labels": {f"app.kubernetes.io/{key.replace('_', '-')}": labels[key] for key in labels},
        }
    }


@pytest.mark.parametrize("preview", [False, True])
def test_nothing_is_registered_where_something_of_somebody_else_has_a_name_of_the_stacks(preview: bool) -> None:
    lists = {
        "/apis/rbac.authorization.k8s.io/v1/clusterroles": [
            item("traefik"),
            item("system:coredns", part_of="inspiration", instance="other"),
            item("local-path-provisioner", part_of="inspiration", instance="test"),
            item("nobody-wants-this"),
        ],
        "/api/v1/namespaces/kube-system/configmaps": [item("coredns", managed_by="Helm")],
        "/apis/networking.k8s.io/v1/ingressclasses": None,
        "/apis/storage.k8s.io/v1/storageclasses": 'User "eve" cannot list resource "storageclasses"',
    }
    asked = []

    def listed(path: str) -> object:
        asked.append(path)
        items = lists.get(path)
        return {"items": items} if isinstance(items, list) else items

    recording = Recording()
    with pytest.raises(pulumi.RunError) as raised:
        run({}, preview=preview, recording=recording, listed=listed)
    isnt_ours = "there already, and isn't of this stack; set it to false, or remove that"
    assert sorted(str(raised.value).splitlines()) == [
        "inspiration:addons.dns: the ClusterRole system:coredns is there already, of the stack other; "
        "set it to false, or remove that ClusterRole",
        f"inspiration:addons.dns: the ConfigMap coredns is {isnt_ours} ConfigMap",
        f"inspiration:addons.ingress: the ClusterRole traefik is {isnt_ours} ClusterRole",
    ]
    assert lists.keys() < set(asked)
    assert len(set(asked)) == len(asked), "one list a kind"
    assert not [each for each in recording.resources.values() if each.type != "pulumi:pulumi:Stack"]


def test_all_with_a_fixed_name_is_looked_for_with_a_list_a_kind() -> None:
    asked: list[str] = []
    everything = run({"addons": ALL_ADDONS}, listed=lambda path: asked.append(path))
    outside = {
        (each.type, each.inputs["metadata"].get("namespace"))
        for each in everything.resources.values()
        if each.type.startswith("kubernetes:")
        and not each.read
        and "metadata" in each.inputs  # a chart has none
        and each.inputs["metadata"].get("namespace") in (None, "kube-system", "kube-public")
    }
    assert len(asked) == len(set(asked)) == len(outside)


@pytest.mark.parametrize(
    ("version", "kind", "namespace", "path"),
    [
        ("core/v1", "Namespace", None, "/api/v1/namespaces"),
        ("core/v1", "ConfigMap", "kube-public", "/api/v1/namespaces/kube-public/configmaps"),
        ("storage.k8s.io/v1", "StorageClass", None, "/apis/storage.k8s.io/v1/storageclasses"),
        ("networking.k8s.io/v1", "NetworkPolicy", "a", "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies"),
        ("apps/v1", "Deployment", "kube-system", "/apis/apps/v1/namespaces/kube-system/deployments"),
    ],
)
def test_where_the_api_server_has_the_objects_of_a_kind(
    version: str, kind: str, namespace: str | None, path: str
) -> None:
    assert list_path(version, kind, namespace) == path


def test_without_the_storage_addon_the_default_storage_class_is_used() -> None:
    recording = run({"addons": {"storage": False}})
    assert "storageClassName" not in recording.find("PersistentVolumeClaim", "registry-claim").inputs["spec"]


def test_a_fixed_address_of_the_dns_is_not_looked_up() -> None:
    recording = run({"addons": {"dns": {"clusterIP": "10.214.0.10"}}})
    assert recording.find("Service", "dns-service").inputs["spec"]["clusterIP"] == "10.214.0.10"
    assert not any(resource.read for resource in recording.resources.values())


def test_a_project_of_another_name_has_its_keys_under_it_and_the_same_objects(recording: Recording) -> None:
    shop = run({"domain": "example.com"}, project="shop")
    assert shop.stack_outputs["site_urls"] == {"inspiration": "http://inspiration.example.com/"}
    assert shop.types() == recording.types()
    labels = {
        each.inputs["metadata"]["labels"]["app.kubernetes.io/part-of"]
        for each in shop.resources.values()
        if each.type.startswith("kubernetes:") and not each.read
    }
    assert labels == {"inspiration"}


def test_its_name_is_in_what_is_found_once_all_is_declared() -> None:
    with pytest.raises(pulumi.RunError, match=r"^shop:addons\.ingress: the ClusterRole traefik is there already, and"):
        run({}, project="shop", listed=lambda path: {"items": [item("traefik")]} if "clusterroles" in path else None)


def test_what_an_older_version_made_is_the_stacks_own() -> None:
    older = item("traefik", part_of="inspiration")
    run({}, listed=lambda path: {"items": [older]} if "clusterroles" in path else None)


@pytest.mark.parametrize("preview", [False, True])
def test_nothing_is_registered_with_a_wrong_configuration(preview: bool) -> None:
    recording = Recording()
    with pytest.raises(pulumi.RunError, match=r'^inspiration:domain: "3" given; allowed: a host name in lower case$'):
        run({"domain": "3"}, preview=preview, recording=recording)
    assert recording.types() == {"pulumi:pulumi:Stack"}
