"""The cluster that everything runs on."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes import Provider


class ClusterArgs(TypedDict):
    """How to reach the cluster."""

    kubeconfig: NotRequired[pulumi.Input[str] | None]
    """Path or text of a kubeconfig; default: ``$KUBECONFIG``, then ``~/.kube/config``."""
    context: NotRequired[pulumi.Input[str] | None]
    """Context in the kubeconfig; default: its current one."""


class Cluster(pulumi.ComponentResource):
    """A Kubernetes cluster: the one provider through which all objects of the stack are made."""

    provider: Provider
    """Pass it on as ``ResourceOptions(providers=[cluster.provider])``: default providers are disabled."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Cluster", name, None, opts)
        kubeconfig = args.get("kubeconfig")
        self.provider = Provider(
            f"{name}-kubernetes",
            # It may hold keys.
            kubeconfig=None if kubeconfig is None else pulumi.Output.secret(kubeconfig),
            context=args.get("context"),
            # What is declared here is the stack's: a field that was edited by hand is shown by a refresh, and repaired.
            enable_patch_force=True,
            # A renewed certificate, or an edited configuration file, is an update of what holds it. By default it would
            # be a replacement, of all that mention it as well. Pods that read it only once have its checksum.
            enable_secret_mutable=True,
            enable_config_map_mutable=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
