"""Kubernetes' conformance tests, on the stack with several nodes."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import docker
import pytest
import yaml

from embedded import toolchain
from embedded.progress import Progress
from tests.checkout import Checkout
from tests.conformance import result, suite
from tests.conformance.known import KNOWN
from tests.conformance.result import CONFORMANCE, Result

MINUTES, MINUTES_AGAIN = 50, 10
"""After so many, no further test is begun: of all, and of those that haven't passed, which are run once more."""
PROCESSES = 8
"""Tests at a time: most of them wait."""
MAY_FAIL = 30
"""With fewer tests that haven't passed, they are run once more, one at a time."""


@pytest.mark.timeout(3600)
def test_kubernetes_is_what_it_should_be(site: Checkout, tmp_path: Path) -> None:
    progress = Progress()
    tests = suite.provide(progress)
    environment = {**site.environment(), **lists(tmp_path)}
    with closing(docker.DockerClient(environment["DOCKER_HOST"])) as client:
        suite.push(tests, toolchain.provide(progress), client, progress)

    begin = time.monotonic()
    first = run(tests, environment, tmp_path / "first.json", [re.escape(CONFORMANCE)], PROCESSES, MINUTES)
    minutes = round((time.monotonic() - begin) / 60)
    failed = [re.escape(each.name) for each in first if each.state != "passed"]
    second = (
        run(tests, environment, tmp_path / "second.json", failed, 1, MINUTES_AGAIN)
        if 0 < len(failed) < MAY_FAIL
        else []
    )
    passed, again, others, unreached = result.combined(first, second)
    result.write(
        Result(
            date=time.strftime("%Y-%m-%d"),
            version=suite.E2E.version,
            nodes=len(site.nodes()),
            cores=os.cpu_count() or 1,
            minutes=minutes,
            processes=PROCESSES,
            passed=passed,
            again=again,
            failed=others,
            unreached=unreached,
        ),
        KNOWN,
    )

    assert passed
    assert {name: said for name, said in others.items() if not result.reason(name, KNOWN)} == {}


def lists(folder: Path) -> dict[str, str]:
    """What tells the tests where their images are."""
    file = folder / "repositories.yaml"
    file.write_text(yaml.safe_dump(suite.repositories()))
    return {"KUBE_TEST_REPO_LIST": str(file)}


def run(
    tests: suite.Suite, environment: dict[str, str], report: Path, focus: Sequence[str], processes: int, minutes: int
) -> list[result.Case]:
    """Run the tests that have one of ``focus``, regular expressions, in their names; return all of them."""
    command = [
        *(str(tests.bin / "ginkgo"), "run", f"--procs={processes}", f"--timeout={minutes}m", "--no-color"),
        *(f"--focus={each}" for each in focus),
        *(f"--output-dir={report.parent}", f"--json-report={report.name}", str(tests.bin / "e2e.test"), "--"),
        *(f"--kubeconfig={environment['KUBECONFIG']}", "--provider=skeleton", "--disable-log-dump"),
    ]
    with (report.parent / f"{report.stem}.log").open("w") as log:
        subprocess.run(command, env={**os.environ, **environment}, stdout=log, stderr=log, check=False)
    return result.tests(report)
