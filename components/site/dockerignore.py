"""Which files of a folder ``docker build`` sees: those that ``.dockerignore`` leaves.

It does what the Docker command does, with all that is odd about it: the patterns are those of
github.com/moby/patternmatcher 0.6, the walk is that of github.com/moby/go-archive 0.1 (both under the Apache License
2.0). `tests/plugins/docker` holds it against ``docker build``. Malformed patterns are refused also where Docker never
comes to them.

The embedded Docker plugin has this module too, by a symbolic link, so it imports the standard library only.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

IGNORE_FILE = ".dockerignore"

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go takes for white space; Python's own idea of it differs."""

_CHARACTER = r"(?:\\.|[^\\\]\-\udc80-\udcff])"
_VALID = re.compile(rf"(?:\[\^?+(?:{_CHARACTER}(?:-{_CHARACTER})?)+\]|\\.|[^\[\\])*", re.DOTALL)
"""The patterns that Go's ``filepath.Match`` takes."""


class DockerignoreError(ValueError):
    """Docker refuses the file; with where and why."""


def ignore_file(folder: Path, dockerfile: Path) -> Path:
    """Return the ignore file for a ``dockerfile``: the one that is named after it or, without, that of the folder."""
    own = dockerfile.with_name(f"{dockerfile.name}{IGNORE_FILE}")
    return own if own.is_file() else folder / IGNORE_FILE


def left(folder: Path, ignore: Path) -> list[str]:
    """Return what the file ``ignore`` leaves of ``folder``, sorted: relative paths of folders, files, links and all.

    Raises:
        DockerignoreError: Docker refuses the file.
        OSError: It, or a folder that isn't ignored, can't be read.
    """
    return sorted(_walk(folder, "", Patterns.read(ignore), []))


def _walk(folder: Path, inside: str, patterns: "Patterns", parents: list[bool]) -> Iterator[str]:
    with os.scandir(folder / inside) as entries:
        for entry in entries:
            name = inside + entry.name
            ignored, matches = patterns.match(name, parents)
            if not ignored:
                yield name
            # What is ignored isn't looked into, unless an exception begins with its name.
            if entry.is_dir(follow_symlinks=False) and (not ignored or patterns.excepts_below(name)):
                yield from _walk(folder, f"{name}/", patterns, matches)


@dataclass(frozen=True)
class Patterns:
    """The lines of an ignore file."""

    patterns: list["_Pattern"]

    @classmethod
    def read(cls, file: Path) -> "Patterns":
        """Read them; none, if there is no such file.

        Raises:
            DockerignoreError: One of them is none that Docker takes, or it is no file.
            OSError: It can't be read.
        """
        try:
            if not stat.S_ISREG(file.stat().st_mode):
                raise DockerignoreError(f"{file} is no file; remove it, or make it one")
            content = file.read_bytes()
        except FileNotFoundError:
            return cls([])
        return cls(list(_patterns(content.removeprefix(b"\xef\xbb\xbf"), file)))

    def match(self, name: str, parents: list[bool]) -> tuple[bool, list[bool]]:
        """Return whether ``name`` is ignored, and which patterns match it, given which match the folder that it is in.

        Raises:
            DockerignoreError: A pattern turns out to be none when it is first needed.
        """
        ignored = False
        matches = []
        for index, pattern in enumerate(self.patterns):
            matched = bool(parents) and parents[index]
            # Docker asks those patterns only that would change something.
            if not matched and pattern.exception == ignored:
                matched = pattern.matches(name)
            if matched:
                ignored = not pattern.exception
            matches.append(matched)
        return ignored, matches

    def excepts_below(self, name: str) -> bool:
        """Whether an exception begins with the folder ``name``; one with a wildcard there doesn't, for Docker."""
        return any(pattern.exception and f"{pattern.text}/".startswith(f"{name}/") for pattern in self.patterns)


class _Pattern:
    def __init__(self, text: str, exception: bool, place: str) -> None:
        self.text = text
        self.exception = exception
        self._place = place
        self._compiled: Callable[[str], bool] | None = None

    def matches(self, name: str) -> bool:
        if self._compiled is None:
            self._compiled = _compiled(self.text, self._place)
        return self._compiled(name)


def _patterns(content: bytes, file: Path) -> Iterator[_Pattern]:
    for number, line in enumerate(os.fsdecode(content).split("\n"), start=1):
        place = f"line {number} of {file}"
        text = line.strip(_SPACE)
        if line.startswith("#") or not text:
            continue
        # Cleaned twice, as Docker does it; so "/!a" is an exception, too.
        mark = text[:1] if text.startswith("!") else ""
        text = _cleaned((mark + _cleaned(text.removeprefix("!").strip(_SPACE)).removeprefix("/")).strip(_SPACE))
        exception = text.startswith("!")
        text = text.removeprefix("!")
        if exception and not text:
            raise DockerignoreError(f"{place} is a lone exclamation mark; write what is to be kept after it")
        if not _VALID.fullmatch(text):
            raise _no_pattern(text, place)
        if text:
            yield _Pattern(text, exception, place)


