"""Image names, inputs and what changes an image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.plugins.docker.diff import differences
from embedded.plugins.docker.failures import build_error, may_pass, push_error
from embedded.plugins.docker.image import Image, Name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:32000/site:one", ("localhost:32000", "site", "one")),
        ("localhost/site", ("localhost", "site", "latest")),
        ("docker.io/user/a-b/c__d:V1.0", ("docker.io", "user/a-b/c__d", "V1.0")),
        ("user/site", ("", "user/site", "latest")),
        ("site:one", ("", "site", "one")),
        ("[::1]:5000/site", ("[::1]:5000", "site", "latest")),
    ],
)
def test_names_are_taken_apart(text: str, expected: tuple[str, str, str]) -> None:
    name = Name.parse(text)
    assert (name.registry, name.path, name.tag) == expected


@pytest.mark.parametrize(
    "text", ["", ":", "Site", "localhost:1/", "a b", "a:b:c", "a@sha256:0", "site:", "https://x/y"]
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an image name; write registry/name:tag"):
        Name.parse(text)


PATHS = st.from_regex(r"[a-z0-9]{1,4}([-.][a-z0-9]{1,4})?(/[a-z0-9]{1,3})?", fullmatch=True)


@given(PATHS, st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,9}", fullmatch=True))
def test_what_is_put_together_comes_apart_again(path: str, tag: str) -> None:
    name = Name.parse(f"localhost:5000/{path}:{tag}")
    assert name == Name("localhost:5000", path, tag)
    assert name.repository == f"localhost:5000/{path}"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"imageName": "a:1"}, {"imageName": "a:2"}, ["imageName"]),
        ({"build": {"contextDigest": "1"}}, {"build": {"contextDigest": "2"}}, ["build.contextDigest"]),
        ({"build": {"args": {"A": "1"}}}, {"build": {"args": {"B": "1"}}}, ["build.args.A", "build.args.B"]),
        ({"build": {"context": "/a"}}, {"build": {"context": "/b"}}, []),
        ({"registry": {"password": "1", "server": "a"}}, {"registry": {"password": "2", "server": "a"}}, []),
        ({"registry": {"server": "a"}}, {"registry": {"server": "b"}}, ["registry.server"]),
        ({}, {"skipPush": False}, ["skipPush"]),
    ],
)
def test_only_what_makes_another_image_is_a_difference(
    old: dict[str, object], new: dict[str, object], expected: list[str]
) -> None:
    assert list(differences(old, new)) == expected
    assert list(differences(old, new, ["build", "imageName", "registry", "skipPush"])) == []


IMAGE = Image.of({"imageName": "registry.example:5000/site:one"})


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        (
            "Get https://registry.example:5000/v2/: http: server gave HTTP response to HTTPS client",
            'add "insecure-registries": ["registry.example:5000"] to the Engine\'s /etc/docker/daemon.json',
        ),
        ("Get https://registry.example:5000/v2/: dial tcp 10.0.0.1:5000: connect: connection refused", "check that it"),
        (
            'Get "https://registry.example:5000/v2/": tls: first record does not look like a TLS handshake',
            "it speaks plain HTTP",
        ),
        ("dial tcp: lookup registry.example: no such host", "imageName has the right host and port"),
        ("Get https://registry.example:5000/v2/: x509: certificate signed by unknown authority",
         "copy the certificate of its authority to /etc/docker/certs.d/registry.example:5000/ca.crt"),
        ("no basic auth credentials", "run `docker login registry.example:5000`, or set registry.username"),
        ("denied: requested access to the resource is denied", "run `docker login registry.example:5000`"),
    ],
)  # fmt: skip
def test_a_failed_push_says_what_to_do(message: str, fix: str) -> None:
    text = push_error(IMAGE, message)
    assert text.startswith(
        f"pushing registry.example:5000/site:one to registry registry.example:5000 failed: {message}"
    )
    assert fix in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("dial tcp 127.0.0.1:32000: connect: connection refused", True),
        ("dial tcp 127.0.0.1:32000: connect: no route to host", True),
        ("errors:\nmanifest blob unknown: blob unknown to registry\n", True),
        ("dial tcp: lookup registry.example: no such host", False),
        ("x509: certificate signed by unknown authority", False),
        ("no basic auth credentials", False),
    ],
)
def test_a_push_is_repeated_only_where_that_may_help(message: str, expected: bool) -> None:
    assert may_pass(push_error(IMAGE, message)) is expected


def test_an_unknown_push_error_is_shown_as_it_is() -> None:
    assert push_error(IMAGE, "disk full\n").endswith("failed: disk full")


@pytest.mark.parametrize(
    ("base", "message", "fix"),
    [
        ("None:1", "invalid reference format: repository name must be lowercase",
         "; correct the name of the image in the Dockerfile"),
        ("nowhere.invalid/a", 'Get "https://nowhere.invalid/v2/": dial tcp: lookup nowhere.invalid: no such host',
         "; check that the Docker Engine reaches nowhere.invalid, or take the image from a registry that it reaches"),
        ("alpine", 'Get "https://registry-1.docker.io/v2/": dial udp 10.0.0.53:53: connect: network is unreachable',
         "; check that the Docker Engine reaches docker.io, or take the image from a registry that it reaches"),
        ("localhost:5000/a:1", "manifest for localhost:5000/a:1 not found: manifest unknown: manifest unknown",
         "; correct the name, tag or digest: localhost:5000 has no such image"),
        ("me/a", "pull access denied for me/a, repository does not exist or may require 'docker login': denied",
         "; correct the name if it is misspelt, else run `docker login docker.io`"),
        ("--platform=linux/arm64 ghcr.io/me/a AS x", "Head \"https://ghcr.io/v2/me/a/manifests/latest\": unauthorized",
         "; correct the name if it is misspelt, else run `docker login ghcr.io`"),
        ("alpine", "something else", ""),
    ],
)  # fmt: skip
def test_a_base_image_that_cannot_be_had_says_what_to_do(base: str, message: str, fix: str) -> None:
    text = build_error(IMAGE, f"Step 1/2 : FROM {base}", message)
    assert text == f"building registry.example:5000/site:one from . failed at Step 1/2 : FROM {base}: {message}{fix}"


def test_another_step_that_fails_is_shown_as_it_is() -> None:
    text = build_error(IMAGE, "Step 2/2 : COPY a /", "COPY failed: file not found")
    assert text.endswith("failed at Step 2/2 : COPY a /: COPY failed: file not found")
