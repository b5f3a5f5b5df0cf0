"""What becomes of a run of Kubernetes' conformance tests."""

from __future__ import annotations

import json
from pathlib import Path

from embedded.toolchain.gomod import CLUSTER
from tests.conformance import result, suite
from tests.conformance.known import KNOWN
from tests.conformance.result import Case, Result


def test_the_page_is_what_the_run_says() -> None:
    page = result.PAGE.read_text()
    assert result.updated(page, result.read(), KNOWN) == page


def test_the_tests_are_those_of_the_cluster() -> None:
    assert suite.E2E.version == CLUSTER.version == result.read().version


def test_what_is_known_to_fail_does() -> None:
    failed = result.read().failed
    assert [part for part in KNOWN if not any(part in name for name in failed)] == []


def test_a_report_is_read(tmp_path: Path) -> None:
    def spec(text: str, state: str, kind: str = "It", **more: object) -> dict[str, object]:
        return {
            "ContainerHierarchyTexts": ["[sig-apps] Job"],
            "LeafNodeText": text,
            "LeafNodeType": kind,
            "State": state,
            **more,
        }

    report = tmp_path / "report.json"
    specs = [
        spec("runs [Conformance]", "passed"),
        spec("fails [Conformance]", "failed", Failure={"Message": "\n timed out\n  after 5 s\n"}),
        spec("isn't one", "passed"),
        spec("", "passed", "BeforeSuite", ContainerHierarchyTexts=None),
    ]
    report.write_text(json.dumps([{"SpecReports": specs}]))
    assert result.tests(report) == [
        Case("[sig-apps] Job runs [Conformance]", "passed", ""),
        Case("[sig-apps] Job fails [Conformance]", "failed", "timed out"),
    ]


def test_what_passes_when_it_is_run_again_is_said_to() -> None:
    first = [
        *(Case(name, "passed", "") for name in "ab"),
        *(Case(name, "failed", "no") for name in "cd"),
        *(Case(name, "skipped", "") for name in "efg"),
    ]
    second = [
        *(Case(name, "skipped", "") for name in "abg"),
        Case("c", "passed", ""),
        Case("d", "failed", "still"),
        Case("e", "passed", ""),
        Case("f", "failed", "late"),
    ]
    assert result.combined(first, second) == (4, ["c"], {"d": "still", "f": "late"}, ["g"])


def test_the_page_names_what_failed_with_the_reason() -> None:
    run = Result(
        date="2026-11-29", version="v1.37.2", nodes=3, cores=2, minutes=30, processes=8,
        passed=7, again=["[sig-apps] b [Conformance]"], failed={"[sig-node] c | d [Conformance]": "timed out"},
        unreached=[],
    )  # fmt: skip
    begin, end = result.MARKS
    page = result.updated(f"before\n{begin}\nold\n{end}\nafter\n", run, {"c | d": "No such kernel."})
    assert page.startswith(f"before\n{begin}\nKubernetes v1.37.2, 3 nodes, 2 cores, 2026-11-29: 8 tests at a time, 30 ")
    assert "| conformance tests | 8 |" in page
    assert "| [sig-node] c \\| d | No such kernel. |" in page
    assert "- [sig-apps] b\n" in page
    assert page.endswith(f"{end}\nafter\n")
    assert "old" not in page
    assert result.updated(page, run, {"c | d": "No such kernel."}) == page
