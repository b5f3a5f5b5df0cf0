"""Loki, and the collector that fills it."""

from typing import Any

from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.images.archive import Entry
from embedded.images.base import exposed, image
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import FOLDER, Module

LOKI = Module(
    folder=FOLDER / "loki",
    product="Loki",
    main="github.com/grafana/loki/v3",
    stamps={"github.com/grafana/loki/v3/pkg/util/build.Version": "github.com/grafana/loki/v3"},
)

OTEL_COLLECTOR = Module(
    folder=FOLDER / "otel-collector",
    product="OpenTelemetry Collector",
    main="go.opentelemetry.io/collector/otelcol",
    stamps={"main.version": "go.opentelemetry.io/collector/otelcol"},
)


def _images(toolchain: Toolchain, _: Any) -> list[Source]:
    user = 10001  # of both of upstream's images, whose example configurations aren't in these
    loki = toolchain.addons[LOKI.name] / "loki"
    collector = toolchain.addons[OTEL_COLLECTOR.name] / "otelcol-k8s"
    return [
        image(
            f"docker.io/grafana/loki:{LOKI.version.removeprefix('v')}",
            [Entry("/usr/bin/loki", loki), Entry("/loki", owner=user)],
            {"Entrypoint": ["/usr/bin/loki"], "User": f"{user}", "ExposedPorts": exposed("3100/tcp")},
        ),
        image(
            f"docker.io/otel/opentelemetry-collector-k8s:{OTEL_COLLECTOR.version.removeprefix('v')}",
            [Entry("/otelcol-k8s", collector)],
            {"Entrypoint": ["/otelcol-k8s"], "User": f"{user}:{user}"},
        ),
    ]


ADDON = Addon((OTEL_COLLECTOR, LOKI), _images)
