"""metrics-server."""

from typing import Any

from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.images.archive import Entry
from embedded.images.base import image
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import CLUSTER, FOLDER, Module

METRICS_SERVER = Module(
    folder=FOLDER / "metrics-server",
    product="metrics-server",
    main="sigs.k8s.io/metrics-server",
    stamps={"k8s.io/client-go/pkg/version.gitVersion": "sigs.k8s.io/metrics-server"},
    after=CLUSTER,
)


def _images(toolchain: Toolchain, _: Any) -> list[Source]:
    return [
        image(
            f"registry.k8s.io/metrics-server/metrics-server:{METRICS_SERVER.version}",
            [Entry("/metrics-server", toolchain.addons[METRICS_SERVER.name] / "metrics-server")],
            {"Entrypoint": ["/metrics-server"], "User": "65534"},
        )
    ]


ADDON = Addon((METRICS_SERVER,), _images)
