"""What ``_redirects`` and ``_headers`` have in common: lines, patterns of paths, and how nginx is told a text.

Their form is that of Netlify and Cloudflare:
https://docs.netlify.com/manage/routing/redirects/overview/ and
https://developers.cloudflare.com/pages/configuration/redirects/.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from components.options import shown

MAX_TOKEN = 4000
"""Bytes. nginx takes 4096 for one word of its configuration."""


CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RuleError(ValueError):
    """A file of rules has a line that can't be meant; with where, why, and what is allowed."""


@dataclass(frozen=True)
class Line:
    """A line with something in it, without the space around it."""

    file: Path
    number: int
    text: str

    def error(self, problem: str) -> RuleError:
        """Return the error that says what is wrong with it."""
        return RuleError(f"{self.file}:{self.number}: {problem}")


def lines(file: Path) -> Iterator[Line]:
    """Yield the lines of ``file`` that are neither empty nor a comment.

    Raises:
        RuleError: It is no text.
        OSError: It can't be read.
    """
    try:
        content = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RuleError(f"{file}: isn't in UTF-8; save it as such") from error
    for number, text in enumerate(content.replace("\r\n", "\n").split("\n"), start=1):
        line = Line(file, number, text.strip(" \t"))
        if CONTROL.search(line.text.replace("\t", " ")):
            raise line.error("has a control character; take it out")
        if line.text and not line.text.startswith("#"):
            yield line


def raise_all(errors: list[RuleError]) -> None:
    """Raise the first of ``errors``, which says how many more there are.

    Raises:
        RuleError: There are some.
    """
    if errors:
        more = f" ({len(errors) - 1} more like this)" if errors[1:] else ""
        raise RuleError(f"{errors[0]}{more}") from errors[0]


@dataclass(frozen=True)
class Pattern:
    """A path with ``:placeholders``, each for a part of it, and ``*`` for any rest."""

    parts: tuple[str, ...]
    """What is between the slashes, decoded."""

    @classmethod
    def of(cls, text: str, line: Line) -> "Pattern":
        """Read it.

        Raises:
            RuleError: It is none.
        """
        if "?" in text or "#" in text:
            raise line.error(f"{shown(text)} has a query or a fragment; allowed: a path")
        try:
            decoded = unquote_to_bytes(text).decode()
        except UnicodeDecodeError as error:
            raise line.error(f"{shown(text)} isn't UTF-8 where it is escaped; allowed: a path") from error
        if not decoded.startswith("/") or CONTROL.search(decoded):
            raise line.error(f"{shown(text)} is no path; allowed: a path that begins with /")
        return cls(tuple(filter(None, decoded.split("/"))))

    @property
    def names(self) -> list[str]:
        """What its placeholders are called, in order; ``splat`` is the rest."""
        return ["splat" if part == "*" else part[1:] for part in self.parts if part == "*" or _PLACEHOLDER.match(part)]

    def regex(self, capture: str = "") -> str:
        """Return the regular expression, of Python's and of PCRE, for a decoded path; a slash at its end is let be.

        ``capture`` names its groups: ``<capture>_1`` and so on, in PCRE's syntax.
        """
        groups = iter(range(1, len(self.parts) + 1))

        def group(regex: str) -> str:
            return f"(?<{capture}_{next(groups)}>{regex})" if capture else regex

        found = ""
        for index, part in enumerate(self.parts):
            if part == "*" and index == len(self.parts) - 1:
                return f"^{found}(?:/{group('.*')})?$" if found else f"^/{group('.*')}"
            found += "/" + (group("[^/]+") if _PLACEHOLDER.match(part) else re.escape(part).replace(r"\*", ".*"))
        return f"^{found}/?$" if found else "^/$"

    def raw_regex(self, capture: str) -> str:
        """Return PCRE for a path as it was sent, escaped, of which it is known that the decoded one matches.

        It captures what a redirect leads to: no backslash, and no slash first, which would lead to another host.
        """
        groups = iter(range(1, len(self.parts) + 1))
        found = ""
        for part in self.parts:
            if part == "*":
                found += rf"(?:/++(?<{capture}_{next(groups)}>[^\\]*))?"
            elif _PLACEHOLDER.match(part):
                found += rf"/++(?<{capture}_{next(groups)}>[^/\\]+)"
            else:
                found += "/++[^/]+"
        return f"^{found}/*$"


_PLACEHOLDER = re.compile(r":[A-Za-z][A-Za-z0-9_]*\Z")


def quoted(text: str) -> str:
    """Return ``text`` as one word of nginx' configuration, of which nothing is a variable or ends the word."""
    # A dollar can only be written as a variable.
    return f'"{_escaped(text)}"'.replace("$", "${dollar}")


def key(regex: str) -> str:
    """Return a regular expression as the key of a map in nginx' configuration, where there are no variables."""
    return f'"~(?s){_escaped(regex)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def checked(word: str, line: Line) -> str:
    """Return a ``word`` of nginx' configuration that isn't longer than it takes.

    Raises:
        RuleError: It is.
    """
    if len(word.encode()) > MAX_TOKEN:
        raise line.error(f"comes to {len(word.encode())} bytes; allowed: {MAX_TOKEN}")
    return word
