"""The inputs of a `docker.Image`: what they mean, and what is wrong with them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..shared.values import is_unknown

DEFAULT_REGISTRY = "docker.io"

_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_BUILD_KEYS = {
    "addHosts",
    "args",
    "builderVersion",
    "cacheFrom",
    "context",
    "contextDigest",
    "dockerfile",
    "network",
    "platform",
    "target",
}

BUILDERS = ("BuilderV1", "BuilderBuildKit")

Problem = tuple[str, str]
"""A property's path, and what is wrong with it."""


@dataclass(frozen=True)
class Name:
    """An image's name, taken apart: ``registry/path:tag``."""

    registry: str
    """Host and port; empty where the name has none."""
    path: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> "Name":
        """Take ``text`` apart; a missing tag is ``latest``.

        Raises:
            ValueError: It isn't a name that Docker accepts.
        """
        first, slash, rest = text.partition("/")
        has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
        path, colon, tag = (rest if has_registry else text).partition(":")
        tag = tag if colon else "latest"
        if not _PATH.fullmatch(path) or not _TAG.fullmatch(tag):
            raise ValueError(f"{text!r} is not an image name; write registry/name:tag, in lower case but for the tag")
        return cls(first if has_registry else "", path, tag)

    @property
    def repository(self) -> str:
        """Without the tag."""
        return f"{self.registry}/{self.path}" if self.registry else self.path


@dataclass(frozen=True)
class Image:
    """The inputs of a `docker.Image`, with their defaults.

    Source: the SDK's documentation of ``docker.Image`` (pulumi-docker 5.2).
    """

    name: Name
    text: str
    """The name as the program gives it."""
    context: Path = Path()
    """The folder to build, relative to the program's."""
    dockerfile: Path = Path("Dockerfile")
    """Relative to the program's folder, not to the context."""
    digest: str = ""
    """Of the context, as `check` found it."""
    args: dict[str, str] = field(default_factory=dict)
    target: str = ""
    platform: str = ""
    network: str = ""
    add_hosts: dict[str, str] = field(default_factory=dict)
    cache_from: list[str] = field(default_factory=list)
    builder: str = ""
    """``BuilderV1``, ``BuilderBuildKit``, or what the Dockerfile needs."""
    skip_push: bool = False
    server: str = ""
    username: str = ""
    password: str = ""

    @classmethod
    def of(cls, inputs: dict[str, Any]) -> "Image":
        """From plain inputs that `problems` found nothing wrong with."""
        build, registry = inputs.get("build", {}), inputs.get("registry", {})
        return cls(
            name=Name.parse(inputs["imageName"]),
            text=inputs["imageName"],
            context=context_of(build),
            dockerfile=dockerfile_of(build),
            digest=build.get("contextDigest", ""),
            args=build.get("args", {}),
            target=build.get("target", ""),
            platform=build.get("platform", ""),
            network=build.get("network", ""),
            add_hosts=dict(entry.split(":", 1) for entry in build.get("addHosts", [])),
            cache_from=build.get("cacheFrom", {}).get("images", []),
            builder=build.get("builderVersion", ""),
            skip_push=inputs.get("skipPush", False),
            server=registry.get("server", ""),
            username=registry.get("username", ""),
            password=registry.get("password", ""),
        )

    @property
    def registry_server(self) -> str:
        """Where the image is pushed to: what the program says, or what the name says."""
        return self.server or self.name.registry or DEFAULT_REGISTRY


def context_of(build: dict[str, Any]) -> Path:
    """The build context, relative to the program's folder."""
    return Path(build.get("context", "."))


def dockerfile_of(build: dict[str, Any]) -> Path:
    """The Dockerfile, relative to the program's folder; by default the context's own."""
    return Path(build["dockerfile"]) if "dockerfile" in build else context_of(build) / "Dockerfile"


def problems(inputs: dict[str, Any]) -> Iterator[Problem]:
    """What is wrong with plain inputs, apart from the build context's content; unknown ones are let pass."""
    build = inputs.get("build", {})
    if isinstance(build, str):
        yield "build", f"is a string; write build={{'context': {build!r}}}"
        build = {}
    if inputs.get("buildOnPreview") is True:
        yield (
            "buildOnPreview",
            "is not supported by the embedded Docker plugin: an image that wasn't pushed has no digest to preview; "
            "leave it out",
        )
    yield from _name_problems(inputs)
    for key in sorted(build.keys() - _BUILD_KEYS):
        yield f"build.{key}", "is not supported by the embedded Docker plugin; leave it out"
    if not is_unknown(build.get("builderVersion")) and build.get("builderVersion") not in (None, *BUILDERS):
        yield "build.builderVersion", f"{build['builderVersion']!r} is no builder; write {' or '.join(BUILDERS)}"
    for host in build.get("addHosts", []):
        if ":" not in host and not is_unknown(host):
            yield "build.addHosts", f"{host!r} is not host:ip"
    for name in build.get("cacheFrom", {}).get("images", []):
        if not is_unknown(name) and (problem := _parse_problem(name)):
            yield "build.cacheFrom.images", problem
    if not is_unknown([build.get("context"), build.get("dockerfile")]):
        yield from _file_problems(build)


def _name_problems(inputs: dict[str, Any]) -> Iterator[Problem]:
    text = inputs.get("imageName")
    if is_unknown(text):
        return
    if not isinstance(text, str) or not text:
        yield "imageName", "is missing; set it to registry/name:tag"
        return
    if problem := _parse_problem(text):
        yield "imageName", problem
    elif not Name.parse(text).registry and inputs.get("skipPush") is not True:
        yield (
            "imageName",
            f"{text!r} has no registry to push to; write {DEFAULT_REGISTRY}/{text} for Docker Hub, "
            f"or localhost:32000/{text}, or set skipPush",
        )


def _parse_problem(name: str) -> str:
    try:
        Name.parse(name)
    except ValueError as error:
        return str(error)
    return ""


def _file_problems(build: dict[str, Any]) -> Iterator[Problem]:
    context, dockerfile = context_of(build), dockerfile_of(build)
    if not context.is_dir():
        what = "is not a folder" if context.exists() else "does not exist"
        yield (
            "build.context",
            f"{context} {what} (looked for in {Path.cwd()}); set it to the folder with the Dockerfile",
        )
        return
    if dockerfile.is_file():
        return
    inside = Path(os.path.normpath(context / dockerfile))
    if "dockerfile" in build and not dockerfile.is_absolute() and inside.is_file():
        hint = f"it is relative to the program, not to the context: set it to {inside}"
    else:
        hint = "create it, or set build.dockerfile"
    yield "build.dockerfile", f"there is no {dockerfile} (looked for in {Path.cwd()}); {hint}"
