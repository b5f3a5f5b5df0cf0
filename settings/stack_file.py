"""A stack's configuration, for who has no Pulumi yet that would hand it over."""

import json
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, TypeVar

import pulumi

from components.manifests import instance
from settings import Settings

T = TypeVar("T")

HIDDEN = "[encrypted]"


def load(project: str, config: Mapping[Any, Any]) -> Settings:
    """Read the section ``config`` of the file of one of a project's stacks, as the file has it; see `Settings.load`.

    Raises:
        SettingsError: With all problems at once.
    """
    values = {str(key) if ":" in str(key) else f"{project}:{key}": value for key, value in config.items()}
    secrets = [key for key, value in values.items() if _has_secret(value)]

    def read() -> Settings:
        pulumi.runtime.set_all_config({key: _text(value) for key, value in values.items()}, secrets)
        return Settings.load(encrypted=True)

    return within(project, read)


def instance_of(project: str, stack: str) -> str:
    """Return the value of the label by which the objects of a project's stack are told from another stack's."""
    return within(project, instance, stack)


def within(project: str, function: Callable[[], T], stack: str | None = None) -> T:
    """Call a function as the program of a project would, whose errors have the project's name."""

    def call() -> T:
        pulumi.runtime.configure(pulumi.runtime.Settings(project, stack=stack))
        return function()

    # In a context of its own, since it is one for all programs of a process where Pulumi's SDK has the project's name.
    return copy_context().run(call)


def _text(value: Any) -> str:
    """Return ``value`` as Pulumi hands it over, but for what is encrypted in a list."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(_hidden(value) if isinstance(value, list) else value)


def _hidden(value: Any) -> Any:
    """Return ``value`` with a text in place of each of its secrets, so that the rest can be read."""
    if isinstance(value, dict):
        return HIDDEN if value.keys() == {"secure"} else {key: _hidden(each) for key, each in value.items()}
    return list(map(_hidden, value)) if isinstance(value, list) else value


def _has_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return value.keys() == {"secure"} or any(map(_has_secret, value.values()))
    return isinstance(value, list) and any(map(_has_secret, value))
