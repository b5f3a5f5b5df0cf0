"""``script/drift``: what is otherwise in the cluster than declared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from textwrap import shorten
from typing import Any
from urllib.parse import urlsplit

import requests
from rich.console import Console
from rich.table import Table
from rich.text import Text

from embedded.commands import connection, deployment
from embedded.errors import Failure
from embedded.health.deployed import PLUGIN, Json
from embedded.paths import PROJECT, STATE
from embedded.stack import STACK, Stack, project_name
from embedded.stack_lock import holders

FOUND = 2
"""Exit code where there is some, which wrong usage has in other scripts."""
SECRET = "[secret]"  # noqa: S105 - it stands for one
"""What Pulumi has in place of a secret's value."""
GONE = "gone"
RECORDED = "metadata.annotations.inspiration/"
"""How the annotations begin that say where a release comes from: they follow what was deployed, and a Deployment that
somebody has deleted has lost them."""
SECONDS = 10
"""For a notification to be taken."""
_WIDTH = 60
"""Characters of a value in the table."""
_WIDE = 240
"""Characters of a line where it isn't for a terminal: a line of the table stays one."""


@dataclass(frozen=True)
class Difference:
    """A field that is otherwise than declared, or an object that is gone."""

    kind: str
    """Such as ``Service``."""
    object: str
    """``namespace/name``, or the name of what is in no namespace."""
    field: str
    """Its path, such as ``spec.ports[0].port``; empty where the object is gone."""
    declared: Any
    """``None`` where the field isn't."""
    found: Any
    urn: str


@dataclass(frozen=True)
class Report:
    """What was found. As a dictionary, it is the document that is posted."""

    stack: str
    project: str
    time: str
    drift: tuple[Difference, ...]
    undeployed: tuple[str, ...] | None
    """What `pulumi up` would change besides, as ``update Deployment blog-deployment``; ``None``: that isn't known."""
    repaired: bool = False


def run(*, stack: str | None, repair: bool, notify: str | None, as_json: bool) -> int:
    """Print what is otherwise in the cluster than declared, and have it as declared again if that is asked for.

    Args:
        stack: Name of a stack of the user's own; by default, that of the embedded cluster.
        repair: Whether to run `pulumi up --refresh` where there is some.
        notify: The URL that a report is posted to where there is some.
        as_json: Whether to print the report as JSON.

    Returns:
        0 where there is none any more, else `FOUND`.

    Raises:
        Failure: It can't be found out, repaired, or told.
    """
    deployment.running(stack)
    with deployment.explained():
        # Pulumi would propose to forget what an unreachable cluster has.
        deployment.api_server(stack).check()
    report, why_unknown = look(stack or STACK)
    if not as_json:
        render(report, why_unknown)
    refused = None
    if report.drift and repair:
        try:
            # What Pulumi says is no part of the document.
            _repair(stack, report, why_unknown, output=2 if as_json else None)
            report = replace(report, repaired=True)
        except Failure as failure:
            refused = failure
    if as_json:
        sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")
    if report.drift and notify:
        post(notify, report)
    if refused:
        raise refused
    return FOUND if report.drift and not report.repaired else 0


def look(stack: str) -> tuple[Report, str]:
    """Return what is otherwise, and why it isn't known what isn't deployed yet; empty if it is.

    What somebody changed in the cluster is what Pulumi's state hasn't got; what is changed in the folder, or in the
    configuration, is what the program declares otherwise than the state. Nothing is written.

    Raises:
        Failure: An update is at work, or the cluster can't be asked.
    """
    _refuse_updated(stack)
    with ThreadPoolExecutor() as threads:
        refreshed = threads.submit(_steps, "refresh", "--preview-only", "--stack", stack)
        previewed = threads.submit(_steps, "preview", "--stack", stack)
    _refuse_updated(stack)
    undeployed, why_unknown = None, ""
    try:
        undeployed = tuple(pending(previewed.result()))
    except Failure as failure:
        why_unknown = failure.cause
    time = datetime.now(UTC).isoformat(timespec="seconds")
    drift = tuple(differences(refreshed.result()))
    return Report(stack, project_name(PROJECT), time, drift, undeployed), why_unknown


def differences(steps: Iterable[Json]) -> list[Difference]:
    """Return what the steps of `pulumi refresh` change."""
    found = []
    for step in steps:
        old, new = step.get("oldState") or {}, step.get("newState") or {}
        kind, called = _named(step["urn"], old)
        if step["op"] == "delete":
            found.append(Difference(kind, called, "", None, GONE, step["urn"]))
        elif step["op"] != "same":
            for path in sorted(step.get("detailedDiff") or {}):
                values = _value(old, path), _value(new, path)
                # The value of a secret may be known as one on one side only.
                if (kind == "Secret" and path.startswith(("data", "stringData"))) or any(map(_is_secret, values)):
                    values = SECRET, SECRET
                found.append(Difference(kind, called, path, *values, step["urn"]))
    return sorted(found, key=lambda each: (each.kind, each.object, each.field))


def pending(steps: Iterable[Json]) -> list[str]:
    """Return what the steps of `pulumi preview` change, in words."""
    changes = []
    for step in steps:
        paths = step.get("detailedDiff") or {}
        is_recorded = bool(paths) and all(path.startswith(RECORDED) for path in paths)
        if step["op"] not in ("same", "read", "refresh") and not is_recorded:
            kind, _ = _named(step["urn"], step.get("newState") or step.get("oldState") or {})
            changes.append(f"{step['op']} {kind} {step['urn'].rpartition('::')[2]}")
    return changes


