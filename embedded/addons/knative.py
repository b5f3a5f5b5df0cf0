"""Knative Serving."""

from typing import Any

from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.images.archive import Entry
from embedded.images.base import NONROOT, image
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import CLUSTER, FOLDER, Module

KNATIVE = Module(
    folder=FOLDER / "knative",
    product="Knative Serving",
    main="knative.dev/serving",
    # The module of each release has a version of its own: https://github.com/knative/serving/releases/tag/knative-v1.23.0
    release="1.23.0",
    stamps={"knative.dev/pkg/changeset.rev": "release"},
    after=CLUSTER,
)


def _images(toolchain: Toolchain, _: Any) -> list[Source]:
    programs = toolchain.addons[KNATIVE.name]
    return [
        image(
            f"gcr.io/knative-releases/knative.dev/serving/cmd/{program}:v{KNATIVE.release}",
            [Entry(f"/ko-app/{program}", programs / program)],
            {"Entrypoint": [f"/ko-app/{program}"], "User": f"{NONROOT}"},
        )
        for program in ("activator", "autoscaler", "controller", "queue", "webhook")
    ]


ADDON = Addon((KNATIVE,), _images)
