"""cert-manager, and its chart."""

from typing import Any

from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.images.archive import Entry
from embedded.images.base import NONROOT, image
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import CLUSTER, FOLDER, Module

CERT_MANAGER = Module(
    folder=FOLDER / "cert-manager",
    product="cert-manager",
    main="github.com/cert-manager/cert-manager",
    stamps={"github.com/cert-manager/cert-manager/pkg/util.AppVersion": "github.com/cert-manager/cert-manager"},
    charts={"quay.io/jetstack/charts/cert-manager": "deploy/charts/cert-manager"},
    after=CLUSTER,
)


def _images(toolchain: Toolchain, _: Any) -> list[Source]:
    binaries = toolchain.addons[CERT_MANAGER.name]
    places = {name: f"/app/cmd/{name}/{name}" for name in ("controller", "webhook", "cainjector", "acmesolver")}
    return [
        image(
            f"quay.io/jetstack/cert-manager-{name}:{CERT_MANAGER.version}",
            [Entry(path, binaries / name)],
            {"Entrypoint": [path], "User": f"{NONROOT}"},
        )
        for name, path in {**places, "startupapicheck": "/startupapicheck"}.items()
    ]


ADDON = Addon((CERT_MANAGER,), _images)
