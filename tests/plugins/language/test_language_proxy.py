"""A proxy is for the rest of the world: Pulumi's processes find each other past it, and say so where they can't."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from embedded.plugins.shared import loopback
from tests.pages import PROJECT
from tests.plugins.language.project import Project

NOBODY = "http://127.0.0.1:9"
"""A proxy that isn't there: what asks it fails."""

PROXIES = [
    {"https_proxy": NOBODY, "no_proxy": "10.0.0.2"},
    {"http_proxy": NOBODY, "https_proxy": NOBODY, "grpc_proxy": NOBODY, "no_grpc_proxy": "example.org"},
    {"HTTP_PROXY": NOBODY, "HTTPS_PROXY": NOBODY, "ALL_PROXY": NOBODY, "all_proxy": NOBODY, "http_proxy": NOBODY},
]

PROGRAM = """
import os
import pulumi
import pulumi_random

pulumi.log.warn("it runs")
pulumi.export("word", pulumi_random.RandomPassword("word", length=8).result)
"""


def behind(project: Project, variables: Mapping[str, str]) -> Project:
    """The project as it is run behind a proxy."""
    unset = {name for name in project.variables if name.lower().endswith("_proxy")}
    kept = {name: value for name, value in project.variables.items() if name not in unset}
    behind = object.__new__(Project)
    vars(behind).update({each.name: getattr(project, each.name) for each in dataclasses.fields(project)})
    behind.variables = {**kept, **variables}
    return behind


@pytest.mark.parametrize("proxies", PROXIES, ids=lambda proxies: " ".join(proxies))
def test_nothing_between_pulumis_processes_goes_through_a_proxy(project: Project, proxies: dict[str, str]) -> None:
    project.write("__main__.py", PROGRAM)
    run = behind(project, proxies)
    assert "it runs" in run.pulumi("preview")
    run.up()
    assert len(run.outputs()["word"]) == 8


def test_a_policy_pack_isnt_asked_through_a_proxy(project: Project) -> None:
    project.write("__main__.py", PROGRAM)
    project.write("pack/PulumiPolicy.yaml", "{name: pack, runtime: python}")
    project.write(
        "pack/__main__.py",
        "from pulumi_policy import *\n"
        "PolicyPack('pack', policies=[ResourceValidationPolicy(name='told', description='told',\n"
        "    enforcement_level=EnforcementLevel.ADVISORY, validate=lambda args, report: report('seen'))])\n",
    )
    assert "told" in behind(project, PROXIES[1]).pulumi("preview", "--policy-pack", str(project.folder / "pack"))


def test_an_engine_that_cant_be_reached_is_said(tmp_path: Path, variables: dict[str, str]) -> None:
    """Whatever keeps the program from it: here the interpreter sets the variables that ours has set."""
    project = Project(tmp_path / "project", variables, {"name": "python", "options": {"virtualenv": "venv"}})
    python = project.write(
        "venv/bin/python",
        f'#!/bin/sh\nexport http_proxy={NOBODY} no_grpc_proxy=nowhere\nexec {sys.executable} "$@"\n',
    )
    python.chmod(0o755)
    project.write("__main__.py", "print('not reached')")
    said = project.pulumi("preview", fails=True)
    assert "the program can't reach the Pulumi engine at 127.0.0.1:" in said
    assert "the connection to the engine failed: " in said
    assert "Traceback" not in said
    assert "not reached" not in said


def test_a_service_of_the_users_that_cant_be_reached_is_said(project: Project) -> None:
    """It isn't the engine, which would have said why it isn't there."""
    project.write(
        "__main__.py",
        "import grpc\n"
        "from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc\n"
        "theirs = engine_pb2_grpc.EngineStub(grpc.insecure_channel('127.0.0.1:1'))\n"
        "theirs.GetRootResource(engine_pb2.GetRootResourceRequest())\n",
    )
    said = project.pulumi("preview", fails=True)
    assert "Program failed with an unhandled exception" in said
    assert "theirs.GetRootResource" in said
    assert "StatusCode.UNAVAILABLE" in said


def test_an_engine_that_is_lost_on_the_way_is_said() -> None:
    """The program's error reaches nobody then but who reads its standard error."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from embedded.plugins.language import program\n"
            "import pulumi\n"
            "pulumi.runtime.configure(pulumi.runtime.Settings(engine='127.0.0.1:1', project='test', stack='dev'))\n"
            "try: program._report('the reason')\n"
            "except program.EngineLostError as error: print(error)\n",
        ],
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first == "the reason"
    assert second.startswith("(the engine couldn't be told: ")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"no_proxy": "example.org, 127.0.0.1"}, "example.org,127.0.0.1,localhost,::1"),
        ({"no_proxy": "example.org", "no_grpc_proxy": "10.0.0.0/8"}, "10.0.0.0/8,localhost,127.0.0.1,::1"),
    ],
)
def test_what_the_user_keeps_off_it_stays_so(given: dict[str, str], expected: str) -> None:
    assert loopback.without_proxy(given) == {"no_grpc_proxy": expected}
