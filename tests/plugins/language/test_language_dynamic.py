"""Providers that a program defines itself."""

from pathlib import Path

from tests.plugins.language.project import Project

PROGRAM = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider, UpdateResult


class Doubled(ResourceProvider):
    def create(self, props):
        return CreateResult("made", {"value": props["value"], "twice": props["value"] * 2})

    def update(self, id, olds, news):
        return UpdateResult({"value": news["value"], "twice": news["value"] * 2})


class Number(Resource):
    twice: pulumi.Output[int]

    def __init__(self, name, value):
        super().__init__(Doubled(), name, {"value": value, "twice": None})


pulumi.export("twice", Number("number", VALUE).twice)
"""


def test_a_dynamic_resource_is_made_kept_changed_and_removed(tmp_path: Path, variables: dict[str, str]) -> None:
    project = Project(tmp_path / "project", variables)
    for value in 21, 4:
        project.write("__main__.py", PROGRAM.replace("VALUE", str(value)))
        project.up()
        assert project.outputs() == {"twice": 2 * value}
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.resources() == []
