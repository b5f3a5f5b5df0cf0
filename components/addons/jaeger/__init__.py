"""Traces of requests: Jaeger 2, which takes them by OTLP and keeps the latest in memory."""

from pydantic import Field

from components.addons.addon import Addon
from components.options import Model

NAMESPACE = "jaeger"
NAME = "jaeger"
OTLP_HTTP = 4318
OTLP_ENDPOINT = f"http://{NAME}.{NAMESPACE}.svc:{OTLP_HTTP}/v1/traces"
"""URL that takes traces, OTLP over HTTP, from inside the cluster.

An ingress controller that is told of it doesn't wait for Jaeger, and so the sites are served where Jaeger can't start.
Traces that are sent meanwhile are lost.
"""


class JaegerOptions(Model):
    """Options of Jaeger."""

    # Fewer, and a search that doesn't say how many traces it wants is refused: it asks for a hundred.
    max_traces: int = Field(
        default=10_000, ge=100, le=100_000, description="traces to keep in memory; the oldest make room"
    )


JAEGER = Addon(
    name="jaeger",
    what="traces of requests",
    options=JaegerOptions,
    component="Jaeger",
    namespaces=(NAMESPACE,),
    outputs={"jaeger_command": "query_command"},
)
