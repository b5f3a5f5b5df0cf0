"""The image of a site, built from its folder."""

import os
from pathlib import Path

import pulumi
from pulumi_docker import Image

from components.site.build_context import content_hash, dockerfile_of, files
from components.site.options import SiteOptions
from components.site.pages import server


class SiteImage(pulumi.ComponentResource):
    """An image built from a folder and pushed to the registry.

    Args:
        name: Name of the image in the registry, and what the names of its resources begin with.
        options: The options of the site.
        registry: ``host:port`` of the registry that the image is pushed to.
        opts: Pulumi's options.

    The tag is a hash of the folder, so an unchanged folder is no change. Nothing is built in preview: what would be
    pushed isn't known there.
    """

    image: pulumi.Output[str]
    """Reference by digest, ``registry/name@sha256:…``."""
    content: str
    """The hash."""
    says_release: bool
    """Whether each answer has the hash as `RELEASE_HEADER`."""

    def __init__(
        self,
        name: str,
        options: SiteOptions,
        registry: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("inspiration:index:SiteImage", name, None, opts)
        folder = Path(options.source)
        dockerfile = dockerfile_of(folder)
        pages = dockerfile == server.DOCKERFILE
        arguments = server.arguments(folder, files(folder, dockerfile)) if pages else {}
        self.says_release = pages
        self.content = content_hash(folder, dockerfile, arguments)[:16]
        built = Image(
            f"{name}-docker",
            image_name=pulumi.Output.concat(registry, "/", name, ":", self.content),
            # Relative paths: the state of the stack is the same wherever the project is checked out.
            build={
                "context": folder.as_posix(),
                "dockerfile": relative(dockerfile),
                **({"args": {**arguments, "RELEASE": self.content}} if pages else {}),
            },
            # With an earlier release, what was built last stays as it is.
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["build", "imageName"] if options.release else None
            ),
        )
        released = pulumi.Output.concat(registry, "/", name, "@", options.release or "")
        self.image = released if options.release else built.repo_digest
        self.register_outputs({"image": self.image})


def relative(path: Path) -> str:
    """Return ``path`` relative to the project, which is the working directory of a Pulumi program."""
    return Path(os.path.relpath(path)).as_posix()
