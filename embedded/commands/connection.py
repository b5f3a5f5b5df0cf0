"""The environment that the last ``script/up`` made, for commands that only use it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from embedded.cluster import plan
from embedded.cluster.plan import Files
from embedded.errors import Failure
from embedded.paths import STATE
from embedded.plugins.shared import loopback

FILE = Files(STATE).environment


def remember(environment: dict[str, str], folders: list[str]) -> None:
    """Keep it for other commands and other shells.

    Args:
        environment: All variables but ``PATH``.
        folders: What comes first in ``PATH``.
    """
    # Imported where it is used: `script/env` is in people's shell profiles.
    from embedded import files

    files.replace(FILE, json.dumps({"environment": environment, "folders": folders}, indent=1))


def without_proxy(variables: Mapping[str, str]) -> dict[str, str]:
    """What keeps proxies out of it: the cluster and Pulumi's processes are on this machine, where none knows the way.

    Also where there is no proxy: somebody may set one later, for one command.

    Args:
        variables: The user's own, which stay in force.
    """
    return {**plan.without_proxy(variables), **loopback.without_proxy(variables)}


def recall() -> tuple[dict[str, str], list[str]] | None:
    """What :func:`remember` kept; None if ``script/up`` has not come so far yet.

    What is not for a proxy is what the user's own variables say now, with what is on this machine added.

    Raises:
        Failure: It is in a form that this version can't read.
    """
    try:
        kept = json.loads(FILE.read_text())
        environment = {str(name): str(value) for name, value in kept["environment"].items()}
        folders = [str(folder) for folder in kept.get("folders", ())]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(
            f"{FILE} can't be read: it is damaged, or of another version", fix="run script/up, which writes it anew"
        ) from None
    return {**environment, **without_proxy(os.environ)}, folders


def remembered() -> dict[str, str] | None:
    """The same as variables for a child process, ``PATH`` included."""
    kept = recall()
    if kept is None:
        return None
    environment, folders = kept
    rest = [folder for folder in os.environ.get("PATH", "").split(":") if folder not in folders]
    return {**environment, "PATH": ":".join([*folders, *rest])}
