"""What the README and its pages say of the project is so."""

import re
from pathlib import Path

import pytest

from tests.pages import PAGES, PROJECT

OTHERS = (PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs" / "decisions").glob("*.md")))


def anchors(page: Path) -> set[str]:
    """What a link may lead to in a page, as the usual renderers name it."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.name)
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
