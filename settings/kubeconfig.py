"""The kubeconfigs in use, found and merged before a provider needs them.

The rules are those of kubectl and of Pulumi's Kubernetes provider, which is client-go's package ``clientcmd``: the key
``kubeconfig`` (a path or the text), else the files of ``$KUBECONFIG``, else ``~/.kube/config``.
"""

import codecs
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from components.options import shown
from settings.problems import MASK, qualified

Entry: TypeAlias = Mapping[str, Any]
"""What a kubeconfig says of a context, a cluster or a user, in its own keys."""

MAX_DEPTH = 50
"""Of maps and lists inside each other; a kubeconfig has about six."""

LONGEST_PATH = 255
"""Characters of a path that are shown."""

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""Keys of clusters and users that name files."""

_EMBEDDED = 'for the embedded cluster run script/up, then eval "$(script/env)"'

_ALLOWED = "allowed: path or text of a kubeconfig"
_FIX = f"{_ALLOWED}, or unset for $KUBECONFIG or ~/.kube/config; {_EMBEDDED}"


class UnusableError(Exception):
    """A kubeconfig that can't be used: why, and the fix."""


@dataclass(frozen=True)
class Kubeconfig:
    """The kubeconfigs in use as one."""

    where: str
    """What to call it."""
    current: Any
    """Name of the current context; ``None`` if there is none."""
    contexts: Mapping[str, Entry]
    clusters: Mapping[str, Entry]
    """By their names; paths in them are absolute if they came from a file."""
    users: Mapping[str, Entry]
    """As the clusters."""


@dataclass(frozen=True)
class _Part:
    """One of the kubeconfigs in use."""

    document: Mapping[str, Any]
    where: str
    folder: Path | None = None
    """The one that paths in it are relative to; ``None``: the working directory."""


def is_text(kubeconfig: str) -> bool:
    """Tell whether the key holds the text of a kubeconfig rather than its path."""
    # Editors put a byte-order mark in front.
    return "\n" in kubeconfig or kubeconfig.removeprefix("\ufeff").lstrip().startswith("{")


def check_kubeconfig(
    kubeconfig: str | None, context: str | None, environ: Mapping[str, str], secrets: Collection[str] = ()
) -> list[str]:
    """Return the problem with the keys ``kubeconfig`` and ``context``, if there is one.

    The values of those that are among the ``secrets`` are not shown.
    """
    try:
        config = merged(kubeconfig, environ, "kubeconfig" in secrets)
        where, contexts = config.where, sorted(config.contexts)
        if context is None and not contexts:
            raise UnusableError(f"{where} has no contexts; {_FIX}")
    except UnusableError as problem:
        return [f"{qualified('kubeconfig')}: {problem}"]
    key = qualified("context")
    if context is None:
        context = config.current
        given = f"not set, and the current context of {where}, {shown(context)}, isn't in it"
        if context is None:
            return [f"{key}: not set, and {where} has no current context; allowed: {', '.join(contexts)}"]
    else:
        value = MASK if "context" in secrets else shown(context)
        given = f"{value} given, which isn't in {where}"
    if context in contexts:
        return []
    close = get_close_matches(context, contexts, 1) if isinstance(context, str) else []
    hint = f"did you mean {close[0]}? " if close else ""
    listed = ", ".join(contexts) or "none"
    embedded = f"; {_EMBEDDED}" if context == "inspiration" else ""
    return [f"{key}: {given}; {hint}allowed: {listed}{embedded}"]


def merged(kubeconfig: str | None, environ: Mapping[str, str], is_secret: bool = False) -> Kubeconfig:
    """Return the kubeconfigs in use as one.

    Of several, the first that has an entry of a name wins, with the whole entry, and the first with a current context.

    Args:
        kubeconfig: Path or text; ``None``: the files of ``$KUBECONFIG``, else ``~/.kube/config``.
        environ: Where ``KUBECONFIG`` and ``HOME`` are looked up.
        is_secret: Whether not to show the path in errors.

    Raises:
        UnusableError: One of them isn't there, or is no kubeconfig.
    """
    parts, where = _read(kubeconfig, environ, is_secret)
    sections: dict[str, dict[str, Entry]] = {"contexts": {}, "clusters": {}, "users": {}}
    for part in parts:
        for section, entries in sections.items():
            for name, entry in _entries(part, section):
                entries.setdefault(name, entry)
    current = next(filter(None, (part.document.get("current-context") for part in parts)), None)
    return Kubeconfig(where, current, **sections)


