"""Renders charts with the real Helm: the program ``helm`` on PATH."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .errors import Json, PluginError
from .kubeconfig import Connection

_HOMES = {"HELM_CACHE_HOME": "cache", "HELM_CONFIG_HOME": "config", "HELM_DATA_HOME": "data"}
_LOG_LINE = re.compile(r'^level=(\w+) msg=(?:"((?:[^"\\]|\\.)*)"|(\S+))(.*)$')
_FIRST_LINE = re.compile("^---$", re.MULTILINE)
# What Helm says of every chart with CRDs and a cluster; they come first, and kinds that aren't there yet are handled.
_NOISE = "contains CRDs. Rendering may fail"


@dataclass(frozen=True)
class Chart:
    """What is rendered, and with which values."""

    reference: str
    """As on Helm's command line: a folder, an archive, a name in ``repository``, a URL."""
    release: str
    namespace: str
    version: str | None = None
    repository: str | None = None
    """URL of a chart repository."""
    values: Json = field(default_factory=dict, repr=False)
    """They win over those of the files."""
    value_files: tuple[str, ...] = field(default=(), repr=False)
    """Texts of values files, a later one wins."""
    crds: bool = True
    """Whether the objects of the chart's folder ``crds`` are wanted."""
    devel: bool = False
    plain_http: bool = False
    dependency_update: bool = False
    certificates: dict[str, str] = field(default_factory=dict, repr=False)
    """Texts of ``ca-file``, ``cert-file`` and ``key-file``, for the chart's repository."""


@dataclass(frozen=True)
class Capabilities:
    """What a cluster can do, as templates ask for it."""

    version: str
    """Such as ``v1.37.2``."""
    apis: tuple[str, ...]
    """``apps/v1`` and ``apps/v1/Deployment``, for each."""


@dataclass(frozen=True)
class Rendered:
    """What Helm has made of a chart."""

    manifest: str
    """YAML documents; hooks are among them."""
    warnings: list[str]


class _RenderError(PluginError):
    """Helm refuses a chart."""


async def render(
    chart: Chart,
    connection: Connection,
    capabilities: Callable[[], Awaitable[Capabilities]],
    interrupt: asyncio.Event,
) -> Rendered:
    """Render a chart for a cluster, as ``helm template --dry-run=server`` does.

    So the template function ``lookup`` finds what the cluster has. Helm insists that the cluster knows all kinds; where
    it doesn't yet, because the chart brings them or is installed after what does, it's done again without the cluster.

    Args:
        chart: The chart.
        connection: The cluster.
        capabilities: Finds out what the cluster can do; asked only where it's needed.
        interrupt: Ends Helm.

    Raises:
        PluginError: There is no Helm, or it can't find or render the chart.
    """
    program = shutil.which("helm")
    if program is None:
        raise PluginError(
            "charts are rendered with Helm, and there is no program helm on PATH: run script/up, which builds it where "
            "the configuration has charts, or install it (https://helm.sh/docs/intro/install/)"
        )
    with TemporaryDirectory(prefix="pulumi-kubernetes-") as name:
        folder = Path(name)
        command = [program, "template", chart.release, chart.reference, *_flags(chart, folder)]
        environment = _environment(folder)
        kubeconfig = _private(folder / "kubeconfig", json.dumps(_kubeconfig(connection)))
        server = ["--dry-run=server", "--kubeconfig", kubeconfig, "--take-ownership", "--disable-openapi-validation"]
        try:
            return await _run([*command, *server], environment, interrupt)
        except _RenderError as error:
            if "no matches for kind" not in str(error):
                raise
        found = await capabilities()
        client = ["--kube-version", found.version, "--api-versions", ",".join(found.apis)]
        return await _run([*command, *client], environment, interrupt)


def _flags(chart: Chart, folder: Path) -> list[str]:
    texts = [*chart.value_files, json.dumps(chart.values)]
    files = [_private(folder / f"values-{index}.yaml", text) for index, text in enumerate(texts)]
    options = {"--namespace": chart.namespace, "--version": chart.version, "--repo": chart.repository}
    options |= {f"--{name}": _private(folder / name, text) for name, text in chart.certificates.items()}
    switches = {
        "--include-crds": chart.crds,
        "--skip-crds": not chart.crds,
        "--devel": chart.devel,
        "--plain-http": chart.plain_http,
        "--dependency-update": chart.dependency_update,
    }
    return [
        *(word for path in files for word in ("--values", path)),
        *(word for option, value in options.items() if value for word in (option, value)),
        *(option for option, is_on in switches.items() if is_on),
    ]


def _environment(folder: Path) -> dict[str, str]:
    """The environment of a Helm that keeps nothing, except where the user says, and asks no cluster but ours."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HELM_KUBE")}
    return {name: str(folder / part) for name, part in _HOMES.items()} | inherited


def _private(path: Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)


def _kubeconfig(connection: Connection) -> dict[str, Any]:
    context = {"cluster": "it", "user": "it", "namespace": connection.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": connection.cluster}],
        "users": [{"name": "it", "user": connection.user}],
        "contexts": [{"name": "it", "context": context}],
        "current-context": "it",
    }


async def _run(command: list[str], environment: dict[str, str], interrupt: asyncio.Event) -> Rendered:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    ended, interrupted = asyncio.create_task(process.communicate()), asyncio.create_task(interrupt.wait())
    try:
        await asyncio.wait((ended, interrupted), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            raise PluginError("the rendering was interrupted")
    finally:
        interrupted.cancel()
        if not ended.done():
            process.kill()
            await ended
    output, said = (part.decode(errors="replace") for part in ended.result())
    if process.returncode:
        raise _RenderError(_complaint(said))
    # What Helm says of dependencies comes before, on standard output too.
    start = _FIRST_LINE.search(output)
    return Rendered(output[start.start() :] if start else "", _warnings(said))


def _complaint(said: str) -> str:
    """Helm's error on one line, without its log and its advice."""
    _, found, error = said.rpartition("Error: ") if said.startswith("Error: ") else said.rpartition("\nError: ")
    text = (error if found else said).partition("\n\nUse --debug flag")[0]
    return " ".join(text.split()) or "helm said nothing"


def _warnings(said: str) -> list[str]:
    lines = filter(None, map(_LOG_LINE.match, said.splitlines()))
    found = [f"{line[2] or line[3]}{line[4]}" for line in lines if line[1] in ("WARN", "ERROR")]
    return [text for text in found if _NOISE not in text]
