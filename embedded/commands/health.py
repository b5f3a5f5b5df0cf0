"""The part of ``script/up --status`` about what the stack has deployed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from embedded import health
from embedded.commands import connection
from embedded.errors import Failure
from embedded.health import Component, Problem
from embedded.paths import PROJECT
from embedded.plugins.kubernetes import kubeconfig
from embedded.plugins.kubernetes.client import Client
from embedded.plugins.kubernetes.errors import PluginError
from embedded.stack import STACK


def show(console: Console) -> bool:
    """Print how each component of the stack is, and why it isn't healthy; return whether all are.

    Raises:
        Failure: The stack's state can't be read.
    """
    environment = connection.remembered()
    if environment is None:
        return True  # nothing has been deployed
    # From here on as after `eval "$(script/env)"`: for Pulumi, and for the way to the cluster past a proxy.
    os.environ.update(environment)
    deployment = _deployment()
    try:
        inspected = asyncio.run(_inspect(deployment))
    except PluginError as error:
        console.print(f"what the stack has deployed: unknown, {error}", markup=False, soft_wrap=True)
        return False
    if inspected:
        render(console, inspected)
    else:
        console.print("Nothing is deployed: script/up does that.")
    return not any(problems for _, problems in inspected)


def render(console: Console, inspected: Sequence[tuple[Component, Sequence[Problem]]]) -> None:
    """Print a line for each component, then what is wrong."""
    table = Table(box=None, pad_edge=False)
    for heading in ("component", "health", "page"):
        table.add_column(heading, overflow="fold")
    for component, problems in inspected:
        state = Text("unhealthy", "bold red") if problems else Text("healthy")
        url = component.url or ""
        table.add_row(Text(component.name), state, Text(url, f"link {url}" if url else ""))
    console.print(table)
    for component, problems in inspected:
        for problem in problems:
            console.print(Text(f"{component.name}: ", "bold") + Text(problem.what), soft_wrap=True)
            for cause in problem.causes:
                console.print(Text(f"  {cause}"), soft_wrap=True)


def _deployment() -> dict[str, Any]:
    exported = subprocess.run(
        ["pulumi", "stack", "export", "--stack", STACK, "--non-interactive"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if exported.returncode != 0:
        raise Failure(f"the stack's state can't be read: {exported.stderr.strip()}", fix="see `pulumi stack ls`")
    deployment: dict[str, Any] = json.loads(exported.stdout)["deployment"]
    return deployment


async def _inspect(deployment: dict[str, Any]) -> list[tuple[Component, list[Problem]]]:
    client = Client(kubeconfig.load())
    try:
        return await health.inspect(deployment, client)
    finally:
        await client.close()
