"""The stack's outputs are what the README says, and no secret is anywhere in clear."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest

from tests.checkout import Checkout
from tests.reading import contents


@pytest.fixture(scope="module")
def secrets(site: Checkout) -> dict[str, str]:
    """Everything in the stack that nobody may read by accident, by where it belongs."""
    password = site.outputs(secrets=True)["dashboard_login"]["password"]
    exported = site.pulumi("stack", "export", "--show-secrets").stdout
    # The first line of each key, as it is wherever a key is written.
    lines = sorted(set(re.findall(r"PRIVATE KEY-----\\+n([A-Za-z0-9+/]{64})", exported)))
    keys = {f"key {number}": line for number, line in enumerate(lines)}
    hashes = {f"hash {number}": found for number, found in enumerate(re.findall(r"\$2[aby]\$10\$[./\w]{53}", exported))}
    assert len(keys) >= 2
    assert hashes
    return {"the dashboard's password": password, **keys, **hashes}


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text]


def test_the_outputs(site: Checkout) -> None:
    outputs = site.outputs()
    assert outputs.keys() == {
        "site_urls", "images", "registry", "ca_certificate", "dashboard_url", "dashboard_login", "addon_urls",
    }  # fmt: skip
    assert outputs["site_urls"] == {"inspiration": "http://inspiration.localhost/"}
    assert outputs["dashboard_url"] == "https://dashboard.localhost/"
    assert outputs["addon_urls"] == {"dashboard": "https://dashboard.localhost/"}
    assert outputs["dashboard_login"] == {"user": "admin", "password": "[secret]"}
    assert outputs["registry"] == "localhost:32000"
    assert re.fullmatch(r"localhost:32000/inspiration@sha256:[0-9a-f]{64}", outputs["images"]["inspiration"])
    assert outputs["ca_certificate"].startswith("-----BEGIN CERTIFICATE-----\n")


def test_secrets_are_shown_to_who_asks(site: Checkout) -> None:
    login = site.outputs(secrets=True)["dashboard_login"]
    assert login["user"] == "admin"
    assert re.fullmatch(r"[A-Za-z0-9]{24}", login["password"])


def test_nothing_is_printed_in_clear(site: Checkout, secrets: dict[str, str]) -> None:
    for words in (["stack", "output", "--json"], ["stack", "export"], ["preview", "--diff"], ["preview", "--json"]):
        done = site.pulumi(*words)
        assert done.returncode == 0, done.stderr
        assert found_in(done.stdout + done.stderr, secrets) == []
    again = site.run("script/up")
    assert found_in(again.stdout + again.stderr, secrets) == []


@pytest.mark.parametrize("folder", [".inspiration/pulumi", ".inspiration/logs", ".inspiration/pulumi-home"])
def test_no_file_has_a_secret_in_clear(site: Checkout, secrets: dict[str, str], folder: str) -> None:
    files = [path for path in (site.path / folder).rglob("*") if path.is_file()]
    assert files
    assert {path: found for path in files if (found := found_in(text_of(path), secrets))} == {}


def test_no_file_of_the_project_has_a_secret(site: Checkout, secrets: dict[str, str]) -> None:
    names = site.run("git", "ls-files").stdout.splitlines()
    assert "Pulumi.dev.yaml" in names
    assert {name: found for name in names if (found := found_in(text_of(site.path / name), secrets))} == {}


def test_no_command_line_has_a_secret(secrets: dict[str, str]) -> None:
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert any("kube_web" in line for line in lines)
    assert found_in("\n".join(lines), secrets) == []


def text_of(path: Path) -> str:
    return contents(path).decode(errors="replace")
