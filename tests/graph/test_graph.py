"""The program under mocks: its graph is the documented one, and says what it should where it should."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime import rpc

from tests.graph.recorder import DIGEST, PROJECT, READY, Recording, run

TOKEN_COMMAND = "kubectl create token dashboard --namespace dashboard --duration 1h"


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


def test_the_program_is_read_at_a_glance() -> None:
    assert len((PROJECT / "__main__.py").read_text().splitlines()) <= 120


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


def test_an_ingress_waits_for_the_node_ports_of_the_controller() -> None:
    recording = run({"sites": READY, "addons": {"ingress": {"nodePorts": {"http": 30080, "https": 30443}}}})
    assert {"ingress-daemonset", "ingress-service"} <= recording.find("Ingress", "ready-ingress").made_of("spec")
    level = "pod-security.kubernetes.io/enforce"
    assert recording.find("Namespace", "ingress-namespace").inputs["metadata"]["labels"][level] == "restricted"


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
    assert (build["context"], build["dockerfile"]) == ("site", "components/site/pages/Dockerfile")
    assert str(PROJECT) not in str(build["args"])


def test_the_web_server_of_pages_is_configured_by_arguments_of_the_build(recording: Recording) -> None:
    arguments = recording.find("Image", "inspiration-docker").inputs["build"]["args"]
    dockerfile = (PROJECT / "components" / "site" / "pages" / "Dockerfile").read_text()
    assert set(arguments) == set(re.findall(r"^ARG (\w+)$", dockerfile, re.MULTILINE))
    assert "frame-ancestors 'none'" in arguments["HEADERS"]


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


def test_all_objects_say_of_which_stack_they_are(everything: Recording) -> None:
    # A chart isn't one, and says itself how its objects are labelled.
    objects = [each for each in everything.resources.values() if "metadata" in each.inputs and not each.read]
    unmarked = [
        each.name
        for each in objects
        if each.inputs["metadata"].get("labels", {}).get("app.kubernetes.io/instance") != "test"
    ]
    assert len(objects) > 50
    assert unmarked == []


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
    assert "ready-tls-secret" in ingress.made_of("spec")
    assert recording.find("CertRequest", "ready-tls-request").inputs["dnsNames"] == ["ready.localhost"]
    assert recording.stack_outputs["site_urls"] == {"ready": "https://ready.localhost:8443/"}


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
    assert (tmp_path / build["dockerfile"]).resolve() == PROJECT / "components" / "site" / "pages" / "Dockerfile"
