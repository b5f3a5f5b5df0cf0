"""From a Pulumi type token to the Kubernetes kind it stands for."""

from dataclasses import dataclass
from enum import Enum

from .errors import Json, PluginError


class Form(Enum):
    """How a Pulumi resource relates to objects of the cluster."""

    OBJECT = "object"
    PATCH = "patch"
    """Some fields of an object that somebody else created."""
    LIST = "list"
    """Several objects in one resource."""


@dataclass(frozen=True)
class Kind:
    """A Kubernetes kind, and the form in which a Pulumi resource declares it."""

    api_version: str
    """Group and version, such as ``apps/v1``; ``v1`` for the core group."""
    name: str
    """Such as ``Deployment``; for a list, the list's kind."""
    form: Form = Form.OBJECT

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]


# The groups that pulumi-kubernetes has typed resources for. Only there do the suffixes Patch and List have a meaning of
# their own: a custom resource may well be called IPAllowList.
TYPED_GROUPS = frozenset(
    {"", "apps", "autoscaling", "batch", "extensions", "meta", "policy"}
    | {
        f"{name}.k8s.io"
        for name in (
            "admissionregistration",
            "apiextensions",
            "apiregistration",
            "auditregistration",
            "certificates",
            "coordination",
            "discovery",
            "events",
            "flowcontrol.apiserver",
            "networking",
            "node",
            "rbac.authorization",
            "resource",
            "scheduling",
            "settings",
            "storage",
            "storagemigration",
        )
    }
)

# Kinds without a namespace, known here so that a check needs no cluster (`kubectl api-resources --namespaced=false`).
CLUSTER_SCOPED = frozenset(
    {
        ("", "ComponentStatus"),
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("node.k8s.io", "RuntimeClass"),
        ("policy", "PodSecurityPolicy"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "DeviceTaintRule"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "VolumeAttributesClass"),
        ("storagemigration.k8s.io", "StorageVersionMigration"),
    }
)

# What the official plugin has beside the kinds of the API: nothing that could be done with server-side apply.
_UNSUPPORTED = ("helm.sh/", "helm", "yaml", "kustomize")


def resolve(token: str, inputs: Json) -> Kind:
    """The kind that a resource declares.

    Args:
        token: Type token, with or without its parents: ``my:index:Site$kubernetes:core/v1:Service``.
        inputs: The resource's inputs; their ``apiVersion`` and ``kind`` win over the token's.

    Raises:
        PluginError: For what only the official plugin does (Helm releases, YAML and Kustomize components).
    """
    own = token.rpartition("$")[2]
    try:
        _, group_version, name = own.split(":")
    except ValueError:
        raise PluginError(f"{token!r} isn't a type of the kubernetes plugin") from None
    refuse_unsupported(own)
    api_version = inputs.get("apiVersion") or group_version.removeprefix("core/")
    group = api_version.rpartition("/")[0]
    declared = inputs.get("kind")
    if name.endswith("Patch") and (group in TYPED_GROUPS or declared == name.removesuffix("Patch")):
        return Kind(api_version, name.removesuffix("Patch"), Form.PATCH)
    if group in TYPED_GROUPS and (name.endswith("List") or declared == "List"):
        return Kind(api_version, name, Form.LIST)
    return Kind(api_version, declared or name)


def refuse_unsupported(token: str) -> None:
    """Raise a `PluginError` if ``token`` is a resource, component or function that only the official plugin has."""
    module = token.partition(":")[2]
    if module.startswith(_UNSUPPORTED):
        raise PluginError(
            f"{token} isn't supported by the embedded kubernetes plugin: declare the objects as typed resources or as "
            "CustomResource, or install the official plugin (pulumi plugin install resource kubernetes)"
        )


def known_scope(kind: Kind) -> bool | None:
    """Whether objects of ``kind`` have a namespace; ``None`` if only the cluster can tell."""
    if (kind.group, kind.name) in CLUSTER_SCOPED:
        return False
    return True if kind.group in TYPED_GROUPS else None


_WORKLOADS = frozenset(
    {"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}
)


def is_workload(kind: Kind) -> bool:
    """Whether pods belong to objects of a kind, and end with them."""
    return kind.group in TYPED_GROUPS and kind.name in _WORKLOADS


def describe(kind: str, namespace: str | None, name: str) -> str:
    """How an object is called in messages: ``Deployment web/site``."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
