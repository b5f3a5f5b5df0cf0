"""The image of a site, built from its folder."""

import os
from pathlib import Path
from typing import TypedDict

import pulumi
from pulumi_docker import Image

from components.build_context import content_hash, dockerfile_of


class SiteImageArgs(TypedDict):
    """The image of a site."""

    repository: str
    """Name of the image in the registry."""
    registry: pulumi.Input[str]
    """``host:port`` of the registry that the image is pushed to."""
    source: str
    """Folder of the site, relative to the project."""


class SiteImage(pulumi.ComponentResource):
    """An image built from a folder and pushed to the registry.

    The tag is a hash of the folder, so an unchanged folder is no change. Nothing is built in preview: what would be
    pushed isn't known there.
    """

    image: pulumi.Output[str]
    """Reference by digest, ``registry/name@sha256:…``."""

    def __init__(self, name: str, args: SiteImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:SiteImage", name, None, opts)
        folder = Path(args["source"])
        dockerfile = dockerfile_of(folder)
        tag = content_hash(folder, dockerfile)[:16]
        built = Image(
            f"{name}-docker",
            image_name=pulumi.Output.concat(args["registry"], "/", args["repository"], ":", tag),
            # Relative paths: the state of the stack is the same wherever the project is checked out.
            build={"context": folder.as_posix(), "dockerfile": relative(dockerfile)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.image = built.repo_digest
        self.register_outputs({"image": self.image})


def relative(path: Path) -> str:
    """Return ``path`` relative to the project, which is the working directory of a Pulumi program."""
    return Path(os.path.relpath(path)).as_posix()