def value_at(document: Any, path: str) -> Any:
    """Return what a document has at a path as Pulumi writes it; ``None``: nothing.

    Names of fields may have dots, as those of annotations: the longest one that fits is meant.
    """
    if not path or document == SECRET:
        return document
    path = path.removeprefix(".")
    if isinstance(document, list):
        index, closed, rest = path.removeprefix("[").partition("]")
        is_there = closed and index.isdecimal() and int(index) < len(document)
        return value_at(document[int(index)], rest) if is_there else None
    if isinstance(document, dict):
        for name in sorted(document, key=len, reverse=True):
            for written in (name, f'["{name}"]'):
                rest = path.removeprefix(written)
                if path.startswith(written) and (not rest or rest[0] in ".["):
                    return value_at(document[name], rest)
    return None


def render(report: Report, why_unknown: str = "") -> None:
    """Print a table, and what isn't drift."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDE
    if report.drift:
        table = Table(box=None, pad_edge=False)
        for heading in ("resource", "object", "field", "declared", "found"):
            table.add_column(heading, overflow="fold")
        for each in report.drift:
            cells = each.kind, each.object, each.field, _text(each.declared), _text(each.found)
            table.add_row(*(Text(cell) for cell in cells))
        console.print(table)
    else:
        console.print(f"The cluster has what the stack {report.stack} has declared.")
    if report.undeployed:
        changes = ", ".join(report.undeployed)
        console.print(f"not drift, but not deployed yet: {changes}; see `pulumi preview --diff`", markup=False)
    if why_unknown:
        console.print(f"what isn't deployed yet is unknown: {why_unknown}", markup=False)
    # Before what `pulumi up` prints.
    sys.stdout.flush()


def post(url: str, report: Report) -> None:
    """Post a report.

    Raises:
        Failure: It isn't taken. The URL, which may hold a token, isn't repeated.
    """
    host = urlsplit(url).hostname
    try:
        answer = requests.post(url, json=asdict(report), timeout=SECONDS, allow_redirects=False)
        said = f"it answered HTTP {answer.status_code}" if answer.status_code >= 300 else ""
    except requests.Timeout:
        said = f"no answer in {SECONDS} s"
    except requests.RequestException as error:
        said = f"it can't be reached ({type(error).__name__})"
    if said:
        raise Failure(f"{host} hasn't taken the notification: {said}", fix="see that the URL of --notify is right")


def _repair(stack: str | None, report: Report, why_unknown: str, output: int | None) -> None:
    if report.undeployed is None:
        raise Failure(f"nothing was repaired: {why_unknown}", fix="put that right first")
    if report.undeployed:
        raise Failure(
            "nothing was repaired: `pulumi up` would also deploy what isn't deployed yet",
            fix="run `pulumi up --refresh`, or undo that change first",
        )
    options = ("up", "--refresh", "--yes", "--skip-preview", "--suppress-outputs", "--stack", report.stack)
    if stack is None:
        code = Stack(PROJECT, STATE, connection.remembered() or {}, output=output).run(*options)
    else:
        code = subprocess.run(["pulumi", *options], cwd=PROJECT, stdout=output, check=False).returncode
    if code:
        raise Failure("`pulumi up --refresh` failed: the reasons are above", fix="put them right and run it again")


def _refuse_updated(stack: str) -> None:
    pids = holders(os.environ.get("PULUMI_BACKEND_URL", ""), project_name(PROJECT), stack)
    if pids:
        raise Failure(f"an update of the stack {stack} is at work (pid {pids[0]})", fix="run it again after that")


def _steps(*arguments: str) -> list[Json]:
    """Run a command of Pulumi that changes nothing, and return its steps.

    Raises:
        Failure: It fails.
    """
    command = ["pulumi", *arguments, "--json", "--diff", "--non-interactive"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    try:
        document = json.loads(done.stdout or "{}")
    except ValueError:
        document = {}
    if done.returncode:
        raise Failure(f"`pulumi {arguments[0]}` failed: {_reason(document, done.stderr)}", fix="put that right first")
    steps: list[Json] = document.get("steps") or []
    return steps


def _reason(document: Json, errors: str) -> str:
    """The first error, on one line."""
    diagnostics = document.get("diagnostics") or []
    messages = [each["message"] for each in diagnostics if each.get("severity") == "error"]
    said = " ".join((messages or [errors])[0].split()).removeprefix("error: ")
    return said or "it says no reason"


def _named(urn: str, state: Json) -> tuple[str, str]:
    """The kind of a resource, and what it is called."""
    *_, qualified, name = urn.split("::")
    token = qualified.rpartition("$")[2]
    kind = token.rpartition(":")[2]
    if not token.startswith(PLUGIN):
        return kind, name
    inputs = state.get("inputs") or {}
    return inputs.get("kind") or kind, state.get("id") or name


def _value(state: Json, path: str) -> Any:
    inputs = value_at(state.get("inputs") or {}, path)
    return value_at(state.get("outputs") or {}, path) if inputs is None else inputs


def _is_secret(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(map(_is_secret, value.values() if isinstance(value, dict) else value))
    return bool(value == SECRET)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return shorten(value if isinstance(value, str) else json.dumps(value), _WIDTH, placeholder="…")