def _cleaned(text: str) -> str:
    """Go's ``filepath.Clean``, but for what is empty."""
    # POSIX lets two leading slashes be; Go doesn't.
    return re.sub("^//+", "/", os.path.normpath(text)) if text else ""


def _no_pattern(text: str, place: str) -> DockerignoreError:
    return DockerignoreError(
        f"{place} is no pattern that Docker takes: {text}; write \\[ and \\\\ for a bracket and a backslash as such"
    )


def _compiled(text: str, place: str) -> Callable[[str], bool]:
    """Return what tells whether a name matches the pattern ``text``: a comparison where Docker compares."""
    kind, regex = _go_regex(text)
    if kind == "exact":
        return lambda name: name == text
    if kind == "prefix":
        return lambda name: name.startswith(text[:-2])
    if kind == "suffix":
        end = os.fsencode(text)[2:]
        return lambda name: os.fsencode(name).endswith(end) or (end[:1] == b"/" and os.fsencode(name) == end[1:])
    try:
        found = re.compile(_python_regex(_runes(f"^{regex}$")))
    except (re.error, ValueError, LookupError) as error:
        raise _no_pattern(text, place) from error
    return lambda name: found.search(_runes(name)) is not None


def _runes(text: str) -> str:
    """What Go sees of bytes that aren't UTF-8."""
    return re.sub("[\udc80-\udcff]", "\ufffd", text)


_TOKENS = re.compile(r"\*\*/?|\\.|.", re.DOTALL)
_EMITTED = {"*": "[^/]*", "?": "[^/]", **{each: f"\\{each}" for each in ".+()$"}}
"""Docker means to escape braces and the bar as well, but a shift of a byte by more than its bits doesn't."""
_REPETITION = re.compile(r"\{(?:0|[1-9]\d{0,2}|1000)(?:,(?:0|[1-9]\d{0,2}|1000)?)?\}", re.ASCII)


def _go_regex(text: str) -> tuple[str, str]:
    """Return how Docker matches a pattern, and the regular expression that it makes of it, in Go's syntax.

    It doesn't heed brackets: what is in them is replaced as elsewhere.
    """
    kind, regex = "exact", ""
    # The scanner that Docker reads it with leaves out a byte-order mark.
    for match in _TOKENS.finditer(text.removeprefix("\ufeff")):
        token, last = match.group(), match.end() == len(match.string)
        if token.startswith("**"):
            if not last:
                kind, regex = "regex", f"{regex}(.*/)?"
            elif kind == "exact":
                kind = "prefix"
            else:
                kind, regex = "regex", f"{regex}.*"
            if match.start() == 0:
                kind = "suffix"
        else:
            regex += _EMITTED.get(token, token)
            if token in ("*", "?", "[", "]") or token.startswith("\\"):
                kind = "regex"
    return kind, regex


_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
"""What stands for a class of characters inside of brackets, ``[[:alpha:]]``. Source: Go's regexp/syntax."""


def _python_regex(regex: str) -> str:
    """Return a regular expression of Go's in Python's syntax.

    Raises:
        ValueError: Go refuses it.
        LookupError: It ends too early, or names no class, which Go refuses; or it is a class but for its characters,
            such as ``[[:^alpha:]]``, which nobody writes here.
    """
    python, at = "", 0
    while at < len(regex):
        if regex[at] == "\\":
            python += _escape(regex[at + 1], "dDsSwWbBaftnrvxAz")
            at += 2
        elif regex[at] == "[":
            bracket, at = _class(regex, at + 1)
            python += bracket
        elif regex[at] in "{$":
            # To Python a dollar is before a last line break as well, and {,3} a repetition.
            repetition = _REPETITION.match(regex, at)
            python += repetition[0] if repetition else {"{": r"\{", "$": r"\Z"}[regex[at]]
            at += len(repetition[0]) if repetition else 1
        else:
            python += regex[at]
            at += 1
    return python


def _class(regex: str, at: int) -> tuple[str, int]:
    """Return the class in brackets that begins before ``at``, and where what follows begins."""
    python, first = "[", True
    if regex[at] == "^":
        python, at = "[^", at + 1
    while first or regex[at] != "]":
        first = False
        if regex.startswith("[:", at) and ":]" in regex[at:]:
            name, at = regex[at + 2 : (end := regex.index(":]", at))], end + 2
            python += _CLASSES[name]
            continue
        low, at = _member(regex, at)
        python += low
        if low[1:] not in tuple("dDsSwW") and regex[at] == "-" and regex[at + 1] != "]":
            high, at = _member(regex, at + 1)
            python += f"-{high}"
    return f"{python}]", at + 1


def _member(regex: str, at: int) -> tuple[str, int]:
    if regex[at] == "\\":
        return _escape(regex[at + 1], "dDsSwWaftnrvx"), at + 2
    return re.escape(regex[at]) if regex[at].isascii() and not regex[at].isalnum() else regex[at], at + 1


def _escape(character: str, known: str) -> str:
    if not character.isascii() or (character.isalnum() and character not in known):
        raise ValueError(character)
    if not character.isalnum():
        return re.escape(character)
    return {"z": r"\Z"}.get(character, f"\\{character}")
