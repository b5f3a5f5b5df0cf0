"""What the README says of the program is so."""

import re
from pathlib import Path

from docs.configuration import README

ROOT = Path(__file__).parents[2]


def test_links_lead_to_files_and_headings() -> None:
    text = README.read_text()
    headings = {
        re.sub(r"[^\w -]", "", line[3:]).lower().replace(" ", "-") for line in re.findall(r"^## .*", text, re.M)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings
        elif not target.startswith("https://"):
            assert (ROOT / target).is_file()
