"""The dependency graph of the stack, as the engine would be told of it."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime import rpc

from tests.graph.recorder import DIGEST, PROJECT, Recording, run

READY = [{"name": "ready", "image": f"ghcr.io/me/ready@{DIGEST}"}]
NO_ADDONS = {"dns": False, "storage": False, "registry": False, "ingress": False}


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
        if resource.type.startswith(("kubernetes:", "docker:")) or resource.type == "pulumi:providers:kubernetes":
            parent = recording.resources[resource.parent]
            assert parent.type.startswith("inspiration:index:")
            assert resource.name.startswith(f"{parent.name}-")


def test_every_resource_has_an_explicit_provider(recording: Recording) -> None:
    providers = {"kubernetes": "::cluster-kubernetes::", "docker": "::docker::"}
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
    ],
)
def test_edges_that_no_field_shows(recording: Recording, kind: str, name: str, before: str) -> None:
    resource = recording.find(kind, name)
    assert before in {urn.rpartition("::")[2] for urn in resource.dependencies}
    assert before not in {urn.rpartition("::")[2] for urns in resource.property_dependencies.values() for urn in urns}


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
    }


def test_stack_outputs(recording: Recording) -> None:
    assert recording.stack_outputs == {
        "site_urls": {"inspiration": "http://inspiration.localhost/"},
        "images": {"inspiration": f"localhost:32000/inspiration@{DIGEST}"},
        "registry": "localhost:32000",
        "addon_urls": {},
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
    assert components == {"Cluster", "Site"}
    assert recording.find("Ingress", "ready-ingress").inputs["spec"]["ingressClassName"] == "public"
    # Whoever runs the controller runs it where we don't know.
    assert recording.find("NetworkPolicy", "ready-policy").inputs["spec"]["ingress"] == [
        {"ports": [{"port": 8080, "protocol": "TCP"}]}
    ]
    assert recording.stack_outputs["site_urls"] == {"ready": "http://ready.localhost:8080/"}
    assert recording.stack_outputs["registry"] == "registry.example.com/me"


@pytest.mark.parametrize(
    ("addon", "component"),
    [("dns", "Dns"), ("storage", "Storage"), ("registry", "Registry"), ("ingress", "IngressController")],
)
def test_an_addon_switched_off_takes_only_itself_away(recording: Recording, addon: str, component: str) -> None:
    without = run({"addons": {addon: False}})
    gone = [recording.component(urn) for urn in recording.resources.keys() - without.resources.keys()]
    assert {owner.type.rpartition(":")[2] for owner in gone if owner} == {component}
    assert without.resources.keys() <= recording.resources.keys()


def test_without_the_storage_addon_the_default_storage_class_is_used() -> None:
    recording = run({"addons": {"storage": False}})
    assert "storageClassName" not in recording.find("PersistentVolumeClaim", "registry-claim").inputs["spec"]


def test_a_fixed_address_of_the_dns_is_not_looked_up() -> None:
    recording = run({"addons": {"dns": {"clusterIP": "10.214.0.10"}}})
    assert recording.find("Service", "dns-service").inputs["spec"]["clusterIP"] == "10.214.0.10"
    assert not any(resource.read for resource in recording.resources.values())


def test_hosts_that_do_not_resolve_by_themselves_get_a_hosts_entry() -> None:
    recording = run({"domain": "example.test", "sites": [*READY, {"name": "local", "host": "local.localhost"}]})
    assert recording.stack_outputs["hosts_entry"] == "127.0.0.1 ready.example.test"


def test_a_kubeconfig_is_a_secret(recording: Recording) -> None:
    provider = recording.find("kubernetes", "cluster-kubernetes")
    assert rpc.is_rpc_secret(provider.inputs["kubeconfig"])


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
