"""What was set with ``--secret`` is secret in the stack's state too, or refused."""

from typing import Any

import pytest

from tests.unit.test_settings import load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_authority import KEY, certificate, pem
from tests.unit.test_settings_errors import problems

NOTHING = "a secret is in it, and nothing of it is kept secret in the stack's state; set it without --secret"
CHART = {"name": "c", "chart": "oci://e/c", "version": "1.0.0"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("context", "here"),
        ("domain", "example.com"),
        ("sites", []),
        ("ingress", {"address": "192.0.2.7"}),
        ("registry", {"address": "ghcr.io/me"}),
        ("addons", {"cert": {"acme": {"email": "me@example.com"}}}),
    ],
)
def test_what_would_be_plain_in_the_state_is_refused(key: str, value: Any) -> None:
    load({key: value})
    assert problems({key: value}, (key,)) == [f"{key}: {NOTHING}"]


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("certificateAuthority", {"commonName": "mine"}, "privateKey"),
        ("charts", [CHART], "values"),
        ("charts", [{**CHART, "values": {}}], "values"),
        ("charts", [], "values"),
    ],
)
def test_what_has_nothing_of_what_is_kept_secret_is_refused(key: str, value: Any, part: str) -> None:
    assert problems({key: value}, (key,)) == [
        f"{key}: a secret is in it, and only {part} is kept secret in the stack's state; set all else without --secret"
    ]


def test_what_is_kept_secret_may_be_one() -> None:
    authority = {"certificate": certificate(), "privateKey": pem(KEY)}
    charts = [CHART, {**CHART, "name": "d", "values": {"password": "x"}}]
    loaded = load(
        {"certificateAuthority": authority, "charts": charts}, ("kubeconfig", "certificateAuthority", "charts")
    )
    assert loaded.certificate_authority.private_key == pem(KEY)


def test_all_of_it_is_said_at_once_and_nothing_is_shown() -> None:
    assert problems({"domain": "SECRET.com", "sites": [{"name": "a", "replicas": "SECRET"}]}, ("domain", "sites")) == [
        f"domain: {NOTHING}",
        f"sites: {NOTHING}",
        "domain: [secret] given; allowed: a host name in lower case",
        "sites[0].replicas: [secret] given; allowed: a whole number from 1 to 100",
    ]
