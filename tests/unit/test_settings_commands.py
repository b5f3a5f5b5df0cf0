"""What the pages tell people to set is taken, on a stack whose file has nothing in it yet."""

from pathlib import Path
from typing import Any

import pytest

from tests.page_commands import SWITCHES_ON, written
from tests.pages import PAGES, commands
from tests.unit.test_settings import load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_authority import KEY, certificate, pem

FILES = {"ca.pem": certificate(), "ca.key": pem(KEY)}
COMMANDS = list(
    dict.fromkeys(
        command
        for page in PAGES
        for command in commands(page.read_text())
        if command.startswith("pulumi config set") and "$(" not in command
    )
)


@pytest.fixture(autouse=True)
def hello(project: Path) -> None:
    (project / "hello").mkdir(exist_ok=True)
    (project / "hello" / "index.html").touch()


def set_by(*given: str) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for command in given:
        config = written(config, command, FILES)
    # The clusters that the pages speak of aren't here.
    return {key: value for key, value in config.items() if key not in ("kubeconfig", "context")}


def test_there_are_some() -> None:
    assert {"pulumi config set domain example.com", "pulumi config set --path 'sites[0].tls' true"} <= set(COMMANDS)


TOGETHER = (
    ("certificateAuthority",),
    ("sites[1]",),
    ("sites[0].tls' acme", "addons.cert.acme"),
    ("sites[0].database", "addons.postgres"),
    ("sites[0].canary", "ingress.routes"),
)
"""What is of no use alone: an authority without its key, a second site without its name, what needs an addon."""
SECRET = ("kubeconfig", "sites")


@pytest.mark.parametrize("command", COMMANDS)
def test_one_alone(command: str) -> None:
    parts = next((parts for parts in TOGETHER if parts[0] in command), (command,))
    given = [each for each in COMMANDS if any(part in each for part in parts)]
    load(set_by(*given), SECRET if "--secret 'sites" in command else ("kubeconfig",))


def test_all_of_them() -> None:
    # A Gateway asks for no password, and a volume for one pod is for one version.
    apart = [SWITCHES_ON, *(command for command in COMMANDS if "canary" in command or "ingress.routes" in command)]
    loaded = load(set_by(*(command for command in COMMANDS if command not in apart)), SECRET)
    assert [site.name for site in loaded.sites] == ["inspiration", "hello"]
    assert loaded.sites[0].tls
    assert loaded.sites[0].health_path == "/healthz"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pulumi config set domain 1", {"domain": "1"}),
        ("pulumi config set --path a.b 1", {"a": {"b": 1}}),
        ("pulumi config set --path a.b 010", {"a": {"b": "010"}}),
        ("pulumi config set --path a.b 1.5", {"a": {"b": "1.5"}}),
        ("pulumi config set --path 'a[1].b' true", {"a": [None, {"b": True}]}),
        ("pulumi config set --secret --path a.b < ca.key", {"a": {"b": FILES["ca.key"].strip()}}),
        (
            "pulumi config set-all --path --plaintext 'a[0].b=x' --plaintext 'a[0].c=https://d'",
            {"a": [{"b": "x", "c": "https://d"}]},
        ),
    ],
)
def test_what_pulumi_writes(command: str, expected: dict[str, Any]) -> None:
    assert written({}, command, FILES) == expected
