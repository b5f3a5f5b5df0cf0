"""Virtual environments, plugins and dependencies of programs."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pulumi_docker
import pulumi_kubernetes
import pytest

from tests.plugins.language.project import Project


def test_a_virtual_environment_that_is_not_there_is_named(tmp_path: Path, variables: dict[str, str]) -> None:
    project = Project(tmp_path / "project", variables, {"name": "python", "options": {"virtualenv": ".venv"}})
    project.write("__main__.py", "")
    shown = project.pulumi("preview", fails=True)
    folder = project.folder / ".venv"
    assert (
        f"runtime.options.virtualenv '.venv': there is no virtual environment at {folder}; run `pulumi install`, "
        f"or `python3 -m venv {folder}` and `{folder}/bin/python -m pip install -r requirements.txt`" in shown
    )


def test_runs_in_the_virtual_environment_that_the_project_names(tmp_path: Path, variables: dict[str, str]) -> None:
    project = Project(tmp_path / "project", variables, {"name": "python", "options": {"virtualenv": ".venv"}})
    folder = project.folder / ".venv"
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/python3*/site-packages"))
    own = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "own.pth").write_text(own + "\n")  # the SDK, without installing it again
    project.write("__main__.py", "import sys, pulumi; pulumi.export('prefix', sys.prefix)")
    project.up()
    assert project.outputs() == {"prefix": str(folder)}


def test_an_environment_without_the_sdk_is_named(tmp_path: Path, variables: dict[str, str]) -> None:
    project = Project(tmp_path / "project", variables, {"name": "python", "options": {"virtualenv": ".venv"}})
    folder = project.folder / ".venv"
    venv.create(folder, with_pip=False)
    project.write("__main__.py", "")
    shown = project.pulumi("preview", fails=True)
    assert f"the Pulumi SDK is not installed in {folder}; run `pulumi install`" in shown


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"typechecker": "mypy"}, "runtime.options.typechecker is not supported by the embedded Python language host"),
        ({"toolchain": "poetry"}, "runtime.options.toolchain 'poetry' is not supported by the embedded Python"),
    ],
)
def test_options_that_are_not_followed_are_refused(
    tmp_path: Path, variables: dict[str, str], options: dict[str, str], expected: str
) -> None:
    project = Project(tmp_path / "project", variables, {"name": "python", "options": options})
    project.write("__main__.py", "")
    assert expected in project.pulumi("preview", fails=True)


def test_install_makes_the_environment_and_shows_what_pip_says(tmp_path: Path, variables: dict[str, str]) -> None:
    project = Project(tmp_path / "project", variables, {"name": "python", "options": {"virtualenv": ".venv"}})
    package = project.folder / "dependency"
    (package / "src").mkdir(parents=True)
    (package / "pyproject.toml").write_text("[project]\nname = 'dependency'\nversion = '1'\n")
    # A wheel by hand: pip then needs neither a build back end nor a registry.
    wheel = _wheel(project.folder)
    project.write("requirements.txt", f"{wheel}\n")
    project.write("__main__.py", "")
    shown = project.pulumi("install", "--no-plugins")
    assert "Successfully installed dependency-1" in shown
    python = project.folder / ".venv/bin/python"
    assert subprocess.check_output([python, "-c", "import dependency; print(dependency.VALUE)"]) == b"7\n"


def test_a_failed_install_names_the_command(project: Project) -> None:
    project.write("requirements.txt", "./not-there.whl\n")
    project.write("__main__.py", "")
    shown = project.pulumi("install", "--no-plugins", fails=True)
    assert "not-there.whl" in shown
    assert f"-m pip install --disable-pip-version-check -r {project.folder}/requirements.txt` failed" in shown


def test_about_shows_the_interpreter_and_what_is_installed(project: Project) -> None:
    project.write("__main__.py", "")
    about = json.loads(project.pulumi("about", "--json"))
    assert about["runtime"]["executable"] == sys.executable
    assert about["runtime"]["version"] == ".".join(map(str, sys.version_info[:3]))
    plugins = {plugin["name"]: plugin["version"] for plugin in about["plugins"]}
    for package in (pulumi_docker, pulumi_kubernetes):
        wanted = json.loads(Path(package.__file__ or "").with_name("pulumi-plugin.json").read_text())
        assert plugins[wanted["name"]] == wanted["version"]
    assert "policy" not in plugins
    dependencies = {dependency["name"] for dependency in about["dependencies"]}
    assert {"pulumi-docker", "pulumi-kubernetes"} <= dependencies
    assert "protobuf" not in dependencies
    everything = json.loads(project.pulumi("about", "--json", "--transitive"))["dependencies"]
    assert "protobuf" in {dependency["name"] for dependency in everything}


def test_plugin_ls_lists_what_is_installed(project: Project) -> None:
    project.write("__main__.py", "")
    names = {plugin["name"] for plugin in json.loads(project.pulumi("plugin", "ls", "--json"))}
    assert {"docker", "kubernetes"} <= names


def test_code_generation_is_refused_by_name(project: Project, tmp_path: Path) -> None:
    project.write("Pulumi.yaml", "{name: test, runtime: yaml}")
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"name": "thing", "version": "1.0.0"}))
    shown = project.pulumi("package", "gen-sdk", str(schema), "--language", "python", fails=True)
    assert "GeneratePackage is not supported by the embedded Python language host; install the official" in shown


def test_runs_a_policy_pack(project: Project, tmp_path: Path) -> None:
    project.write("__main__.py", "import pulumi\nclass C(pulumi.ComponentResource): pass\nC('a:b:C', 'bad')\n")
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("{runtime: python, version: 0.0.1, description: a test}")
    (pack / "__main__.py").write_text(
        """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def check(args, report):
    if args.name == "bad":
        report("is not a good name")

PolicyPack("pack", policies=[ResourceValidationPolicy("names", "Names are good.", check)],
           enforcement_level=EnforcementLevel.MANDATORY)
"""
    )
    shown = project.pulumi("preview", "--policy-pack", str(pack), fails=True)
    assert "is not a good name" in shown
    project.write("__main__.py", "import pulumi\nclass C(pulumi.ComponentResource): pass\nC('a:b:C', 'good')\n")
    assert "is not a good name" not in project.pulumi("preview", "--policy-pack", str(pack))


def _wheel(folder: Path) -> Path:
    import zipfile

    wheel = folder / "dependency-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("dependency.py", "VALUE = 7\n")
        file.writestr("dependency-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: dependency\nVersion: 1\n")
        file.writestr("dependency-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("dependency-1.dist-info/RECORD", "dependency-1.dist-info/RECORD,,\n")
    return wheel
