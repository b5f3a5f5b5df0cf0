"""What the README and its pages say of the project is so."""

import re
from pathlib import Path

import pytest

from components.addons import ADDONS
from tests.pages import DOCS, PROJECT, README

OTHERS = (
    *(PROJECT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((PROJECT / "docs" / "decisions").glob("*.md")),
)
MOST_WORDS = 1200


def anchors(page: Path) -> set[str]:
    """What a link may lead to in a page, as the usual renderers name it."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    """As ``wc -w`` counts."""
    assert len(README.read_text().split()) <= MOST_WORDS


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_the_readme_links_to_each_page_once(page: Path) -> None:
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", README.read_text())]
    assert targets.count(f"docs/{page.name}") == 1


@pytest.mark.parametrize("page", [README, *DOCS, *OTHERS], ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        leads_to = page.parent / file if file else page
        assert leads_to.is_file(), target
        assert not anchor or anchor in anchors(leads_to), target


def test_the_index_of_the_decisions_is_whole_and_in_order() -> None:
    pages = sorted(
        (page for page in (PROJECT / "docs" / "decisions").glob("[0-9]*.md")),
        key=lambda page: int(page.name.partition("-")[0]),
    )
    titles = [page.read_text().partition("\n")[0].removeprefix("# ") for page in pages]
    rows = [f"| {title.replace('. ', ' | [', 1)}]({page.name}) |" for title, page in zip(titles, pages, strict=True)]
    index = (PROJECT / "docs" / "decisions" / "README.md").read_text()
    assert [line for line in index.splitlines() if "](" in line] == rows
    assert [int(title.partition(".")[0]) for title in titles] == list(range(1, len(pages) + 1))


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    section = page.read_text().partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[1:]]


def test_the_table_of_outputs_is_what_the_program_exports() -> None:
    exported = re.findall(r'pulumi\.export\("(\w+)"', (PROJECT / "__main__.py").read_text())
    exported += [output for addon in ADDONS for output in addon.outputs]
    documented = re.findall(r"^\| `(\w+)` \|", (PROJECT / "docs" / "outputs.md").read_text(), re.M)
    assert sorted(documented) == sorted(exported)


def test_the_table_of_addons_has_all() -> None:
    documented = [row[0].strip("`") for row in rows(PROJECT / "docs" / "addons.md", "## Overview")]
    assert documented == [addon.name for addon in ADDONS]
