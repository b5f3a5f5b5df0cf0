"""What is made of addons here, under upstream's names, when they are switched on: a module each, with an ``ADDON``.

The module has the addon's name in the configuration. For a program, make a folder in ``embedded/toolchain`` with its
go.mod and go.sum: a ``tool`` line for each of upstream's commands, a ``cmd`` folder for what has a ``main`` of our own.
If it uses Kubernetes' libraries, keep the versions that the cluster's go.mod has (``exclude`` newer ones): then Go
compiles them once for both, and `Module.after` has it wait for that. Its programs are in the folder
``toolchain.addons[NAME]``, where NAME is that of the Go module.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import Module

ADDONS: Mapping[str, Addon] = {
    each.name.replace("_", "-"): import_module(f"{__name__}.{each.name}").ADDON
    for each in iter_modules(__path__)
    if each.name != "addon"
}
"""By name in the configuration; those that need nothing aren't among them."""


def modules(names: Iterable[str] = ADDONS) -> list[Module]:
    """The Go modules of the addons ``names``; by default of all."""
    return [module for name in names if name in ADDONS for module in ADDONS[name].modules]


def images(toolchain: Toolchain, switched_on: Mapping[str, Any]) -> list[Source]:
    """The images of the addons that are switched on, each of which has its options."""
    return [
        image
        for name, options in switched_on.items()
        if name in ADDONS
        for image in ADDONS[name].images(toolchain, options)
    ]
