"""The logs of all pods: the OpenTelemetry Collector reads them, Loki keeps them and answers questions."""

from typing import Annotated

from pydantic import Field

from components.addons.addon import Addon
from components.options import Allowed, Model, NodePath, Retention, StorageQuantity

NAMESPACE = "logs"
COLLECTOR_NAMESPACE = "logs-collector"


class LogsOptions(Model):
    """Options of the logs."""

    retention: Annotated[
        Retention,
        # Loki counts in days.
        Field(pattern=r"^[1-9][0-9]{0,4}[dwy]$", description="how long lines are kept"),
        Allowed('a whole number and d, w or y, such as "7d"'),
    ] = "7d"
    size: StorageQuantity = Field(default="10Gi", description="size of its volume")
    path: NodePath = Field(
        default="/var/lib/otel-collector",
        description="folder on each node for how far its logs are read, and what Loki hasn't got yet; it stays "
        "when the addon goes",
    )


LOGS = Addon(
    name="logs",
    what="logs of all pods, in Loki",
    options=LogsOptions,
    component="Logs",
    namespaces=(NAMESPACE, COLLECTOR_NAMESPACE),
    needs=("storage",),
    outputs={"logs_command": "query_command"},
    exemptions={
        "host-path": {
            "DaemonSet logs-collector/otel-collector": (
                "It reads the logs of its node's pods, and keeps there how far it is."
            ),
        },
        "non-root": {
            "DaemonSet logs-collector/otel-collector": "Logs are root's on the node; it has no capabilities.",
        },
        "pod-security-restricted": {
            "Namespace logs-collector": "Its pods mount the node's logs; Loki is in a restricted namespace of its own.",
        },
    },
)
