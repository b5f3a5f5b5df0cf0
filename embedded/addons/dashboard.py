"""The dashboard that only reads, kube-web-view."""

import re
from pathlib import Path
from typing import Any

from embedded import images
from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.images.base import image
from embedded.images.catalogue import caddy
from embedded.images.python_image import INTERPRETER, PACKAGES, PythonImage
from embedded.toolchain import Toolchain


def _images(toolchain: Toolchain, options: Any) -> list[Source]:
    if options.kind != "kube-web-view":  # Headlamp is in no registry that we build from
        return []
    return [kube_web_view(), caddy(toolchain)]  # which ends the TLS, in the pod


def kube_web_view() -> PythonImage:
    """The dashboard that only reads."""
    requirements = Path(images.__file__).with_name("kube-web-view.txt")
    (release,) = re.findall(r"^kube-web-view==(\S+)", requirements.read_text(), re.MULTILINE)
    return PythonImage(
        image(
            f"docker.io/hjacobs/kube-web-view:{release}",
            [],
            {"Entrypoint": [INTERPRETER, "-m", "kube_web"]},
            environment=["LANG=C.UTF-8", f"PYTHONPATH={PACKAGES}"],
        ),
        requirements,
        module="kube_web.main",
        without="do without the dashboard: pulumi config set --path addons.dashboard false",
    )


ADDON = Addon(images=_images)
