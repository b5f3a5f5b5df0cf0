"""``docs/bench.md`` and its drawings, made from the results."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import results, tables
from bench.tables import Result

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "bench.md"
DRAWINGS = PROJECT / "docs" / "bench"

TABLES: Mapping[str, Callable[[Result], str]] = {
    "edit": tables.of_edit,
    "preview": tables.of_preview,
    "growth": tables.of_growth,
    "removal": tables.of_removal,
    "site": tables.of_site,
    "embedded": tables.of_embedded,
    "cold": tables.of_cold,
    "profile": tables.of_profile,
    "nodes": tables.of_nodes,
    "soak": tables.of_soak,
}


DRAWN: Mapping[str, Mapping[str, str]] = {
    "edit": {"edit": "Seconds from an edited page to the served one, by each way"},
    "preview": {"preview": "Seconds until each tool has said that nothing has changed"},
    "lifecycle": {
        "first-up": "Seconds of the first deployment, by Pulumi and by kubectl",
        "destroy": "Seconds of the removal, by Pulumi and by kubectl",
    },
    "growth": {"growth": "Seconds of a preview, and of one changed site, by the number of resources"},
    "site": {
        "site-1kb": "Requests a second for a file of 1 KB, by server, place and encoding",
        "site-1mb": "Requests a second for a file of 1 MB, by server, place and encoding",
    },
    "cold": {"cold": "When each stage of the first script/up begins and ends"},
}
"""The drawings of each subject: the name of the file, and what is to be seen."""


def write() -> None:
    """Write the page and the drawings anew."""
    # Only who draws needs matplotlib.
    from bench import plots

    found = results.read()
    PAGE.write_text(updated(PAGE.read_text(), found))
    DRAWINGS.mkdir(exist_ok=True)
    plots.draw(found, DRAWINGS)


def updated(page: str, found: Mapping[str, Result]) -> str:
    """Return the text of a page with the tables of today: each stands between two comments that name its subject.

    Raises:
        ValueError: One of them has no end, or there is nothing of that name.
    """
    made = generated(found)

    def replaced(place: re.Match[str]) -> str:
        subject = place["subject"]
        if subject not in made:
            raise ValueError(f"no benchmark is called {subject!r}; there are: {', '.join(made)}")
        return f"{place['begin']}\n{made[subject]}\n<!-- end of bench -->"

    if page.count("<!-- bench ") != page.count("<!-- end of bench -->"):
        raise ValueError("each <!-- bench NAME: made by script/bench report --> needs an <!-- end of bench -->")
    pattern = r"(?P<begin><!-- bench (?P<subject>[a-z-]+): made by script/bench report -->\n).*?<!-- end of bench -->"
    return re.sub(pattern, replaced, page, flags=re.DOTALL)


def generated(found: Mapping[str, Result]) -> dict[str, str]:
    """Return the Markdown of each subject; one that wasn't measured says so."""
    made = {
        subject: (write(found[subject]) + noted(found[subject])) if subject in found else unmeasured(subject)
        for subject, write in TABLES.items()
    }
    lifecycle = [subject for subject in ("first-up", "destroy") if subject in found]
    made["lifecycle"] = (
        tables.of_lifecycle(found) + noted(found[lifecycle[0]]) if lifecycle else unmeasured("first-up destroy")
    )
    measured = {*found, *(["lifecycle"] if lifecycle else [])}
    for subject in measured & DRAWN.keys():
        made[subject] += "".join(f"\n![{text}](bench/{name}.svg)\n" for name, text in DRAWN[subject].items())
    made["goals"] = tables.of_goals(found)
    return made


def unmeasured(subject: str) -> str:
    """What stands where there is no result yet."""
    return f"Not measured yet: `script/bench {subject}`.\n"


def noted(result: Result) -> str:
    """A line of when and where, under a table."""
    machine = result["machine"]
    versions = ", ".join(f"{product} {version}" for product, version in result.get("tools", {}).items())
    return (
        f"\n{result['date']}, {machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB, "
        f"Linux {machine['kernel']}{'; ' + versions if versions else ''}.\n"
    )
