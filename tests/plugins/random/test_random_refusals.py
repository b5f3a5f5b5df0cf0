"""What the random plugin refuses, and how it says so; with the real engine."""

import pytest

from tests.plugins.random.conftest import RandomProject


def test_errors_are_one_line_each(project: RandomProject) -> None:
    project.declare('password = random.RandomPassword("password", length=0, min_upper=-1)')
    shown = project.preview(fails=True)
    start = "random:index/randomPassword:RandomPassword resource 'password' has a problem: "
    assert [line.strip().removeprefix("error: ") for line in shown.splitlines() if "error: " in line][:2] == [
        f"{start}length: 0 given; allowed: a whole number from 1 to 1048576",
        f"{start}minUpper: -1 given; allowed: a whole number from 0 to 1048576",
    ]
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("declaration", "token"),
    [
        ('RandomBytes("other", length=8)', "random:index/randomBytes:RandomBytes"),
        ('RandomId("other", byte_length=8)', "random:index/randomId:RandomId"),
        ('RandomInteger("other", min=1, max=2)', "random:index/randomInteger:RandomInteger"),
        ('RandomPet("other")', "random:index/randomPet:RandomPet"),
        ('RandomShuffle("other", inputs=["a"])', "random:index/randomShuffle:RandomShuffle"),
        ('RandomString("other", length=8)', "random:index/randomString:RandomString"),
        ('RandomUuid("other")', "random:index/randomUuid:RandomUuid"),
    ],
)
def test_other_resources_are_refused_by_name(project: RandomProject, declaration: str, token: str) -> None:
    project.declare(f"random.{declaration}")
    shown = project.preview(fails=True)
    assert f"{token} is not supported by the embedded random plugin; install the official plugin" in shown
    assert "Traceback" not in shown


def test_there_is_no_schema(project: RandomProject) -> None:
    shown = project.pulumi("package", "get-schema", "random", fails=True)
    assert "the embedded random plugin has no schema; install the official plugin to make SDKs" in shown
