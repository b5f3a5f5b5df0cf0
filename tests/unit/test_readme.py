"""What the README says of the program is so."""

import re
from pathlib import Path

from docs.configuration import README, updated

ROOT = Path(__file__).parents[2]


def test_the_table_of_the_configuration_is_that_of_pulumi_yaml() -> None:
    assert updated(README.read_text()) == README.read_text(), "run .venv/bin/python -m docs.configuration"


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
