"""The part of ``script/up --status`` about what a stack has deployed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from embedded.commands import deployment
from embedded.health.api import ApiError
from embedded.health.deployed import Component
from embedded.health.inspection import Problem, inspect


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
    state = deployment.exported(stack)
    if state is None:
        return True  # nothing has been deployed
    try:
        inspected = inspect(state, deployment.api_server(stack))
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
