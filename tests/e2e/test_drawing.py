"""The drawn dependency graph is that of the stack that runs."""

from tests.checkout import Checkout

PICTURES = ("docs/graph.svg", "site/public/graph.svg")


def test_drawn_again_from_the_engines_record_it_is_the_same(site: Checkout) -> None:
    try:
        for picture in PICTURES:
            (site.path / picture).unlink()

        done = site.run(".venv/bin/python", "-m", "docs.graph", "--stack", "dev", environment=site.environment())

        assert done.returncode == 0, done.stderr
        assert site.run("git", "diff", "--stat", "--", *PICTURES).stdout == ""
    finally:
        site.run("git", "checkout", "-q", "--", *PICTURES)
