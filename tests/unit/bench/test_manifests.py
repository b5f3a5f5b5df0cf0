"""What is read from a cluster, as somebody would have written it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bench import manifests
from bench.lifecycle import IMAGE, _prepare


def deployment(**metadata: Any) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"name": "site", "image": "old"}]}, "metadata": {"creationTimestamp": None}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "inspiration", "namespace": "inspiration", **metadata},
        "spec": {"template": pod},
        "status": {"replicas": 2},
    }


NAMESPACE: manifests.Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "inspiration"}}
SERVICE: manifests.Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "inspiration", "namespace": "inspiration"},
    "spec": {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": []},
}
INGRESS: manifests.Manifest = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "inspiration", "namespace": "inspiration"},
    "spec": {"rules": [{"host": "inspiration.localhost"}]},
}
OTHER: manifests.Manifest = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "inspiration", "namespace": "kube-system"},
}


def test_what_the_cluster_has_put_in_is_taken_out() -> None:
    found = deployment(
        uid="1", resourceVersion="2", generation=3, managedFields=[], creationTimestamp="now",
        annotations={"deployment.kubernetes.io/revision": "1", "ours": "stays"},
        labels={"app": "stays"},
    )  # fmt: skip
    assert manifests.stripped(found) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "inspiration", "namespace": "inspiration", "annotations": {"ours": "stays"},
            "labels": {"app": "stays"},
        },
        "spec": {"template": {"spec": {"containers": [{"name": "site", "image": "old"}]}, "metadata": {}}},
    }  # fmt: skip
    assert found["status"] == {"replicas": 2}, "the object given stays as it is"


def test_a_claim_is_bound_anew_and_a_namespace_is_named_by_its_metadata() -> None:
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "finalizers": ["x"], "annotations": {"pv.kubernetes.io/bound": "yes"}},
        "spec": {"volumeName": "pvc-1", "resources": {}},
    }  # fmt: skip
    assert manifests.stripped(claim) == {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"resources": {}},
    }
    namespace = {
        "kind": "Namespace",
        "metadata": {"name": "a", "labels": {"kubernetes.io/metadata.name": "a", "b": "c"}},
        "spec": {"finalizers": ["kubernetes"]},
    }
    assert manifests.stripped(namespace) == {"kind": "Namespace", "metadata": {"name": "a", "labels": {"b": "c"}}}


def test_objects_are_told_from_components_providers_and_what_isnt_kubernetes() -> None:
    namespace, service = {"apiVersion": "v1", "kind": "Namespace"}, {"apiVersion": "v1", "kind": "Service"}
    resources = [
        {"type": "kubernetes:core/v1:Namespace", "custom": True, "id": "a", "inputs": namespace},
        {"type": "kubernetes:core/v1:Service", "custom": True, "id": "a/b", "inputs": service},
        {"type": "kubernetes:helm.sh/v4:Chart", "custom": False, "id": "", "inputs": {}},
        {"type": "pulumi:providers:kubernetes", "custom": True, "id": "1", "inputs": {}},
        {"type": "tls:index/privateKey:PrivateKey", "custom": True, "id": "2", "inputs": {}},
    ]
    assert manifests.stubs(resources) == [
        {**namespace, "metadata": {"name": "a"}},
        {**service, "metadata": {"name": "b", "namespace": "a"}},
    ]


def test_what_others_need_comes_first() -> None:
    items = [INGRESS, deployment(), SERVICE, {"kind": "Foo", "metadata": {"name": "x"}}, NAMESPACE]
    assert [item["kind"] for item in manifests.ordered(items)] == [
        "Namespace", "Service", "Deployment", "Ingress", "Foo",
    ]  # fmt: skip


def test_a_site_is_its_namespace_and_what_is_in_it() -> None:
    assert manifests.of_site([OTHER, NAMESPACE, SERVICE], "inspiration") == [NAMESPACE, SERVICE]


def test_a_site_moves_with_its_host_and_another_image() -> None:
    namespace, service, workload, ingress = manifests.moved([NAMESPACE, SERVICE, deployment(), INGRESS], "helm", "new")
    assert namespace["metadata"]["name"] == "helm"
    assert service["metadata"] == {"name": "inspiration", "namespace": "helm"}
    assert service["spec"] == {"ports": []}, "an address is one Service's"
    assert ingress["spec"]["rules"][0]["host"] == "helm.localhost"
    assert workload["spec"]["template"]["spec"]["containers"][0]["image"] == "new"
    assert SERVICE["metadata"]["namespace"] == "inspiration", "the objects given stay as they are"


def test_the_image_is_a_value_of_the_chart_and_templates_of_others_stay() -> None:
    assert manifests.escaped_for_helm("a {{ b }}") == 'a {{"{{"}} b }}'


def test_a_chart_has_a_template_for_each_object(tmp_path: Path) -> None:
    [workload] = manifests.moved(
        [deployment(labels={"app.kubernetes.io/managed-by": "pulumi"})], "helm", "registry/x:0"
    )
    folder = manifests.write_chart([SERVICE, workload], tmp_path / "chart", "registry/x:0")
    assert sorted(path.name for path in (folder / "templates").iterdir()) == ["000-service.yaml", "001-deployment.yaml"]
    text = (folder / "templates/001-deployment.yaml").read_text()
    assert "image: {{ .Values.image }}\n" in text
    assert "managed-by" not in text, "Helm sets that label"
    assert yaml.safe_load((folder / "values.yaml").read_text()) == {"image": "registry/x:0"}


def test_opentofu_takes_texts_as_they_are() -> None:
    [resource] = manifests.tofu([{"kind": "ConfigMap", "data": {"a": "${HOME} %{x}"}}])["resource"][
        "kubectl_manifest"
    ].values()
    assert yaml.safe_load(resource["yaml_body"])["data"] == {"a": "$${HOME} %%{x}"}


def test_only_the_sites_deployment_waits_for_its_image(tmp_path: Path) -> None:
    _prepare([NAMESPACE, OTHER, SERVICE, deployment()], tmp_path)
    first = list(yaml.safe_load_all((tmp_path / "first.yaml").read_text()))
    [workload] = yaml.safe_load_all((tmp_path / "site.yaml").read_text())
    assert first == [NAMESPACE, OTHER, SERVICE]
    assert workload["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE
