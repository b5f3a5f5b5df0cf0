"""The images that a Dockerfile may begin with on the embedded default, where no registry may be in reach.

``script/up`` makes them under upstream's names, and lists them in a variable. Without it, all is as the Engine has it.
"""

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from .dockerfile import read

VARIABLE = "INSPIRATION_BASES"
"""Their names, as a Dockerfile writes them."""

_WITH_PACKAGES = ("debian", "node", "python")

DOCKER_HUB = "https://registry-1.docker.io/v2/"
_TIMEOUT = 3
"""Seconds for it to answer at all."""


def names() -> list[str]:
    """Those that there are; none, where it isn't the embedded default."""
    return os.environ.get(VARIABLE, "").split()


def familiar(image: str) -> str:
    """``image`` as Docker shows it: ``caddy:2`` for ``docker.io/library/caddy:2``."""
    return image.removeprefix("docker.io/").removeprefix("library/")


def runs(text: str, arguments: Mapping[str, str]) -> list[int]:
    """The lines of a Dockerfile on which something is run in an image of these that can install packages."""
    known = {name for name in names() if name.partition(":")[0] in _WITH_PACKAGES}
    return [line for stage in read(text, arguments).stages if familiar(stage.root) in known for line in stage.runs]


def refusal(
    dockerfile: Path, text: str, arguments: Mapping[str, str], known: Collection[str], present: Callable[[str], bool]
) -> tuple[str, str] | None:
    """Say which image a Dockerfile names that can't be had, and what to do; ``None`` if it can have them all.

    A registry other than Docker Hub may be the user's own, so its images are the Engine's to look for.

    Args:
        dockerfile: Where it is.
        text: What it says.
        arguments: The build's.
        known: The images that are made here.
        present: Whether the Engine has an image already.
    """
    for image, line in read(text, arguments).images.items():
        first, slash, _ = familiar(image).partition("/")
        elsewhere = slash and ("." in first or ":" in first or first == "localhost")
        if not (elsewhere or familiar(image) in known or present(image) or docker_hub_answers()):
            return (
                f"{dockerfile}, line {line}: {image} can't be had, as Docker Hub doesn't answer",
                f"name one that is made here: {', '.join(known)}",
            )
    return None


def docker_hub_answers() -> bool:
    """Whether Docker Hub can be reached from here."""
    try:
        with urllib.request.urlopen(DOCKER_HUB, timeout=_TIMEOUT):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401  # it wants to know who asks
    except (OSError, ValueError):
        return False
