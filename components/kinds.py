"""The kinds of Kubernetes objects that the components declare, as resources of Pulumi's Kubernetes provider.

They stand in for the classes of the package ``pulumi_kubernetes``, which brings hundreds more, for each part of each
kind: a fifth of a preview's time, for objects that are plain dicts here (`components.manifests`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import pulumi


class KubernetesObject(pulumi.CustomResource):
    """An object of the kind that its class is called; of this class itself, of the kind that its manifest says.

    Args:
        name: Name of the resource.
        opts: Pulumi's options.
        manifest: The fields of the object; ``apiVersion`` and ``kind`` only where the class doesn't say them.
    """

    api_version: ClassVar[str]
    secret: ClassVar[Sequence[str]] = ()
    """Fields that are secret."""
    metadata: pulumi.Output[Mapping[str, Any]]
    spec: pulumi.Output[Mapping[str, Any]]
    """Only where the manifest has it."""

    # There is no other constructor, since Pulumi takes what calls the third one for the place of the declaration.
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **manifest: Any) -> None:
        if type(self) is not KubernetesObject:
            manifest = {"apiVersion": self.api_version, "kind": type(self).__name__, **manifest}
        if self.secret:
            manifest |= {field: pulumi.Output.secret(manifest[field]) for field in self.secret if field in manifest}
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=[*self.secret]))
        version = manifest["apiVersion"]
        group = version if "/" in version else f"core/{version}"
        super().__init__(f"kubernetes:{group}:{manifest['kind']}", name, manifest, opts)

    @classmethod
    def get(cls, name: str, id: pulumi.Input[str], opts: pulumi.ResourceOptions) -> Self:  # noqa: A002 Pulumi's name
        """Read an object that isn't this stack's: ``id`` is its name, with its namespace before it if it has one."""
        return cls(name, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id)), metadata=None, spec=None)


class ConfigMap(KubernetesObject):
    """Settings, as text."""

    api_version = "v1"


class Namespace(KubernetesObject):
    """What names and rights are limited to."""

    api_version = "v1"


class PersistentVolumeClaim(KubernetesObject):
    """A volume that stays when its pods go."""

    api_version = "v1"


class Secret(KubernetesObject):
    """Settings that are secret, which they are in Pulumi's state, too."""

    api_version = "v1"
    secret = ("data", "stringData")


class Service(KubernetesObject):
    """An address of pods."""

    api_version = "v1"


class ServiceAccount(KubernetesObject):
    """Who a pod is to the API server."""

    api_version = "v1"


class MutatingWebhookConfiguration(KubernetesObject):
    """What the API server lets change objects before it takes them."""

    api_version = "admissionregistration.k8s.io/v1"


class ValidatingWebhookConfiguration(KubernetesObject):
    """What the API server asks whether to take an object."""

    api_version = "admissionregistration.k8s.io/v1"


class CustomResourceDefinition(KubernetesObject):
    """A further kind."""

    api_version = "apiextensions.k8s.io/v1"


class APIService(KubernetesObject):
    """A part of the API that another server has."""

    api_version = "apiregistration.k8s.io/v1"


class DaemonSet(KubernetesObject):
    """A pod on each node."""

    api_version = "apps/v1"


class Deployment(KubernetesObject):
    """Pods that are all alike."""

    api_version = "apps/v1"


class StatefulSet(KubernetesObject):
    """Pods that have a name and a volume each."""

    api_version = "apps/v1"


class HorizontalPodAutoscaler(KubernetesObject):
    """How many pods there are, by their load."""

    api_version = "autoscaling/v2"


class CronJob(KubernetesObject):
    """Jobs by a schedule."""

    api_version = "batch/v1"


class Job(KubernetesObject):
    """A pod that runs to its end."""

    api_version = "batch/v1"


class Ingress(KubernetesObject):
    """How requests for a host get to a Service."""

    api_version = "networking.k8s.io/v1"


class IngressClass(KubernetesObject):
    """The name of an ingress controller."""

    api_version = "networking.k8s.io/v1"


class NetworkPolicy(KubernetesObject):
    """Who may connect to pods, and to whom these may."""

    api_version = "networking.k8s.io/v1"


class PodDisruptionBudget(KubernetesObject):
    """How many pods have to stay when a node is emptied."""

    api_version = "policy/v1"


class ClusterRole(KubernetesObject):
    """Rights, in the whole cluster or wherever they are given."""

    api_version = "rbac.authorization.k8s.io/v1"


class ClusterRoleBinding(KubernetesObject):
    """Who has the rights of a role, in the whole cluster."""

    api_version = "rbac.authorization.k8s.io/v1"


class Role(KubernetesObject):
    """Rights in a namespace."""

    api_version = "rbac.authorization.k8s.io/v1"


class RoleBinding(KubernetesObject):
    """Who has the rights of a role, in a namespace."""

    api_version = "rbac.authorization.k8s.io/v1"


class StorageClass(KubernetesObject):
    """How volumes are made."""

    api_version = "storage.k8s.io/v1"
