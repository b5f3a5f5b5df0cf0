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
