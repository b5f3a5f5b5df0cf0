"""Whether the kubeconfig is there and has the context, before a provider needs it.

The rules are those of kubectl and of Pulumi's Kubernetes provider: the key ``kubeconfig`` (a path or the text), else
the files of ``$KUBECONFIG``, else ``~/.kube/config``.
"""

import os
import stat
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from settings.problems import MASK, shown

MAX_DEPTH = 50
"""Of maps and lists inside each other; a kubeconfig has about six."""

LONGEST_PATH = 255
"""Characters of a path that are shown."""

_EMBEDDED = 'for the embedded cluster run script/up, then eval "$(script/env)"'

_ALLOWED = "allowed: path or text of a kubeconfig"
_FIX = f"{_ALLOWED}, or unset for $KUBECONFIG or ~/.kube/config; {_EMBEDDED}"


class _UnusableError(Exception):
    """A kubeconfig that can't be used, and the fix."""


def is_text(kubeconfig: str) -> bool:
    """Tell whether the key holds the text of a kubeconfig rather than its path."""
    return "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")


def check_kubeconfig(
    kubeconfig: str | None, context: str | None, environ: Mapping[str, str], secrets: Collection[str] = ()
) -> list[str]:
    """Return the problem with the keys ``kubeconfig`` and ``context``, if there is one.

    The values of those that are among the ``secrets`` are not shown.
    """
    try:
        configs, where = _read(kubeconfig, environ, "kubeconfig" in secrets)
        contexts = sorted({item["name"] for config in configs for item in _items(config.get("contexts"))})
        if context is None and not contexts:
            raise _UnusableError(f"{where} has no contexts; {_FIX}")
    except _UnusableError as problem:
        return [f"inspiration:kubeconfig: {problem}"]
    if context is None:
        context = next(filter(None, (config.get("current-context") for config in configs)), None)
        given = f"not set, and the current context of {where}, {shown(context)}, isn't in it"
        if context is None:
            return [f"inspiration:context: not set, and {where} has no current context; allowed: {', '.join(contexts)}"]
    else:
        value = MASK if "context" in secrets else shown(context)
        given = f"{value} given, which isn't in {where}"
    if context in contexts:
        return []
    close = get_close_matches(context, contexts, 1) if isinstance(context, str) else []
    hint = f"did you mean {close[0]}? " if close else ""
    listed = ", ".join(contexts) or "none"
    embedded = f"; {_EMBEDDED}" if context == "inspiration" else ""
    return [f"inspiration:context: {given}; {hint}allowed: {listed}{embedded}"]


def _read(kubeconfig: str | None, environ: Mapping[str, str], is_secret: bool) -> tuple[list[dict[str, Any]], str]:
    """Return the kubeconfigs in use and what to call them."""
    if kubeconfig is not None and is_text(kubeconfig):
        return [_parse(kubeconfig, "the text given")], "the kubeconfig"
    if kubeconfig is not None:
        # What was meant to be a text, in a form that isn't known to be one, is a secret too.
        where = MASK if is_secret else _named(kubeconfig)
        # Not Path.expanduser, which raises where there is no such home.
        return [_load(Path(os.path.expanduser(kubeconfig)), where)], where  # noqa: PTH111
    named = [Path(name) for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if named:
        # As kubectl does: files that are missing from the list don't matter while one is there.
        present = [path for path in named if path.exists()] or named[:1]
        return [_load(path, str(path), len(present) > 1) for path in present], "$KUBECONFIG"
    default = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    return [_load(default, str(default))], str(default)


def _named(path: str) -> str:
    """Return ``path`` to be shown; quoted and shortened if it is none that anybody would type."""
    return path if path.isprintable() and len(path) <= LONGEST_PATH else shown(path)


def _load(path: Path, where: str, part: bool = False) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _UnusableError(f"{where} is a folder; {_FIX}")
        if not stat.S_ISREG(mode):
            # To read a pipe or a device might take for ever, and the provider would have to read it once more.
            raise _UnusableError(f"{where} is no file; {_FIX}")
        return _parse(path.read_text(), where, part)
    except FileNotFoundError:
        raise _UnusableError(f"{where} doesn't exist; {_FIX}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise _UnusableError(f"{where} can't be read: {reason}; {_FIX}") from None


def _parse(text: str, where: str, part: bool = False) -> dict[str, Any]:
    # The parser's own message would quote the text, which holds keys.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if _is_too_deep(text, loader):
            raise _UnusableError(f"{where} is no kubeconfig: it is nested too deeply; {_ALLOWED}")
        config = yaml.load(text, loader)  # noqa: S506 both are safe loaders
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise _UnusableError(f"{where} is no YAML{line}; {_ALLOWED}") from None
    if config is None and part:
        return {}
    if config is None:
        raise _UnusableError(f"{where} is empty; {_ALLOWED}")
    if not isinstance(config, dict) or ("contexts" not in config and not part):
        raise _UnusableError(f"{where} is no kubeconfig: it has no contexts; {_ALLOWED}")
    return config


def _is_too_deep(text: str, loader: Any) -> bool:
    """Tell whether loading ``text`` would overflow the stack."""
    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return True
    return False


def _items(value: Any) -> list[dict[str, Any]]:
    return (
        [item for item in value if isinstance(item, dict) and isinstance(item.get("name"), str)]
        if isinstance(value, list)
        else []
    )
