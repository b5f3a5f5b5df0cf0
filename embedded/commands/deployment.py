"""What a stack has deployed, and the API server that knows how it is: by its state and its configuration."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from embedded.cluster.cluster import Cluster
from embedded.commands import connection
from embedded.errors import Failure
from embedded.health.api import Api, ApiError, connect
from embedded.health.deployed import Component, Json
from embedded.paths import PROJECT, STATE
from embedded.stack import STACK, project_name


def exported(stack: str | None) -> Json | None:
    """Return the ``deployment`` of ``pulumi stack export``; ``None`` if there is no embedded cluster.

    Args:
        stack: Its name, where it is one of the user's own: then Pulumi, its state and the cluster are those that the
            user's environment and the stack's configuration say. By default, that of the embedded cluster, whose
            environment becomes this process's.

    Raises:
        Failure: The state can't be read.
    """
    if stack is None:
        environment = connection.remembered()
        if environment is None:
            return None
        # As after `eval "$(script/env)"`: for Pulumi, and for the way to the cluster past a proxy.
        os.environ.update(environment)
    deployment: Json = pulumi("stack", "export", "--stack", stack or STACK)["deployment"]
    return deployment


def running(stack: str | None) -> Json:
    """Do as `exported`, for what needs the cluster.

    Raises:
        Failure: There is no embedded cluster, or it is stopped; or the state can't be read.
    """
    state = exported(stack)
    if state is None:
        raise Failure("there is no embedded cluster yet", fix="run script/up first, or name a stack of yours: --stack")
    if stack is None and Cluster(STATE).supervisor.root() is None:
        raise Failure("the embedded cluster isn't running", fix="script/up starts it")
    return state


def site_namespaces(deployed: Iterable[Component]) -> dict[str, str]:
    """Return the namespaces of the sites among components, by name."""
    return {
        each.name: made.name
        for each in deployed
        if each.type == "Site"
        for made in each.objects
        if made.kind.name == "Namespace"
    }


def site_namespace(site: str, deployed: Iterable[Component], stack: str | None) -> str:
    """Return the namespace of a site.

    Raises:
        Failure: The stack has no such site.
    """
    sites, name = site_namespaces(deployed), stack or STACK
    if site in sites:
        return sites[site]
    if not sites:
        raise Failure(f"the stack {name} has no site", fix=f"{'pulumi up' if stack else 'script/up'} deploys its sites")
    raise Failure(f"the stack {name} has no site {site}", fix=f"name one of {', '.join(sites)}")


@contextmanager
def explained() -> Iterator[None]:
    """Make a failure of what the API server's reader says.

    Raises:
        Failure: It says something.
    """
    try:
        yield
    except ApiError as error:
        cause, _, fix = str(error).rpartition("; ")
        raise (Failure(cause, fix) if cause else Failure(fix, "see `script/up --status`")) from None


def api_server(stack: str | None) -> Api:
    """Return the API server of a stack that has been exported; whether it answers, the first question tells.

    Raises:
        ApiError: Its kubeconfig isn't there, can't be used, or hasn't its context.
        Failure: The stack's configuration can't be read.
    """
    project = project_name(PROJECT)
    return connect(project, *(_cluster(project, stack) if stack else (None, None)))


def _cluster(project: str, stack: str) -> tuple[str | None, str | None]:
    """The kubeconfig, path or text, and the context in it that the configuration of a stack names."""
    config = pulumi("config", "--json", "--show-secrets", "--stack", stack)
    kubeconfig, context = (config.get(f"{project}:{key}", {}).get("value") for key in ("kubeconfig", "context"))
    return kubeconfig or None, context or None


def pulumi(*arguments: str) -> dict[str, Any]:
    """Run a ``pulumi`` command, and return what it prints, which is JSON or nothing.

    Raises:
        Failure: There is no ``pulumi``, or it fails.
    """
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
    printed: dict[str, Any] = json.loads(done.stdout or "{}")
    return printed
