"""What is read of a Dockerfile, and what is changed in it so that its commands have the machine's package indexes."""

from pathlib import Path

import pytest

from embedded.plugins.docker import made_here
from embedded.plugins.docker.dockerfile import has_syntax, of_folder, read, with_flags, without_syntax

LINES = """\
# syntax=docker/dockerfile:1
ARG VERSION=3.11 PORT
ARG SUITE="bookworm"
from --platform=$BUILDPLATFORM python:${VERSION}-slim AS Build
ARG VERSION=1
RUN pip install \\
    # the framework
    flask && \\
    echo RUN
FROM debian:$SUITE-slim@sha256:0123 as tools
RUN ["apt-get", "update"]
FROM ${NOWHERE:-node:22}-slim
run --mount=type=cache,target=/c npm ci
COPY --chown=1:1 --from=nginx:1 /etc/nginx /etc/nginx
COPY --from=tools /a /b
FROM build
RUN true
FROM scratch
COPY --from=0 / /
"""


def test_the_images_that_a_dockerfile_names_are_found_with_their_lines() -> None:
    assert read(LINES).images == {
        "python:3.11-slim": 4,
        "debian:bookworm-slim@sha256:0123": 10,
        "node:22-slim": 12,
        "nginx:1": 14,
    }
    assert read(LINES, {"VERSION": "3.12", "SUITE": "trixie"}).images.keys() >= {
        "python:3.12-slim",
        "debian:trixie-slim@sha256:0123",
    }


def test_each_stage_says_what_it_is_made_of_and_where_it_runs_something() -> None:
    assert [(stage.root, stage.runs) for stage in read(LINES).stages] == [
        ("python:3.11-slim", [6]),
        ("debian:bookworm-slim@sha256:0123", [11]),
        ("node:22-slim", [13]),
        ("python:3.11-slim", [17]),
        ("scratch", []),
    ]


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("ARG A\nFROM a:${A:-1}\n", "a:1"),
        ("ARG A=\nFROM a:${A:-1}\n", "a:1"),
        ("ARG A=2\nFROM a:${A:-1}\n", "a:2"),
        ("ARG A=2\nFROM a${A:+:3}\n", "a:3"),
        ("ARG A\nFROM a${A:+:3}\n", "a"),
        ("# escape=`\nFROM `\n a:1\n", "a:1"),
        ('\ufeffFROM "a:1"\n', "a:1"),
    ],
)
def test_variables_are_filled_in(written: str, image: str) -> None:
    assert list(read(written).images) == [image]


def test_a_dockerfile_that_docker_refuses_names_nothing() -> None:
    assert not read("FORM a\nRUN b\n").images
    assert not read("FROM $NOTHING\n").images


def test_flags_come_before_those_that_are_there() -> None:
    changed = with_flags(LINES, [6, 13], "--mount=type=tmpfs,target=/t").splitlines()
    assert changed[5] == "RUN --mount=type=tmpfs,target=/t pip install \\"
    assert changed[12] == "run --mount=type=tmpfs,target=/t --mount=type=cache,target=/c npm ci"
    assert [line for number, line in enumerate(changed, 1) if number not in (6, 13)] == [
        line for number, line in enumerate(LINES.splitlines(), 1) if number not in (6, 13)
    ]


def test_what_is_copied_comes_from_the_folder() -> None:
    lines = """\
ARG A=1
FROM a:$A AS one
COPY . .
COPY --chown=1 ["a b", "/c"]
ADD --chown=1 x /y https://example.com/z \\
    /w
ADD ["p q", "/r"]
FROM b
COPY --from=0 /a /b
COPY --from=one /a /b
"""
    assert of_folder(lines, "context").splitlines() == [
        "ARG A=1",
        "FROM scratch AS inspiration-context",
        "COPY context/ /",
        "FROM a:$A AS one",
        "COPY --from=inspiration-context . .",
        'COPY --from=inspiration-context --chown=1 ["a b", "/c"]',
        "ADD --chown=1 context/x context/y https://example.com/z /w",
        "",
        'ADD ["context/p q", "/r"]',
        "FROM b",
        "COPY --from=1 /a /b",
        "COPY --from=one /a /b",
    ]


def test_a_line_that_names_a_frontend_can_go_and_the_others_keep_their_numbers() -> None:
    assert has_syntax(LINES)
    assert without_syntax(LINES).splitlines()[1:] == LINES.splitlines()[1:]
    assert without_syntax("#syntax = a\n# escape=`\nFROM b\n") == "# escape=`\n\nFROM b\n"
    assert not has_syntax("FROM a\n# syntax=b\n")


def test_only_what_runs_on_an_image_with_packages_that_is_made_here_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(made_here.VARIABLE, raising=False)
    assert made_here.runs(LINES, {}) == []
    monkeypatch.setenv(made_here.VARIABLE, "python:3.11-slim debian:12-slim busybox:1.35.0")
    assert made_here.runs(LINES, {}) == [6, 17]
    assert made_here.runs("FROM docker.io/library/debian:12-slim\nRUN a\n", {}) == [2]
    assert made_here.runs("FROM busybox:1.35.0\nRUN a\n", {}) == []


@pytest.mark.parametrize(
    ("image", "refused"),
    [
        ("python:3.11-slim", False),
        ("docker.io/library/python:3.11-slim", False),
        ("python:3.12-slim", True),
        ("python", True),
        ("someone/theirs:1", True),
        ("loaded:1", False),
        ("localhost:32000/mine:1", False),
        ("registry.example.com/mine:1", False),
        ("scratch", False),
    ],
)
def test_an_image_that_can_not_be_had_is_refused(image: str, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_here, "docker_hub_answers", lambda: False)
    lines = f"# mine\nFROM {image}\n"
    found = made_here.refusal(Path("site/Dockerfile"), lines, {}, ["python:3.11-slim", "caddy:2"], "loaded:1".__eq__)
    assert found == (
        (
            f"site/Dockerfile, line 2: {image} can't be had, as Docker Hub doesn't answer",
            "name one that is made here: python:3.11-slim, caddy:2",
        )
        if refused
        else None
    )


def test_nothing_is_refused_where_docker_hub_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_here, "docker_hub_answers", lambda: True)
    assert made_here.refusal(Path("Dockerfile"), "FROM a:1\n", {}, ["caddy:2"], lambda _: False) is None
