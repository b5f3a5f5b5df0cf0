"""The Python environment that a program or policy pack runs in, chosen by ``runtime.options`` in the project file."""

import base64
import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pulumi.runtime.proto import language_pb2, plugin_pb2

OPTIONS = {"virtualenv", "toolchain"}
"""The keys of ``runtime.options`` that this host follows."""


class UnsupportedError(Exception):
    """A project asks for what this host can't do; ``str()`` is the one line to show."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment, or this interpreter's own environment where a project names none."""

    directory: Path | None
    """The virtual environment; ``None`` is this interpreter's own."""
    named: str = ""
    """How the project file spells it."""

    @classmethod
    def of(cls, info: language_pb2.ProgramInfo) -> "Environment":
        """The environment that the project file of ``info`` asks for; it may not exist yet.

        Raises:
            UnsupportedError: An option that this host doesn't follow.
        """
        options = {key: value.string_value for key, value in info.options.fields.items()}
        if unknown := sorted(options.keys() - OPTIONS):
            raise UnsupportedError(
                f"runtime.options.{unknown[0]} is not supported by the embedded Python language host; "
                "remove it from the project file, or install the official Pulumi"
            )
        if (toolchain := options.get("toolchain", "")) not in ("", "auto", "pip"):
            raise UnsupportedError(
                f"runtime.options.toolchain {toolchain!r} is not supported by the embedded Python language host; "
                "use pip, or install the official Pulumi"
            )
        named = options.get("virtualenv", "")
        return cls(Path(info.root_directory, named) if named else None, named)

    @property
    def python(self) -> Path:
        """The interpreter.

        Raises:
            UnsupportedError: The virtual environment isn't there.
        """
        if self.directory is None:
            return Path(sys.executable)
        python = self.directory / "bin" / "python"
        if not python.is_file():
            raise UnsupportedError(
                f"runtime.options.virtualenv {self.named!r}: there is no virtual environment at {self.directory}; "
                f"run `pulumi install`, or `python3 -m venv {self.directory}` "
                f"and `{python} -m pip install -r requirements.txt`"
            )
        return python

    @property
    def is_own(self) -> bool:
        """Whether this interpreter runs in it already."""
        return self.directory is None or self.directory.resolve() == Path(sys.prefix).resolve()

    def activate(self, variables: Mapping[str, str]) -> dict[str, str]:
        """``variables`` as they are in this environment."""
        return dict(variables) if self.directory is None else activated(variables, self.directory)

    @property
    def site_packages(self) -> list[Path]:
        """Where its packages are installed."""
        if self.is_own:
            return [Path(entry) for entry in dict.fromkeys(sys.path) if Path(entry).is_dir()]
        return sorted(self.python.parent.parent.glob("lib/python3*/site-packages"))

    def required_packages(self) -> list[plugin_pb2.PackageDependency]:
        """The plugins that its Pulumi SDKs need, from their ``pulumi-plugin.json`` files."""
        files = (file for folder in self.site_packages for file in sorted(folder.glob("*/pulumi-plugin.json")))
        return [_dependency(description) for file in files if (description := json.loads(file.read_text()))["resource"]]

    def dependencies(self, transitive: bool) -> list[language_pb2.DependencyInfo]:
        """Its packages by name; those that no other package asks for, unless ``transitive``."""
        found = {
            _normalized(distribution.metadata["Name"]): distribution
            for distribution in importlib.metadata.distributions(path=[str(folder) for folder in self.site_packages])
        }
        required = set() if transitive else {name for each in found.values() for name in _requirements(each)}
        return [
            language_pb2.DependencyInfo(name=name, version=found[name].version)
            for name in sorted(found.keys() - required)
        ]


def activated(variables: Mapping[str, str], directory: Path) -> dict[str, str]:
    """``variables`` as the ``activate`` script of the virtual environment in ``directory`` would leave them."""
    changed = {key: value for key, value in variables.items() if key != "PYTHONHOME"}
    path = os.pathsep.join(filter(None, [str(directory / "bin"), changed.get("PATH")]))
    return changed | {"PATH": path, "VIRTUAL_ENV": str(directory)}


def _dependency(description: dict[str, object]) -> plugin_pb2.PackageDependency:
    dependency = plugin_pb2.PackageDependency(
        name=str(description["name"]),
        kind="resource",
        version="v" + str(description["version"]).removeprefix("v"),
        server=str(description.get("server") or ""),
    )
    if isinstance(parameterization := description.get("parameterization"), dict):
        dependency.parameterization.CopyFrom(
            plugin_pb2.PackageParameterization(
                name=parameterization["name"],
                version=parameterization["version"],
                value=base64.b64decode(parameterization["value"]),
            )
        )
    return dependency


def _requirements(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    for requirement in distribution.requires or []:
        name = re.match(r"[\w.-]+", requirement)
        if name and "extra ==" not in requirement:
            yield _normalized(name.group())


def _normalized(name: str) -> str:
    """The spelling that PEP 503 makes of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()
