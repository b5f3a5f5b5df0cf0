"""What an addon says of itself holds: of its namespaces, its component, and what it needs and gives."""

import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, get_args

import pytest

from components import addons
from components.addons import ADDONS, NAMESPACES, reserved
from components.addons.addon import Addon, Context, Detectable
from components.chart import Product

each_addon = pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)


def module_of(addon: Addon[Any]) -> Any:
    return import_module(f"components.addons.{addon.name.replace('-', '_')}.component")


def test_each_package_is_in_the_list_and_each_name_in_it_once() -> None:
    packages = sorted(each.name for each in pkgutil.iter_modules(addons.__path__) if each.ispkg)
    assert packages == sorted(addon.name.replace("-", "_") for addon in ADDONS)


@each_addon
def test_its_namespaces_are_its_own_and_reserved(addon: Addon[Any]) -> None:
    module = module_of(addon)
    made = {module.NAMESPACE} if hasattr(module, "NAMESPACE") else set()
    made |= {each.namespace for each in vars(module).values() if isinstance(each, Product)}
    assert {name for name in made if not name.startswith("kube-")} <= set(addon.namespaces)
    assert all(map(reserved, {*made, *addon.namespaces}))
    assert {NAMESPACES[name] for name in addon.namespaces} <= {addon.name}


@each_addon
def test_what_it_needs_is_another_that_can_be_seen_in_the_cluster(addon: Addon[Any]) -> None:
    assert set(addon.needs) <= {other.name for other in ADDONS if other.detection and other is not addon}


@each_addon
def test_it_is_left_to_the_cluster_only_where_it_can_be_seen_there(addon: Addon[Any]) -> None:
    assert issubclass(addon.options, Detectable) is (addon.detection is not None)
    assert addon.default != "auto" or addon.detection


@each_addon
def test_its_component_takes_its_options_and_has_what_it_gives(addon: Addon[Any]) -> None:
    component = getattr(module_of(addon), addon.component)
    name, options, *others, opts = list(inspect.signature(component).parameters.values())
    kind = options.annotation
    if isinstance(kind, TypeVar):  # of the charts that are an addon
        [kind] = get_args(component.__orig_bases__[0])
    assert (name.name, options.name, opts.name) == ("name", "options", "opts")
    assert kind is addon.options
    if addon.optional:
        assert [each.annotation for each in others] == [Context]
    has = {name for base in component.__mro__ for name in inspect.get_annotations(base)}
    assert {*addon.outputs.values(), *(["url"] if "host" in addon.options.model_fields else [])} <= has


def test_what_is_off_is_not_imported() -> None:
    program = (
        "import sys, settings.resolution, settings.cluster_reader, settings.charts\n"
        "print(*(name for name in sys.modules if name.partition('.')[0] == 'pulumi_kubernetes'\n"
        "        or name.startswith('components.addons.') and name.count('.') > 2))"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
