"""``script/up`` and its likes as people see them at a terminal."""

from __future__ import annotations

import re

import pytest

from tests.checkout import Checkout, newcomer
from tests.terminal import run
from tests.waiting import eventually

COLOURS = re.compile(r"\x1b\[(\d+;)*(3[0-7]|9[0-7]|38;[25];[\d;]+)m")
SITE = "http://inspiration.localhost/"


def at_a_terminal(site: Checkout, *command: str, **variables: str) -> tuple[int, str]:
    environment = {name: value for name, value in newcomer().items() if name not in ("NO_COLOR", "TERM")}
    return run(command, site.path, {**environment, **variables})


def test_up_shows_what_it_is_at_and_ends_with_links(site: Checkout) -> None:
    code, shown = at_a_terminal(site, "script/up")
    assert code == 0, shown
    assert COLOURS.search(shown)
    # A line that is drawn again while a stage is under way …
    assert re.search("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", shown)
    # … of which nothing stays: the cursor is shown again, and each stage has its line.
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"✓ Cluster +was running +\d", plain)
    assert re.search(r"✓ pulumi up +\d", plain)
    end = shown[shown.rindex("all in all") :]
    assert f";{SITE}\x1b\\" in end
    assert ";https://dashboard.localhost/\x1b\\" in end


def test_no_color_is_heeded_by_all_that_is_shown(site: Checkout) -> None:
    code, shown = at_a_terminal(site, "script/up", NO_COLOR="1")
    assert code == 0, shown
    assert COLOURS.findall(shown) == []


def test_into_a_pipe_go_plain_lines(site: Checkout) -> None:
    done = site.run("script/up")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert f"inspiration  {SITE}\n" in done.stdout
    assert re.search(r"^▸ Cluster\n", done.stderr, re.MULTILINE)
    assert re.search(r"^✓ Cluster  was running  \d", done.stderr, re.MULTILINE)


def test_a_failure_ends_with_what_is_wrong_what_to_do_and_the_logs(site: Checkout) -> None:
    site.pulumi("config", "set", "context", "nowhere")
    try:
        done = site.run("script/up")
    finally:
        site.run("git", "checkout", "-q", "Pulumi.dev.yaml")
    assert done.returncode == 1
    assert 'inspiration:context: "nowhere" given, which isn\'t in $KUBECONFIG; allowed: inspiration' in done.stdout
    assert done.stderr.splitlines()[-3:] == [
        "error: `pulumi up` failed: the reasons are above, below “Diagnostics”",
        "  fix: put them right and run script/up again, which goes on from there; script/up --status tells what isn't "
        "healthy",
        f"  log: {site.state}/logs",
    ]


@pytest.mark.parametrize("command", ["script/up --status", "script/licences"])
def test_tables_go_into_a_pipe_without_colours(site: Checkout, command: str) -> None:
    # The Docker Engine is a moment old.
    assert eventually(lambda: site.run(*command.split()).returncode == 0), site.run(*command.split()).stdout
    assert "\x1b" not in site.run(*command.split()).stdout