def _read(kubeconfig: str | None, environ: Mapping[str, str], is_secret: bool) -> tuple[list[_Part], str]:
    """Return the kubeconfigs in use and what to call them."""
    if kubeconfig is not None and is_text(kubeconfig):
        return [_Part(_parse(kubeconfig, "the text given"), "the text given")], "the kubeconfig"
    if kubeconfig is not None:
        # What was meant to be a text, in a form that isn't known to be one, is a secret too.
        where = MASK if is_secret else shown_path(kubeconfig)
        # Not Path.expanduser, which raises where there is no such home.
        return [_load(Path(os.path.expanduser(kubeconfig)), where)], where  # noqa: PTH111
    if listed := environ.get("KUBECONFIG"):
        named = [Path(name) for name in dict.fromkeys(listed.split(os.pathsep)) if name]
        if not named:
            raise UnusableError(f"$KUBECONFIG names no file; {_FIX}")
        # Files that are missing from the list don't matter while one is there.
        present = [path for path in named if not _is_missing(path)] or named[:1]
        return [_load(path, str(path), len(present) > 1) for path in present], "$KUBECONFIG"
    default = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    return [_load(default, str(default))], str(default)


def shown_path(path: str) -> str:
    """Return ``path`` to be shown; quoted and shortened if it is none that anybody would type."""
    return path if path.isprintable() and len(path) <= LONGEST_PATH else shown(path)


def _is_missing(path: Path) -> bool:
    """Tell whether there is nothing at ``path``, rather than something that can't be read."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _load(path: Path, where: str, part: bool = False) -> _Part:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnusableError(f"{where} is a folder; {_FIX}")
        if not stat.S_ISREG(mode):
            # To read a pipe or a device might take for ever, and the provider would have to read it once more.
            raise UnusableError(f"{where} is no file; {_FIX}")
        return _Part(_parse(_decoded(path.read_bytes()), where, part), where, path.absolute().parent)
    except FileNotFoundError:
        raise UnusableError(f"{where} doesn't exist; {_FIX}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise UnusableError(f"{where} can't be read: {reason}; {_FIX}") from None


def _decoded(content: bytes) -> str:
    """Return the text of a file as kubectl reads it: in UTF-8, or in UTF-16 if its byte-order mark says so."""
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_wide else "utf-8")


def _parse(text: str, where: str, part: bool = False) -> dict[str, Any]:
    # The parser's own message would quote the text, which holds keys. Only the one in C takes JSON that has tabs in it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if _is_too_deep(text, loader):
            raise UnusableError(f"{where} is no kubeconfig: it is nested too deeply; {_ALLOWED}")
        config = yaml.load(text, loader)  # noqa: S506 both are safe loaders
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise UnusableError(f"{where} is no YAML{line}; {_ALLOWED}") from None
    if config is None and part:
        return {}
    if config is None:
        raise UnusableError(f"{where} is empty; {_ALLOWED}")
    if not isinstance(config, dict) or ("contexts" not in config and not part):
        raise UnusableError(f"{where} is no kubeconfig: it has no contexts; {_ALLOWED}")
    return config


def _is_too_deep(text: str, loader: Any) -> bool:
    """Tell whether loading ``text`` would overflow the stack."""
    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return True
    return False


def _entries(part: _Part, section: str) -> Iterator[tuple[str, Entry]]:
    """Yield the names and contents of the contexts, the clusters or the users of a kubeconfig."""
    listed = part.document.get(section) or []
    kind, names = section.removesuffix("s"), set()
    if not isinstance(listed, list):
        if section == "contexts":
            return  # that there are none is what is said
        raise UnusableError("its clusters, users and contexts aren't those of a kubeconfig; write it again")
    for index, item in enumerate(listed):
        where = f"{section}[{index}]"
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            if section == "contexts":
                continue
            raise UnusableError(f"{part.where} is no kubeconfig: {where} has no name; {_ALLOWED}")
        if name in names:
            raise UnusableError(f"{part.where} has two {section} with the name {shown(name)}; remove one of them")
        names.add(name)
        entry = item.get(kind) or {}
        if not isinstance(entry, dict):
            raise UnusableError(f"{part.where} is no kubeconfig: {kind} of {where} is no map; {_ALLOWED}")
        yield name, _located(entry, part.folder)


def _located(entry: Entry, folder: Path | None) -> Entry:
    """Return ``entry`` with the paths in it absolute."""
    if folder is None:
        return entry
    found: dict[str, Any] = {
        key: _absolute(path, folder) for key in _FILES if isinstance(path := entry.get(key), str) and path
    }
    plugin = entry.get("exec")
    # A command without a slash is looked up on PATH.
    if isinstance(plugin, dict) and isinstance(command := plugin.get("command"), str) and "/" in command:
        found["exec"] = plugin | {"command": _absolute(command, folder)}
    return {**entry, **found}


def _absolute(path: str, folder: Path) -> str:
    return path if Path(path).is_absolute() else os.path.normpath(folder / path)
