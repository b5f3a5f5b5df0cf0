"""What cleans the registry up: a Python without packages. The registry itself is in the catalogue."""

from typing import Any

from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.images.base import image
from embedded.images.python_image import PythonImage
from embedded.toolchain import Toolchain


def _images(_: Toolchain, options: Any) -> list[Source]:
    return [] if options.keep is None else [python()]


def python() -> PythonImage:
    """The machine's Python, in place of upstream's."""
    return PythonImage(
        image("docker.io/library/python:3-alpine", [], {"Cmd": ["python3"]}, environment=["LANG=C.UTF-8"]),
        requirements=None,
        module="fcntl, json, ssl, urllib.request",
        without="keep all images: pulumi config set --path addons.registry.keep false",
        kept_by="python-alpine",  # that of Dockerfiles is another one
    )


ADDON = Addon(images=_images)
