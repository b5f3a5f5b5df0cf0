"""Prometheus, with its pages."""

from typing import Any

from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.images.archive import Entry
from embedded.images.base import NOBODY, exposed, image
from embedded.images.prometheus_image import PrometheusImage
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import FOLDER, Module

PROMETHEUS = Module(
    folder=FOLDER / "prometheus",
    product="Prometheus",
    main="github.com/prometheus/prometheus",
    release="3.16.0",
    # Of the ways to find targets only that of Kubernetes: the others bring the SDKs of a dozen clouds.
    tags=("remove_all_sd", "enable_kubernetes_sd"),
    stamps={"github.com/prometheus/common/version.Version": "release"},
    # Its module has no built pages, which `embedded.images.prometheus_image` makes of these.
    sources={"ui": "web/ui"},
)


def _images(toolchain: Toolchain, _: Any) -> list[Source]:
    binaries = toolchain.addons[PROMETHEUS.name]
    base = image(
        f"quay.io/prometheus/prometheus:v{PROMETHEUS.release}",
        [
            *(Entry(f"/bin/{program}", binaries / program) for program in ("prometheus", "promtool")),
            Entry("/etc/prometheus/prometheus.yml", b"global:\n  scrape_interval: 15s\n", mode=0o644),
            Entry("/prometheus", mode=0o775, owner=NOBODY),
        ],
        {
            "Entrypoint": ["/bin/prometheus"],
            "Cmd": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"],
            "User": "nobody",
            "WorkingDir": "/prometheus",
            "ExposedPorts": exposed("9090/tcp"),
        },
    )
    return [PrometheusImage(base, binaries.parent / "ui")]


ADDON = Addon((PROMETHEUS,), _images)
