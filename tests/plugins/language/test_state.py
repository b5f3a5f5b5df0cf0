"""The state of a stack in a folder: what Pulumi makes of the URL that is given to it."""

import json
from pathlib import Path

import pytest

from embedded.stack import backend_url
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
