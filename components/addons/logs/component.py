"""The logs of all pods: an OpenTelemetry Collector on every node reads them, and Loki keeps them."""

import pulumi

from components.addons.addon import Context
from components.addons.logs import COLLECTOR_NAMESPACE, NAMESPACE, LogsOptions, collector, loki
from components.kinds import ConfigMap, DaemonSet, Namespace, NetworkPolicy, PersistentVolumeClaim, Service, StatefulSet
from components.manifests import checksum, config_map, namespace_args


class Logs(pulumi.ComponentResource):
    """Loki with a volume, and the collector that sends it every line of every pod.

    Nothing is lost, and nothing is there twice, when a collector or Loki starts again: see `collector.config`.
    """

    url: pulumi.Output[str]
    """Where the collectors find Loki's API. It asks for no password, so nobody else is let in."""
    query_command: str
    """Makes that API reachable for the caller, at the same port of 127.0.0.1."""

    def __init__(
        self, name: str, options: LogsOptions, context: Context, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Logs", name, None, opts)

        self.url = self._keep(name, options, context.storage_class)
        self._collect(name, options.path, self.url)
        self.query_command = loki.query_command()
        self.register_outputs({"url": self.url, "queryCommand": self.query_command})

    def _keep(self, name: str, options: LogsOptions, storage_class: pulumi.Input[str] | None) -> pulumi.Output[str]:
        """Run Loki, and return its URL."""
        child = pulumi.ResourceOptions(parent=self)
        namespace = Namespace(f"{name}-namespace", **namespace_args(NAMESPACE, "logs", "restricted"), opts=child)
        ns = namespace.metadata["name"]
        files = {loki.CONFIG: loki.config(options.retention)}
        mounted = ConfigMap(f"{name}-loki-config", **config_map(loki.NAME, ns, "logs", files), opts=child)
        claim = PersistentVolumeClaim(f"{name}-claim", **loki.volume_claim(ns, options.size, storage_class), opts=child)
        policy = NetworkPolicy(
            f"{name}-loki-policy", **loki.network_policy(ns, COLLECTOR_NAMESPACE, collector.NAME), opts=child
        )
        stateful_set = StatefulSet(
            f"{name}-statefulset",
            **loki.stateful_set(ns, mounted.metadata["name"], claim.metadata["name"], checksum(*files.values())),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        service = Service(
            f"{name}-service", **loki.service(ns), opts=pulumi.ResourceOptions(parent=self, depends_on=[stateful_set])
        )
        return pulumi.Output.all(service.metadata["name"], ns).apply(lambda known: loki.url(*known))

    def _collect(self, name: str, path: str, url: pulumi.Output[str]) -> None:
        """Run the collectors, which send what they read to the Loki at ``url``."""
        child = pulumi.ResourceOptions(parent=self)
        # Folders of the node are what Pod Security calls privileged, so Loki isn't in this namespace.
        namespace = Namespace(
            f"{name}-collector", **namespace_args(COLLECTOR_NAMESPACE, "logs", "privileged"), opts=child
        )
        ns = namespace.metadata["name"]
        text = url.apply(collector.config)
        mounted = ConfigMap(f"{name}-collector-config", **collector.config_map(ns, text), opts=child)
        policy = NetworkPolicy(f"{name}-collector-policy", **collector.network_policy(ns), opts=child)
        DaemonSet(
            f"{name}-daemonset",
            **collector.daemon_set(ns, mounted.metadata["name"], text.apply(checksum), path),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
