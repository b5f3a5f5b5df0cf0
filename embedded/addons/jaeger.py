"""Jaeger."""

from typing import Any

from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.images.archive import Entry
from embedded.images.base import exposed, image
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import FOLDER, Module

JAEGER = Module(
    folder=FOLDER / "jaeger",
    product="Jaeger",
    main="github.com/jaegertracing/jaeger",
    # Upstream releases both at once: https://github.com/jaegertracing/jaeger/blob/v1.76.0/CHANGELOG.md
    release="2.13.0",
    stamps={"github.com/jaegertracing/jaeger/internal/version.latestVersion": "release"},
)


def _images(toolchain: Toolchain, _: Any) -> list[Source]:
    return [
        image(
            f"docker.io/jaegertracing/jaeger:{JAEGER.release}",
            [Entry("/cmd/jaeger/jaeger-linux", toolchain.addons[JAEGER.name] / "jaeger")],
            {
                "Entrypoint": ["/cmd/jaeger/jaeger-linux"],
                "User": "10001",
                "ExposedPorts": exposed("4317/tcp", "4318/tcp", "13133/tcp", "16686/tcp"),
                "Volumes": {"/tmp": {}},  # noqa: S108 - the image's, not ours
            },
            environment=["JAEGER_LISTEN_HOST=0.0.0.0"],
        )
    ]


ADDON = Addon((JAEGER,), _images)
