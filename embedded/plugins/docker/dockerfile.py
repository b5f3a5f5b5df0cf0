"""Which images a Dockerfile begins with, and what it runs on them."""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dockerfile_parse import DockerfileParser
from dockerfile_parse.parser import image_from

SCRATCH = "scratch"
"""Docker's word for nothing at all."""

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))")
_COPIED_FROM = re.compile(r"(?:--\S+\s+)*?--from=(\S+)")
_SYNTAX = re.compile(r"#\s*syntax\s*=.*(?:\n|$)((?:#\s*escape\s*=.*\n)?)", re.IGNORECASE)
_FLAGS = re.compile(r"(?:--\S+\s+)*")
_NUMBERED = re.compile(r"(--from=)(\d+)\b")
_RUN, _COPY = (re.compile(rf"(\s*{word})\b", re.IGNORECASE) for word in ("RUN", "COPY"))

_CONTEXT = "inspiration-context"
"""A stage with what is built of."""

FROM_CONTEXT = f"--from={_CONTEXT}"
"""What `of_folder` adds to each ``COPY``."""

LINES_ADDED = 2
"""By `of_folder`, before the first ``FROM``."""


@dataclass
class Stage:
    """What begins with a ``FROM``."""

    image: str
    """What it begins with, as written but for variables: an image, an earlier stage, or `SCRATCH`."""
    line: int
    """Of its ``FROM``, from 1."""
    root: str
    """The image that it is made of, by way of other stages perhaps, or `SCRATCH`."""
    runs: list[int] = field(default_factory=list)
    """The lines of its ``RUN`` instructions, from 1."""


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile that has been read.

    Attributes:
        stages: In their order.
        images: Those that it takes anything from, by name, with the line that names each first.
    """

    stages: Sequence[Stage]
    images: Mapping[str, int]


def read(text: str, arguments: Mapping[str, str] | None = None) -> Dockerfile:
    """Read a Dockerfile.

    Args:
        text: What it says; errors in it are for the Docker Engine to find.
        arguments: The build's, which go before the defaults that it gives.
    """
    given, values = arguments or {}, dict[str, str]()
    stages: list[Stage] = []
    named: dict[str, Stage] = {}
    images: dict[str, int] = {}
    for word, rest, lines in _instructions(text):
        line = lines[0]
        if word == "ARG" and not stages:
            for name, _, default in (each.partition("=") for each in rest.split()):
                values[name] = given.get(name, default.strip("\"'"))
        elif word == "FROM":
            image, name = image_from(rest)
            image = _filled_in((image or "").strip("\"'"), values)
            earlier = named.get(image.lower())
            stages.append(Stage(image, line, earlier.root if earlier else image))
            if image and not earlier and image != SCRATCH:
                images.setdefault(image, line)
            if name:
                named[name.lower()] = stages[-1]
        elif word == "RUN" and stages:
            stages[-1].runs.append(line)
        elif word == "COPY" and not ((source := _copied_from(rest)).isdecimal() or source.lower() in {"", *named}):
            images.setdefault(source, line)
    return Dockerfile(stages, images)


def with_flags(text: str, lines: Sequence[int], flags: str) -> str:
    """Return a Dockerfile in which the ``RUN`` instructions of these lines have ``flags``, before any others."""
    parts = text.splitlines(keepends=True)
    for line in lines:
        parts[line - 1] = _RUN.sub(lambda found: f"{found[1]} {flags}", parts[line - 1], count=1)
    return "".join(parts)


def has_syntax(text: str) -> bool:
    """Whether the Dockerfile says which frontend is to read it."""
    return _SYNTAX.match(text.removeprefix("\ufeff")) is not None


def without_syntax(text: str) -> str:
    """Return a Dockerfile that the Engine's own frontend reads."""
    return _SYNTAX.sub(r"\1\n", text.removeprefix("\ufeff"), count=1)


def of_folder(text: str, folder: str) -> str:
    """Return a Dockerfile that builds of a folder of the context what ``text`` builds of the context.

    So there may be files in the context that nothing picks up. What is copied comes by a stage of its own.
    """
    parts, first = text.splitlines(keepends=True), 0
    for word, rest, lines in _instructions(text):
        line = lines[0]
        if word == "FROM":
            first = first or line
        elif word == "ADD":  # which takes from no stage
            parts[line - 1 : lines[-1]] = [f"ADD {_below(rest, folder)}\n", *("\n" for _ in lines[1:])]
        elif word == "COPY" and not _copied_from(rest):
            parts[line - 1] = _COPY.sub(lambda found: f"{found[1]} {FROM_CONTEXT}", parts[line - 1], count=1)
        elif word == "COPY":  # there is one stage more
            parts[line - 1] = _NUMBERED.sub(lambda found: f"{found[1]}{int(found[2]) + 1}", parts[line - 1])
    if first:
        parts.insert(first - 1, f"FROM {SCRATCH} AS {_CONTEXT}\nCOPY {folder}/ /\n")
    return "".join(parts)


def _copied_from(rest: str) -> str:
    """The stage or image that a ``COPY`` takes from; empty if it is the context."""
    found = _COPIED_FROM.match(rest)
    return found[1] if found else ""


def _below(rest: str, folder: str) -> str:
    """Flags, sources and target of an ``ADD``, with the sources below ``folder``."""
    words = _FLAGS.sub("", rest, count=1)
    flags = rest.removesuffix(words)
    listed = json.loads(words) if words.startswith("[") else words.split()
    sources = [each if "://" in each else f"{folder}/{each.lstrip('/')}" for each in listed[:-1]]
    return flags + (json.dumps([*sources, listed[-1]]) if words.startswith("[") else " ".join([*sources, listed[-1]]))


def _instructions(text: str) -> Iterator[tuple[str, str, range]]:
    """The name, the rest, and the lines of each instruction, counted from 1."""
    for each in DockerfileParser(fileobj=io.BytesIO(text.removeprefix("\ufeff").encode())).structure:
        yield each["instruction"], each["value"], range(each["startline"] + 1, each["endline"] + 2)


def _filled_in(text: str, values: Mapping[str, str]) -> str:
    """``text`` with the variables that a ``FROM`` may have: ``$NAME``, ``${NAME}``, ``${NAME:-default}``."""

    def value(found: re.Match[str]) -> str:
        name, sign, word, plain = found.groups()
        known = values.get(name or plain, "")
        if sign == "+":
            return word if known else ""
        return known or word or ""

    return _VARIABLE.sub(value, text)
