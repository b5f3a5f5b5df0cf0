"""What the embedded default has for an addon."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from embedded.images import Source
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import Module


@dataclass(frozen=True)
class Addon:
    """What the embedded default has for an addon.

    Attributes:
        modules: The Go modules of its programs.
        images: Makes its images, out of the toolchain and the addon's options.
        refused: Why the embedded cluster can't have it.
    """

    modules: tuple[Module, ...] = ()
    images: Callable[[Toolchain, Any], list[Source]] = lambda *_: []
    refused: str | None = None
