"""What the README and the pages that it links to tell people to run works, as it is written there."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkout import Checkout
from tests.e2e.conftest import new_trust_store
from tests.page_commands import OWN, SETS, SHOWS, STATUS, STUCK, SWITCHES_ON, UNSET, written

FILE = "Pulumi.dev.yaml"


@pytest.fixture(scope="module")
def home(site: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home folder of somebody who has an authority of their own, in the checkout, and a browser."""
    folder = tmp_path_factory.mktemp("home")
    new_trust_store(folder)
    (site.path / "inspiration-ca.pem").write_text(site.outputs()["ca_certificate"])
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mine", "-days", "30"]
    subprocess.run([*request, "-keyout", "ca.key", "-out", "ca.pem"], cwd=site.path, check=True, capture_output=True)
    yield folder
    for name in ("inspiration-ca.pem", "ca.key", "ca.pem"):
        (site.path / name).unlink()


def run(checkout: Checkout, home: Path, command: str) -> str:
    """Run a command as a user's shell does, and return what it prints."""
    done = checkout.run("bash", "-euc", command, environment={**checkout.environment(), "HOME": str(home)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("command", SHOWS)
def test_what_shows_something_leaves_the_stack_as_it_is(site: Checkout, home: Path, command: str) -> None:
    before = site.pulumi("stack", "export").stdout
    assert before
    run(site, home, f"{command} --yes" if command == "pulumi cancel" else command)
    assert site.pulumi("stack", "export").stdout == before
    assert_unchanged(site)


@pytest.fixture
def unset(site: Checkout) -> Iterator[Checkout]:
    """The checkout, whose configuration is put back afterwards."""
    yield site
    site.run("git", "checkout", "-q", FILE)


@pytest.mark.parametrize("command", SETS)
def test_what_sets_something_writes_it_into_the_stacks_file(unset: Checkout, home: Path, command: str) -> None:
    before = yaml.safe_load((unset.path / FILE).read_text())["config"]
    run(unset, home, command)
    after = yaml.safe_load((unset.path / FILE).read_text())["config"]
    assert before != after
    assert before.keys() <= after.keys()


def test_what_is_set_is_what_the_program_takes(unset: Checkout, home: Path) -> None:
    # Without what can't be deployed here as it is: a registry that needs an account, a chart from the internet, and an
    # addon whose chart has to be built.
    without = ("registry.address", "set-all", "addons.cert", "acme")
    for command in SETS:
        if not any(part in command for part in without):
            run(unset, home, command)
    done = unset.pulumi("preview")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_addon_that_is_on_makes_room_for_its_options(unset: Checkout, home: Path) -> None:
    [with_options] = [command for command in SETS if "addons.cert." in command]
    for command in (SWITCHES_ON, UNSET, with_options):
        run(unset, home, command)
    config = yaml.safe_load((unset.path / FILE).read_text())["config"]
    assert config["inspiration:addons"]["cert"] == {"acme": {"email": "you@example.com"}}


def test_a_stack_of_ones_own(unset: Checkout, home: Path) -> None:
    def config() -> dict[str, str]:
        found: dict[str, str] = yaml.safe_load((unset.path / "Pulumi.mine.yaml").read_text())["config"]
        return found

    try:
        for command in OWN[:2]:
            run(unset, home, command)
        assert config()["inspiration:context"] == unset.kubectl("config", "current-context").strip()
        assert "Nothing is deployed: pulumi up does that." in run(unset, home, STATUS)
        # There are no such clusters here: only that the program is told of them.
        for command in OWN[2:]:
            run(unset, home, command)
            key, value = shlex.split(command)[3:]
            assert config()[f"inspiration:{key}"] == value.replace("~", str(home))
        assert_written_as_unit_tests_say(unset, home, "mine")
    finally:
        unset.pulumi("stack", "rm", "--yes", "--force", stack="mine")
        unset.pulumi("stack", "select", stack="dev")
        (unset.path / "Pulumi.mine.yaml").unlink(missing_ok=True)
    assert_unchanged(unset)


def assert_unchanged(checkout: Checkout) -> None:
    """The files are as they are committed, but for the salt that plain `pulumi` writes."""
    assert checkout.run("git", "diff", "--stat", "--ignore-matching-lines=^encryptionsalt:").stdout == ""


def assert_written_as_unit_tests_say(checkout: Checkout, home: Path, stack: str) -> None:
    """What sets something writes into an empty stack's file what the unit tests of the settings have loaded."""
    files = {name: (checkout.path / name).read_text() for name in ("ca.pem", "ca.key")}
    expected: dict[str, Any] = {}
    for command in SETS:
        if command != SWITCHES_ON:
            run(checkout, home, command)
            expected = written(expected, command, files)
    shown = json.loads(checkout.pulumi("config", "--json", "--show-secrets", stack=stack).stdout)
    found = {key: shown[f"inspiration:{key}"] for key in expected}
    assert {key: entry.get("objectValue", entry["value"]) for key, entry in found.items()} == expected


def test_an_object_that_is_held_can_be_let_go(site: Checkout, home: Path) -> None:
    site.kubectl("create", "configmap", "held")
    site.kubectl("patch", "configmap", "held", "-p", '{"metadata": {"finalizers": ["example.com/never"]}}')
    site.kubectl("delete", "configmap", "held", "--wait=false")
    assert site.kubectl("get", "configmap", "held", "-o", "jsonpath={.metadata.deletionTimestamp}")

    run(site, home, STUCK.replace("KIND", "configmap").replace("NAME", "held"))

    assert site.kubectl("get", "configmaps", "--field-selector", "metadata.name=held", "-o", "name") == ""
