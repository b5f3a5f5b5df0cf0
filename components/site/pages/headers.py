"""``_headers``: what is said with an answer, by path."""

import re
from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from components.options import shown
from components.site.pages.rules import Line, Pattern, RuleError, checked, key, lines, quoted, raise_all

FILE = "_headers"
DEFAULTS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin"}
"""Break no page; a rule for one of them takes its place."""
CACHE_CONTROL = "Cache-Control"
RESERVED = frozenset(
    (
        "accept-ranges",
        "age",
        "allow",
        "alt-svc",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "date",
        "etag",
        "keep-alive",
        "last-modified",
        "location",
        "server",
        "set-cookie",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""The server's own; nearly the list that Netlify has."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?: *;[^\n]*)?\Z", re.ASCII)


@dataclass(frozen=True)
class _Rule:
    """A value, or none, for a header of the answers to the paths of a pattern."""

    line: Line
    pattern: Pattern
    value: str | None


@dataclass(frozen=True)
class Compiled:
    """The rules in nginx' syntax."""

    http: str
    """Of its ``http`` block."""
    server: str
    """Of its ``server`` block."""


def compiled(file: Path | None, pages: Set[str]) -> Compiled:
    """Return the rules of ``file`` in nginx' syntax; the defaults, if there is no such file.

    All rules for a path hold: several values of a header are joined with a comma; ``! Name`` takes away those before.
    ``pages`` are the paths of what is served, each as ``/about.html``.

    Raises:
        RuleError: A line can't be meant.
    """
    rules = _rules(file) if file else {}
    types = rules.pop("content-type", ("", []))[1]
    http = []
    for number, (name, found) in enumerate(_with_ours(rules)):
        maps, word = _value(f"header_{number}", DEFAULTS.get(name, ""), found)
        http += maps
        if name == CACHE_CONTROL:
            http.append(f'map "" $custom_cache_control {{\n    default {word};\n}}')
        else:
            http.append(f"add_header {quoted(name)} {word} always;")
    return Compiled("\n".join((*http, "")), _locations(types, pages))


def _with_ours(rules: dict[str, tuple[str, list[_Rule]]]) -> Iterator[tuple[str, list[_Rule]]]:
    """Yield each header with its rules: those that have a default, or none by the rules, in the way we write them."""
    for name in (*DEFAULTS, CACHE_CONTROL):
        yield name, rules.pop(name.lower(), ("", []))[1]
    yield from rules.values()


def _value(variable: str, default: str, rules: list[_Rule]) -> tuple[list[str], str]:
    """Return the value of a header as a word of nginx' configuration, and the maps that the word is made of.

    Each rule adds to what those before it gave; the default it replaces.
    """
    maps: list[str] = []
    constant: str | None = default
    before = quoted(default)
    for index, rule in enumerate(rules, start=1):
        if rule.value is None:
            text, word = "", '""'
        elif constant is not None:
            text = rule.value if constant in ("", default) else f"{constant}, {rule.value}"
            word = quoted(text)
        else:
            alone = "".join(f'    {quoted(each)} "";\n' for each in {"": None, default: None})
            maps.append(f'map {before} ${variable}_{index}_and {{\n    default "{before}, ";\n{alone}}}')
            text, word = "", f'"${{{variable}_{index}_and}}{quoted(rule.value)[1:-1]}"'
        checked(word, rule.line)
        if constant is not None and rule.pattern.parts == ("*",):
            # Also where a request is so malformed that it has no path.
            constant, before = text, word
            continue
        regex = checked(key(rule.pattern.regex()), rule.line)
        maps.append(f"map $asked ${variable}_{index} {{\n    default {before};\n    {regex} {word};\n}}")
        constant, before = None, f"${variable}_{index}"
    return maps, before


def _locations(rules: list[_Rule], pages: Set[str]) -> str:
    """Return a location for each file that has another type: nginx takes that from a name, not from a variable."""
    found: dict[str, str] = {}
    for rule in rules:
        regex = re.compile(rule.pattern.regex(), re.DOTALL)
        for path in filter(regex.match, sorted(pages)):
            if path.endswith(".html") or not path.isprintable() or "$" in path:
                raise rule.line.error(f"would give {shown(path)} a type; allowed: no pages, and no $ in a name")
            found[path] = ""
            if rule.value is not None:
                name, kind = (checked(quoted(text), rule.line) for text in (path, rule.value))
                found[path] = (
                    f"location = {name} {{\n    types {{}}\n    default_type {kind};\n"
                    "    try_files $tree$uri //plain$uri =404;\n}\n"
                )
    return "".join(found.values())


def _rules(file: Path) -> dict[str, tuple[str, list[_Rule]]]:
    """Return the rules of each header, by its name in lower case, with its name as it is first written."""
    found: dict[str, tuple[str, list[_Rule]]] = {}
    errors: list[RuleError] = []
    pattern: Pattern | None = None
    # A header that a path has more than once.
    here: dict[str, list[str]] = defaultdict(list)
    for line in lines(file):
        try:
            if line.text.startswith(("/", "http://", "https://")):
                here = defaultdict(list)
                pattern = None
                if not line.text.startswith("/"):
                    raise line.error(f"{shown(line.text)} has a host; allowed: a path")
                pattern = Pattern.of(line.text, line)
                continue
            name, value = _header(line)
            if pattern is None:
                if errors:
                    continue  # of a path that was refused
                raise line.error(f"{shown(line.text)} belongs to no path; write one above it, as /*")
            if value is not None and (used := next((each for each in pattern.names if f":{each}" in value), None)):
                raise line.error(f":{used} in a value; allowed: a value that is the same for each path")
            rules = found.setdefault(name.lower(), (name, []))[1]
            if value is None:
                here[name.lower()].clear()
                rules.append(_Rule(line, pattern, None))
                continue
            if here[name.lower()]:
                rules.pop()
            here[name.lower()].append(value)
            rules.append(_Rule(line, pattern, ", ".join(here[name.lower()])))
        except RuleError as error:
            errors.append(error)
    raise_all(errors)
    return found


def _header(line: Line) -> tuple[str, str | None]:
    """Return a header's name and value; none, where the line takes it away."""
    if line.text.startswith("!"):
        name, value = line.text[1:].strip(), None
    else:
        name, colon, text = line.text.partition(":")
        name, value = name.strip(), text.strip()
        if not colon or not value:
            raise line.error(f"{shown(line.text)} given; allowed: a path, Name: value, or ! Name")
        if not value.isascii():
            raise line.error(f"the value of {name} has other characters than ASCII; allowed: ASCII")
    if not _NAME.match(name):
        raise line.error(f"{shown(name)} is no name of a header; allowed: letters, digits, - and _")
    if name.lower() == "basic-auth":
        raise line.error("Basic-Auth isn't a header; allowed: the site's option basicAuth")
    if name.lower() in RESERVED:
        raise line.error(f"{name} is said by the server; leave it out")
    if name.lower() == "content-type" and value and not _TYPE.match(value):
        raise line.error(f"{shown(value)} is no type; allowed: type/subtype, as in application/json")
    return name, value
