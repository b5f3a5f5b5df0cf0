"""What was set with ``--secret`` is secret in the stack's state too, or refused."""

from pathlib import Path
from typing import Any

import pulumi
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
        ("sites", [], "secretEnv and basicAuth"),
        ("sites", [{"name": "a"}], "secretEnv and basicAuth"),
    ],
)
def test_what_has_nothing_of_what_is_kept_secret_is_refused(key: str, value: Any, part: str) -> None:
    kept = f"{part} {'are' if ' and ' in part else 'is'}"
    assert problems({key: value}, (key,)) == [
        f"{key}: a secret is in it, and only {kept} kept secret in the stack's state; set all else without --secret"
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
        "sites: a secret is in it, and only secretEnv and basicAuth are kept secret in the stack's state; set all else "
        "without --secret",
        "domain: [secret] given; allowed: a host name in lower case",
        "sites[0].replicas: [secret] given; allowed: a whole number from 1 to 100",
    ]


TOKEN = {"name": "a", "secretEnv": {"TOKEN": "s3cret-value"}}
BASIC_AUTH = {"name": "a", "basicAuth": {"user": "me", "password": "s3cret-value"}}


@pytest.mark.parametrize(
    ("site", "key"), [(TOKEN, "secretEnv.TOKEN"), (BASIC_AUTH, "basicAuth.password")], ids=["secretEnv", "basicAuth"]
)
def test_what_has_to_be_secret_is_refused_in_plain_text(site: Any, key: str) -> None:
    load({"sites": [site]}, ("kubeconfig", "sites"))
    assert problems({"sites": [site]}) == [f"sites[0].{key}: given in plain text; set it with --secret"]


def test_the_rest_of_a_site_is_shown_where_something_of_it_is_secret() -> None:
    """It isn't secret: it's in plain in the state."""
    assert problems({"sites": [{**TOKEN, "replicas": 0}]}, ("sites",)) == [
        "sites[0].replicas: 0 given; allowed: a whole number from 1 to 100"
    ]


@pytest.mark.parametrize("password", ["short", "ä" * 37, "x" * 73])
def test_a_password_is_one_that_bcrypt_takes(password: str) -> None:
    site = {"name": "a", "basicAuth": {"user": "me", "password": password}}
    assert problems({"sites": [site]}, ("sites",)) == [
        "sites[0].basicAuth.password: [secret] given; allowed: 8 characters to 72 bytes"
    ]


@pytest.mark.parametrize(
    "site",
    [
        {"name": "a", "secretEnv": {"TOKEN": ["s3cret-value"]}},
        {"name": "a", "secretEnv": "s3cret-value"},
        {"name": "a", "secretEnv": {"TOKEN": "s3cret-value"}, "env": {"TOKEN": "b"}},
        {"name": "a", "basicAuth": {"user": "me", "password": 5}},
        {"name": "a", "basicAuth": {"user": "s3cret-value!", "password": "s3cret-value"}},
    ],
)
def test_no_error_shows_a_secret(site: Any) -> None:
    lines = problems({"sites": [site]}, ("sites",))
    assert lines
    assert not any("s3cret-value" in line for line in lines if ".user" not in line)


FILE = """\
config:
  inspiration:sites:
    - {name: a, host: {secure: v1:x}, secretEnv: {TOKEN: {secure: v1:x}}, resources: {limits: {cpu: {secure: v1:x}}}}
    - {name: b, basicAuth: {user: me, password: {secure: v1:x}}}
"""


def test_what_is_secret_beside_what_may_be_one_is_refused(project: Path) -> None:
    """As the stack's file tells, where it is."""
    load({"sites": [TOKEN]}, ("sites",))
    file = project / f"Pulumi.{pulumi.get_stack()}.yaml"
    file.write_text(FILE)
    try:
        found = problems({"sites": [TOKEN]}, ("sites",))
    finally:
        file.unlink()
    said = "a secret, and only secretEnv and basicAuth are kept secret in the stack's state"
    assert found == [
        f"sites[0].host: {said}; set it without --secret",
        f"sites[0].resources.limits.cpu: {said}; set it without --secret",
    ]
