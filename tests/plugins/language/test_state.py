"""The state of a stack in a folder: what Pulumi makes of the URL that is given to it."""

import json
import shutil
from pathlib import Path

import pytest

from embedded.stack import STACK, Stack, backend_url, home
from tests.plugins.language.project import Project

PROGRAM = """
import pulumi
pulumi.export("answer", 42)
"""


@pytest.mark.parametrize("name", ["state", "a state, 100% of it: #1?"])
def test_it_is_kept_in_the_folder_whatever_that_is_called(project: Project, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    project.variables["PULUMI_BACKEND_URL"] = backend_url(folder)
    project.pulumi("stack", "init", "dev")
    project.write("__main__.py", PROGRAM)
    project.up()

    assert project.outputs() == {"answer": 42}
    [resource] = project.resources()
    kept = json.loads((folder / ".pulumi" / "stacks" / "test" / "dev.json").read_text())
    assert [each["urn"] for each in kept["checkpoint"]["latest"]["resources"]] == [resource["urn"]]


def test_nothing_of_it_is_written_in_place(project: Project) -> None:
    """Who reads it during an update, or after one that was killed, would meet half a file."""
    project.write("__main__.py", PROGRAM)
    project.up()
    names = {path.name for path in project.backend.rglob("*") if path.is_file()}
    # Files of these names are replaced by a rename; what isn't ends in .attrs, and would have one beside it each.
    assert "dev.json" in names
    assert [name for name in names if name.endswith(".attrs")] == []


MANY = """
from pulumi_random import RandomPassword

for number in range(60):
    RandomPassword(f"password-{number}", length=8, keepers={"padding": "x" * 20_000})
"""


@pytest.mark.skipif(shutil.which("pulumi") is not None, reason="the engine on PATH isn't the one that is built here")
def test_steps_that_wait_are_saved_together_and_each_before_it_begins(project: Project) -> None:
    project.variables |= {"PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS": "true", "PULUMI_PARALLEL": "32"}
    project.write("__main__.py", MANY)
    project.up()
    kept = sorted((project.backend / ".pulumi/stacks").rglob("*.json.*[0-9]"), key=lambda file: int(file.suffix[1:]))
    announced: set[str] = set()
    for state in (json.loads(file.read_text())["checkpoint"]["latest"] for file in kept):
        made = {each["urn"] for each in state.get("resources", []) if "RandomPassword" in each["type"]}
        assert made <= announced
        announced |= {each["resource"]["urn"] for each in state.get("pending_operations", [])}
    assert len(made) == 60
    # One by one, it would be one before and one after each.
    assert len(kept) < 2 * len(made)


COMPONENT = """
import pulumi

class Shop(pulumi.ComponentResource):
    def __init__(self):
        super().__init__("test:index:Shop", "shop")
        self.register_outputs({"goods": NUMBER})

Shop()
"""


def test_it_has_the_outputs_of_components_though_no_step_follows_them(project: Project) -> None:
    """The engine writes them with the next step, or at the end."""
    for number in (1, 2):
        project.write("__main__.py", COMPONENT.replace("NUMBER", str(number)))
        project.up()
        [shop] = [each for each in project.resources() if each["type"] == "test:index:Shop"]
        assert shop["outputs"] == {"goods": number}


def test_the_stack_is_selected_where_it_is_not(project: Project, tmp_path: Path) -> None:
    state, log, program = tmp_path / "state", tmp_path / "log", tmp_path / "bin" / "pulumi"
    state.mkdir()
    log.touch()
    program.parent.mkdir()
    engine = shutil.which("pulumi", path=project.variables["PATH"])
    program.write_text(f'#!/bin/sh\necho "$*" >>{log}\nexec {engine} "$@"\n')
    program.chmod(0o755)
    project.variables |= {
        "PATH": f"{program.parent}:{project.variables['PATH']}",
        "PULUMI_BACKEND_URL": backend_url(state / "pulumi"),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(state / "passphrase"),
        "PULUMI_HOME": str(home(state)),
    }
    del project.variables["PULUMI_CONFIG_PASSPHRASE"]
    dev = Stack(project.folder, state, project.variables)

    def asked() -> list[str]:
        """What Pulumi is asked to select it; it is, then."""
        log.write_text("")
        dev.select()
        said = log.read_text().splitlines()
        assert project.pulumi("stack", "--show-name").strip() == STACK
        return said

    select = [f"stack select {STACK} --create --non-interactive"]
    assert asked() == select
    assert asked() == []
    project.pulumi("stack", "init", "another")
    assert asked() == select
    project.pulumi("stack", "rm", STACK, "--yes")
    assert asked() == select
    [record] = (home(state) / "workspaces").iterdir()
    record.unlink()
    assert asked() == select
    assert asked() == []
