"""The objects of the stack as the tools that it is measured against take them: manifests, a chart, resources.

They are read from the cluster where the stack runs, so that all deploy the same.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.copies import Shell

Manifest = dict[str, Any]

ORDER = (
    "Namespace", "CustomResourceDefinition", "StorageClass", "IngressClass", "ServiceAccount", "Secret", "ConfigMap",
    "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "NetworkPolicy", "PodDisruptionBudget",
    "PersistentVolumeClaim", "Service", "DaemonSet", "Deployment", "StatefulSet", "Ingress",
)  # fmt: skip
"""Of kinds, so that what another needs comes first."""

_SERVER_METADATA = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generation",
    "managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid",
)  # fmt: skip
_SERVER_ANNOTATIONS = (
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "kubectl.kubernetes.io/",
    "pulumi.com/",
    "pv.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "volume.kubernetes.io/",
)


def of_stack(shell: Shell, project: Path) -> list[Manifest]:
    """Return all objects of the stack, as somebody would have written them, in an order that can be applied."""
    state = json.loads(shell.run("pulumi stack export --stack dev", project))
    wanted = stubs(state["deployment"]["resources"])
    found = json.loads(shell.run("kubectl get --filename - --output json", project, text=yaml.safe_dump_all(wanted)))
    return ordered(stripped(item) for item in found["items"])


def stubs(resources: Iterable[Mapping[str, Any]]) -> list[Manifest]:
    """Return who each Kubernetes object among the ``resources`` of a stack's state is: kind, name and namespace."""
    found = []
    for resource in resources:
        if not resource["type"].startswith("kubernetes:") or not resource.get("custom"):
            continue
        namespace, _, name = resource["id"].rpartition("/")
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        inputs = resource["inputs"]
        found.append({"apiVersion": inputs["apiVersion"], "kind": inputs["kind"], "metadata": metadata})
    return found


def stripped(found: Mapping[str, Any]) -> Manifest:
    """Return an object without what the cluster has put into it, so that it can be applied to an empty one."""
    item = copy.deepcopy(dict(found))
    item.pop("status", None)
    metadata = item["metadata"]
    for name in _SERVER_METADATA:
        metadata.pop(name, None)
    annotations = metadata.pop("annotations", {})
    kept = {key: value for key, value in annotations.items() if not key.startswith(_SERVER_ANNOTATIONS)}
    if kept:
        metadata["annotations"] = kept
    metadata.get("labels", {}).pop("kubernetes.io/metadata.name", None)
    spec = item.get("spec", {})
    if item["kind"] == "Namespace":
        item.pop("spec", None)
    if item["kind"] == "PersistentVolumeClaim":
        spec.pop("volumeName", None)
    if item["kind"] == "ServiceAccount":
        item.pop("secrets", None)
    if template := spec.get("template"):
        template["metadata"].pop("creationTimestamp", None)
    return item


def ordered(items: Iterable[Manifest]) -> list[Manifest]:
    """Return ``items`` in an order in which what another needs comes first."""

    def place(item: Manifest) -> int:
        return ORDER.index(item["kind"]) if item["kind"] in ORDER else len(ORDER)

    return sorted(items, key=place)


def of_site(items: Iterable[Manifest], site: str) -> list[Manifest]:
    """Return those of the site ``site``: its Namespace, and what is in it."""
    return [
        item
        for item in items
        if item["metadata"].get("namespace") == site or (item["kind"], item["metadata"]["name"]) == ("Namespace", site)
    ]


def moved(items: Iterable[Manifest], namespace: str, image: str) -> list[Manifest]:
    """Return a site's objects for another ``namespace``, its host named after that, with another ``image``."""
    result = []
    for item in copy.deepcopy(list(items)):
        if item["kind"] == "Namespace":
            item["metadata"]["name"] = namespace
        else:
            item["metadata"]["namespace"] = namespace
        if item["kind"] == "Service":
            for field in ("clusterIP", "clusterIPs"):
                item["spec"].pop(field, None)
        if item["kind"] == "Ingress":
            item["spec"]["rules"][0]["host"] = f"{namespace}.localhost"
        if item["kind"] == "HTTPRoute":
            item["spec"]["hostnames"] = [f"{namespace}.localhost"]
        if item["kind"] == "Deployment":
            item["spec"]["template"]["spec"]["containers"][0]["image"] = image
        result.append(item)
    return result


def write(items: Sequence[Manifest], path: Path) -> Path:
    """Write ``items`` as one file for ``kubectl``, and return its path."""
    path.write_text(yaml.safe_dump_all(items))
    return path


def write_chart(items: Sequence[Manifest], folder: Path, image: str | None = None) -> Path:
    """Write a Helm chart of ``items`` into ``folder``, a template each, and return it.

    ``image`` is the one that becomes a value of the chart.
    """
    templates = folder / "templates"
    templates.mkdir(parents=True)
    chart = {"apiVersion": "v2", "name": folder.name, "version": "1.0.0"}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (folder / "values.yaml").write_text(yaml.safe_dump({"image": image or ""}))
    for number, item in enumerate(items):
        own = copy.deepcopy(item)
        # Helm sets its own.
        own["metadata"].get("labels", {}).pop("app.kubernetes.io/managed-by", None)
        text = escaped_for_helm(yaml.safe_dump(own if image else item))
        if image:
            text = text.replace(image, "{{ .Values.image }}")
        (templates / f"{number:03}-{item['kind'].lower()}.yaml").write_text(text)
    return folder


def escaped_for_helm(text: str) -> str:
    """Return ``text`` so that Helm's templates give it back: some of it is another program's template itself."""
    return text.replace("{{", '{{"{{"}}')


def tofu(items: Sequence[Manifest]) -> dict[str, Any]:
    """Return OpenTofu's configuration of ``items``, in its JSON syntax, a resource each."""
    resources = {
        f"object_{number:03}": {"yaml_body": escaped_for_tofu(yaml.safe_dump(item))}
        for number, item in enumerate(items)
    }
    return {
        "terraform": {"required_providers": {"kubectl": {"source": "gavinbunney/kubectl"}}},
        "resource": {"kubectl_manifest": resources},
    }


def escaped_for_tofu(text: str) -> str:
    """Return ``text`` so that OpenTofu takes it as it is."""
    return text.replace("${", "$${").replace("%{", "%%{")
