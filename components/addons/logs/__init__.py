"""The logs of all pods: an OpenTelemetry Collector on every node reads them, and Loki keeps them."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet, StatefulSet
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, PersistentVolumeClaim, Service
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.addons.logs import collector, loki
from components.manifests import checksum, config_map, namespace


class LogsArgs(TypedDict):
    """The logs of all pods."""

    retention: NotRequired[str]
    """How long lines are kept: a whole number and ``d``, ``w`` or ``y``; default ``7d``."""
    size: NotRequired[str]
    """Size of the volume for them, a Kubernetes quantity; default ``10Gi``."""
    storage_class: NotRequired[pulumi.Input[str] | None]
    """StorageClass of the volume; default: the cluster's default one."""
    path: NotRequired[str]
    """Folder on each node, absolute, for how far its logs are read and what Loki hasn't got yet; it stays when the
    addon goes. Default ``/var/lib/otel-collector``."""


class Logs(pulumi.ComponentResource):
    """Loki with a volume, and the collector that sends it every line of every pod.

    Nothing is lost, and nothing is there twice, when a collector or Loki starts again: see `collector.config`.
    """

    url: pulumi.Output[str]
    """Where the collectors find Loki's API. It asks for no password, so nobody else is let in."""
    query_command: str
    """Makes that API reachable for the caller, at the same port of 127.0.0.1."""

    def __init__(self, name: str, args: LogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Logs", name, None, opts)

        self.url = self._keep(name, args)
        self._collect(name, args.get("path", "/var/lib/otel-collector"), self.url)
        self.query_command = loki.query_command()
        self.register_outputs({"url": self.url, "queryCommand": self.query_command})

    def _keep(self, name: str, args: LogsArgs) -> pulumi.Output[str]:
        """Run Loki, and return its URL."""
        child = pulumi.ResourceOptions(parent=self)
        home = Namespace(f"{name}-namespace", **namespace(loki.NAMESPACE, "logs", "restricted"), opts=child)
        ns = home.metadata.name
        files = {loki.CONFIG: loki.config(args.get("retention", "7d"))}
        mounted = ConfigMap(f"{name}-loki-config", **config_map(loki.NAME, ns, "logs", files), opts=child)
        claim = PersistentVolumeClaim(
            f"{name}-claim", **loki.volume_claim(ns, args.get("size", "10Gi"), args.get("storage_class")), opts=child
        )
        policy = NetworkPolicy(
            f"{name}-loki-policy", **loki.network_policy(ns, collector.NAMESPACE, collector.NAME), opts=child
        )
        deployed = StatefulSet(
            f"{name}-statefulset",
            **loki.stateful_set(ns, mounted.metadata.name, claim.metadata.name, checksum(*files.values())),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        exposed = Service(
            f"{name}-service", **loki.service(ns), opts=pulumi.ResourceOptions(parent=self, depends_on=[deployed])
        )
        return pulumi.Output.all(exposed.metadata.name, ns).apply(lambda known: loki.url(*known))

    def _collect(self, name: str, path: str, url: pulumi.Output[str]) -> None:
        """Run the collectors, which send what they read to the Loki at ``url``."""
        child = pulumi.ResourceOptions(parent=self)
        # Folders of the node are what Pod Security calls privileged, so Loki isn't in this namespace.
        home = Namespace(f"{name}-collector", **namespace(collector.NAMESPACE, "logs", "privileged"), opts=child)
        ns = home.metadata.name
        text = url.apply(collector.config)
        mounted = ConfigMap(f"{name}-collector-config", **collector.config_map(ns, text), opts=child)
        policy = NetworkPolicy(f"{name}-collector-policy", **collector.network_policy(ns), opts=child)
        DaemonSet(
            f"{name}-daemonset",
            **collector.daemon_set(ns, mounted.metadata.name, text.apply(checksum), path),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
