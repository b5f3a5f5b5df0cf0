"""The part of ``script/up --status`` about what a stack has deployed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from embedded.commands import connection
from embedded.errors import Failure
from embedded.health.api import ApiError, connect
from embedded.health.deployed import Component
from embedded.health.inspection import Problem, inspect
from embedded.paths import PROJECT
from embedded.stack import STACK, project_name


def show(console: Console, stack: str | None = None, *, problems_only: bool = False) -> bool:
    """Print how each component of a stack is, and why it isn't healthy; return whether all are.

    Args:
        console: Where to print it.
        problems_only: Print only what isn't healthy, and why.
        stack: Its name, where it is one of the user's own: then Pulumi, its state and the cluster are those that the
            user's environment and the stack's configuration say. By default, that of the embedded cluster.

    Raises:
        Failure: The stack's state can't be read.
    """
    name = stack or STACK
    if stack is None:
        environment = connection.remembered()
        if environment is None:
            return True  # nothing has been deployed
        # As after `eval "$(script/env)"`: for Pulumi, and for the way to the cluster past a proxy.
        os.environ.update(environment)
    deployment: dict[str, Any] = _pulumi("stack", "export", "--stack", name)["deployment"]
    project = project_name(PROJECT)
    kubeconfig, context = _cluster(project, stack) if stack else (None, None)
    try:
        inspected = inspect(deployment, connect(project, kubeconfig, context))
    except ApiError as error:
        console.print(f"what the stack has deployed: unknown, {error}", markup=False, soft_wrap=True)
        return False
    if inspected:
        render(console, inspected, problems_only=problems_only)
    elif not problems_only:
        console.print(f"Nothing is deployed: {'pulumi up' if stack else 'script/up'} does that.")
    return not any(problems for _, problems in inspected)


def render(
    console: Console, inspected: Sequence[tuple[Component, Sequence[Problem]]], *, problems_only: bool = False
) -> None:
    """Print a line for each component, then what is wrong."""
    table = Table(box=None, pad_edge=False)
    for heading in ("component", "health", "page"):
        table.add_column(heading, overflow="fold")
    for component, problems in inspected:
        state = Text("unhealthy", "bold red") if problems else Text("healthy")
        url = component.url or ""
        table.add_row(Text(component.name), state, Text(url, f"link {url}" if url else ""))
    if not problems_only:
        console.print(table)
    for component, problems in inspected:
        for problem in problems:
            console.print(Text(f"{component.name}: ", "bold") + Text(problem.what), soft_wrap=True)
            for cause in problem.causes:
                console.print(Text(f"  {cause}"), soft_wrap=True)


def _cluster(project: str, stack: str) -> tuple[str | None, str | None]:
    """The kubeconfig, path or text, and the context in it that the configuration of a stack names."""
    config = _pulumi("config", "--json", "--show-secrets", "--stack", stack)
    kubeconfig, context = (config.get(f"{project}:{key}", {}).get("value") for key in ("kubeconfig", "context"))
    return kubeconfig or None, context or None


def _pulumi(*arguments: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"], cwd=PROJECT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise Failure(
            "there is no pulumi on PATH",
            fix='install it: https://www.pulumi.com/docs/iac/download-install/, or eval "$(script/env)" for ours',
        ) from None
    if done.returncode != 0:
        raise Failure(f"the stack's state can't be read: {done.stderr.strip()}", fix="see `pulumi stack ls`")
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed
