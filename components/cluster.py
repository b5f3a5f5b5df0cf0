"""The cluster that everything runs on."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes import Provider

from components.manifests import PATCH_FORCE, SKIP_AWAIT, annotated


class ClusterArgs(TypedDict):
    """How to reach the cluster."""

    kubeconfig: NotRequired[pulumi.Input[str] | None]
    """Path or text of a kubeconfig; default: ``$KUBECONFIG``, then ``~/.kube/config``."""
    context: NotRequired[pulumi.Input[str] | None]
    """Context in the kubeconfig; default: its current one."""


class Cluster(pulumi.ComponentResource):
    """A Kubernetes cluster: the one provider through which all objects of the stack are made."""

    provider: Provider
    """Default providers are disabled."""
    options: pulumi.ResourceOptions
    """Pass it to each component whose objects are on this cluster."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Cluster", name, None, opts)
        kubeconfig = args.get("kubeconfig")
        self.provider = Provider(
            f"{name}-kubernetes",
            # It may hold keys. Without one, the SDK would put $KUBECONFIG into the state in its place, and the provider
            # would take a list of files for one.
            kubeconfig="" if kubeconfig is None else pulumi.Output.secret(kubeconfig),
            context=args.get("context"),
            # A renewed certificate, or an edited configuration file, is an update of what holds it. By default it would
            # be a replacement, of all that mention it as well. Pods that read it only once have its checksum.
            enable_secret_mutable=True,
            enable_config_map_mutable=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.options = pulumi.ResourceOptions(providers=[self.provider], transformations=[handled])
        self.register_outputs({})


_AWAITED_BY_PODS = ("kubernetes:core/v1:PersistentVolumeClaim", "kubernetes:core/v1:Service")
"""What is ready when the pods are that use it, or are behind it.

Pulumi's own rules are of no use for them. A Service would take ten seconds more. A claim whose class binds it when its
first pod comes (``WaitForFirstConsumer``) counts as ready while it is *unbound*: a change of one that is in use fails
after five minutes.
Source: https://github.com/pulumi/pulumi-kubernetes/blob/v4.25.0/provider/pkg/await/awaiters.go
"""


def handled(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """Give an object the annotations that tell Pulumi how to handle it: a transformation of resources.

    Source: https://www.pulumi.com/docs/iac/concepts/options/transformations/
    """
    metadata = args.props.get("metadata")
    if not args.type_.startswith("kubernetes:") or not isinstance(metadata, Mapping):
        return None
    # A field that was edited by hand is shown by a refresh, and repaired; by default, that would be a conflict.
    annotations = {**PATCH_FORCE, **(SKIP_AWAIT if args.type_ in _AWAITED_BY_PODS else {})}
    props = {**args.props, "metadata": annotated(metadata, annotations)}
    return pulumi.ResourceTransformationResult(props, args.opts)
