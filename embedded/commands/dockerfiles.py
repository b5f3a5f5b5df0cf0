"""Which images ``script/up`` makes for the Dockerfiles of sites."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from embedded.errors import Failure
from embedded.images import bases
from embedded.plugins.docker import made_here
from embedded.plugins.docker.dockerfile import read


class Site(Protocol):
    """What the settings say of a site."""

    @property
    def source(self) -> str:
        """Its folder, relative to the project."""

    @property
    def image(self) -> str | None:
        """The image that it is, where nothing is built."""


def named(project: Path, sites: Iterable[Site], present: Callable[[str], bool]) -> list[str]:
    """Return those of `bases.sources` that the Dockerfiles of the sites name.

    Args:
        project: The checkout.
        sites: All sites.
        present: Whether the Docker Engine has an image already.

    Raises:
        Failure: One names an image that can't be had.
    """
    found = dict[str, None]()
    for site in sites:
        dockerfile = Path(site.source, "Dockerfile")
        if site.image or not (project / dockerfile).is_file():
            continue
        text = (project / dockerfile).read_text(errors="replace")
        if refused := made_here.refusal(dockerfile, text, {}, bases.names(), present):
            raise Failure(*refused)
        found |= dict.fromkeys(map(made_here.familiar, read(text).images))
    return [name for name in bases.sources() if name in found]
