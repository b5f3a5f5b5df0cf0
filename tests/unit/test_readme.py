"""What the README and its pages say of the project is so."""

import re
from pathlib import Path

import pytest

from settings.addons import AddonSettings
from settings.problems import keys
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


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    section = page.read_text().partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[1:]]


def test_the_table_of_outputs_is_what_the_program_exports() -> None:
    exported = re.findall(r'pulumi\.export\("(\w+)"', (PROJECT / "__main__.py").read_text())
    documented = re.findall(r"^\| `(\w+)` \|", (PROJECT / "docs" / "outputs.md").read_text(), re.M)
    assert sorted(documented) == sorted(exported)


def test_the_table_of_addons_has_all() -> None:
    assert [row[0].strip("`") for row in rows(PROJECT / "README.md", "## Addons")] == keys(AddonSettings)


def test_the_errors_that_are_explained_are_said() -> None:
    """Each has three words in a row that the program, its plugins or the tests of what they say have, too."""
    folders = ("components", "embedded", "settings", "tests")
    files = [
        file for folder in folders for file in (PROJECT / folder).rglob("*.py") if file.name != Path(__file__).name
    ]
    sources = "\n".join(file.read_text() for file in files)
    errors = [row[0].strip("`") for row in rows(PROJECT / "README.md", "## When something is wrong")]
    assert len(errors) > 10
    for error in errors:
        words = error.replace("…", " ").split()
        assert any(" ".join(words[at : at + 3]) in sources for at in range(len(words) - 1)), error
