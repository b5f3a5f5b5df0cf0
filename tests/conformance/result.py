"""What became of the tests: kept as JSON, and told by docs/conformance.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent / "result.json"
PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "conformance.md"
MARKS = "<!-- made by script/test --conformance -->", "<!-- end of what is made -->"

CONFORMANCE = "[Conformance]"


_LEFT_OUT = ("skipped", "pending", "interrupted")


@dataclass(frozen=True)
class Result:
    """One run.

    Attributes:
        date: Of the run, ``2026-11-29``.
        version: Of Kubernetes and its tests.
        nodes: How many the cluster had.
        cores: Of the machine.
        minutes: How long the tests took.
        processes: How many ran at a time.
        passed: Number of tests that passed.
        again: Names of those that did so only when they were run again, by themselves.
        failed: What each of the others said, by its name.
        unreached: Names of those that there was no time for.
    """

    date: str
    version: str
    nodes: int
    cores: int
    minutes: int
    processes: int
    passed: int
    again: Sequence[str]
    failed: Mapping[str, str]
    unreached: Sequence[str]

    @property
    def all(self) -> int:
        """How many conformance tests there are."""
        return self.passed + len(self.failed) + len(self.unreached)


@dataclass(frozen=True)
class Case:
    """A test in a report of Ginkgo's."""

    name: str
    state: str
    message: str
    """Why it failed, on one line."""


def tests(report: Path) -> list[Case]:
    """Return the conformance tests in a report of Ginkgo's (JSON), also those that it left out."""
    return [
        Case(name, spec["State"], _line(spec.get("Failure", {}).get("Message", "")))
        for suite in json.loads(report.read_text())
        for spec in suite["SpecReports"]
        if spec["LeafNodeType"] == "It" and CONFORMANCE in (name := _name(spec))
    ]


def _name(spec: Mapping[str, Any]) -> str:
    return " ".join([*(spec["ContainerHierarchyTexts"] or ()), spec["LeafNodeText"]])


def _line(message: str) -> str:
    """The first line that says something, less what is of this run alone."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[0][:200] if lines else ""


def combined(first: Iterable[Case], second: Iterable[Case]) -> tuple[int, list[str], dict[str, str], list[str]]:
    """Return what `Result` has of two runs: how many passed, which only again, what failed, and what wasn't reached.

    Args:
        first: That of all.
        second: That of those that hadn't passed.
    """
    before = {each.name: each for each in first}
    after = before | {each.name: each for each in second if each.state not in _LEFT_OUT}
    passed = [name for name, each in after.items() if each.state == "passed"]
    again = sorted(name for name in passed if before[name].state not in ("passed", *_LEFT_OUT))
    unreached = sorted(name for name, each in after.items() if each.state in _LEFT_OUT)
    others = sorted(after.keys() - {*passed, *unreached})
    return len(passed), again, {name: after[name].message for name in others}, unreached


def read() -> Result:
    """Return the run that is kept."""
    return Result(**json.loads(FILE.read_text()))


def write(result: Result, known: Mapping[str, str]) -> None:
    """Keep a run, and have the page tell of it."""
    FILE.write_text(json.dumps(asdict(result), indent=1) + "\n")
    PAGE.write_text(updated(PAGE.read_text(), result, known))


def updated(page: str, result: Result, known: Mapping[str, str]) -> str:
    """Return the text of the page with ``result`` between its two marks."""
    begin, end = MARKS
    before, after = page.partition(begin)[0], page.partition(end)[2]
    return f"{before}{begin}\n{_text(result, known)}\n{end}{after}"


def reason(name: str, known: Mapping[str, str]) -> str:
    """Why a test is known to fail, by a part of its name; empty if it isn't."""
    return next((why for part, why in known.items() if part in name), "")


def _text(result: Result, known: Mapping[str, str]) -> str:
    run = (
        f"Kubernetes {result.version}, {result.nodes} nodes, {result.cores} cores, {result.date}: "
        f"{result.processes} tests at a time, {result.minutes} minutes."
    )
    rows = [
        ("conformance tests", result.all),
        ("passed", result.passed),
        ("of these, when run again by themselves", len(result.again)),
        ("failed", len(result.failed)),
        ("not run, for want of time", len(result.unreached)),
    ]
    parts = [run, _table(("", "tests"), rows)]
    if result.failed:
        why = [(_cell(name), _cell(reason(name, known) or said)) for name, said in result.failed.items()]
        parts += ["Those that failed:", _table(("test", "why"), why)]
    for title, names in (
        (
            "Those that passed only when run again by themselves, on a machine that wasn't busy with others:",
            result.again,
        ),
        ("Those that weren't run:", result.unreached),
    ):
        if names:
            parts += [title, "\n".join(f"- {_cell(name)}" for name in names)]
    return "\n\n".join(parts)


def _table(head: tuple[str, str], rows: Iterable[tuple[object, object]]) -> str:
    return "\n".join([f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows)])


def _cell(text: str) -> str:
    """``text`` as Markdown shows it in a table, less the marks that Ginkgo knows the tests by."""
    plain = re.sub(r" ?\[(?:Conformance|NodeConformance|LinuxOnly)\]", "", text)
    return plain.replace("|", r"\|").replace("<", "&lt;")
