"""Whether the kubeconfig is there and has the context, before a provider needs it.

The rules are those of kubectl and of Pulumi's Kubernetes provider: the key ``kubeconfig`` (a path or the text), else
the files of ``$KUBECONFIG``, else ``~/.kube/config``.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from settings.problems import shown

_EMBEDDED = 'for the embedded cluster run script/up, then eval "$(script/env)"'


class _UnusableError(Exception):
    """A kubeconfig that can't be used, and the fix."""


def is_text(kubeconfig: str) -> bool:
    """Tell whether the key holds the text of a kubeconfig rather than its path."""
    return "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")


def check_kubeconfig(kubeconfig: str | None, context: str | None, environ: Mapping[str, str]) -> list[str]:
    """Return the problem with the keys ``kubeconfig`` and ``context``, if there is one."""
    try:
        configs, where = _read(kubeconfig, environ)
    except _UnusableError as problem:
        return [f"inspiration:kubeconfig: {problem}"]
    contexts = sorted({str(item["name"]) for config in configs for item in _items(config.get("contexts"))})
    listed = ", ".join(contexts) or "none"
    if context is None:
        if any(config.get("current-context") for config in configs):
            return []
        return [f"inspiration:context: not set, and {where} has no current context; allowed: {listed}"]
    if context in contexts:
        return []
    close = get_close_matches(context, contexts, 1)
    hint = f"did you mean {close[0]}? " if close else ""
    return [
        f"inspiration:context: {shown(context)} given, which isn't in {where}; {hint}"
        f"allowed: {listed}{f'; {_EMBEDDED}' if context == 'inspiration' else ''}"
    ]


def _read(kubeconfig: str | None, environ: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
    """Return the kubeconfigs in use and what to call them."""
    if kubeconfig is not None and is_text(kubeconfig):
        return [_parse(kubeconfig, "the text given")], "the kubeconfig"
    if kubeconfig is not None:
        # Not Path.expanduser, which raises where there is no such home.
        return [_load(Path(os.path.expanduser(kubeconfig)))], kubeconfig  # noqa: PTH111
    named = [Path(name) for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if named:
        # As kubectl does: files that are missing from the list don't matter while one is there.
        present = [path for path in named if path.exists()] or named[:1]
        return [_load(path) for path in present], "$KUBECONFIG"
    default = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    return [_load(default)], str(default)


def _load(path: Path) -> dict[str, Any]:
    fix = f"allowed: path or text of a kubeconfig, or unset for $KUBECONFIG or ~/.kube/config; {_EMBEDDED}"
    try:
        return _parse(path.read_text(), str(path))
    except FileNotFoundError:
        raise _UnusableError(f"{path} doesn't exist; {fix}") from None
    except IsADirectoryError:
        raise _UnusableError(f"{path} is a folder; {fix}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise _UnusableError(f"{path} can't be read: {reason}; {fix}") from error


def _parse(text: str, where: str) -> dict[str, Any]:
    # The parser's own message would quote the text, which holds keys.
    try:
        config = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 both are safe loaders
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise _UnusableError(f"{where} is no YAML{line}; allowed: path or text of a kubeconfig") from None
    if not isinstance(config, dict) or "contexts" not in config:
        raise _UnusableError(f"{where} is no kubeconfig: it has no contexts; allowed: path or text of a kubeconfig")
    return config


def _items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict) and "name" in item] if isinstance(value, list) else []
