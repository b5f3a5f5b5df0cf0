"""``_redirects``: where addresses lead that no file has."""

import re
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from components.options import shown
from components.site.pages.rules import Line, Pattern, RuleError, checked, key, lines, quoted, raise_all

FILE = "_redirects"
REDIRECTS = (301, 302, 303, 307, 308)
STATUSES = (*REDIRECTS, 200, 404)
DEFAULT_STATUS = 302
"""Cloudflare's. Netlify's is 301, which browsers never forget."""

_CONDITION = re.compile(r"[A-Za-z_]\w*=")
_NAMED = re.compile(r":([A-Za-z][A-Za-z0-9_]*)")
_LOCAL = re.compile(r"/(?![/\\])")
_HOST = re.compile(r"^https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?=[/?#]|\Z)")


def compiled(file: Path | None, pages: Set[str]) -> str:
    """Return the rules of ``file`` as maps of nginx' ``http`` block; of none, if there is no such file.

    ``pages`` are the paths of what is served, each as ``/about.html``.

    Raises:
        RuleError: A line can't be meant.
    """
    rules: list[_Compiled] = []
    errors: list[RuleError] = []
    for line in lines(file) if file else ():
        try:
            rules.append(_rule(line, pages).compiled(len(rules)))
        except RuleError as error:
            errors.append(error)
    raise_all(errors)
    # The first rule for an address says whether it goes before files. After the last that does, none is asked.
    forced = [f'    {rule.key} "{int(rule.forced) or ""}";' for rule in rules]
    while forced and not rules[len(forced) - 1].forced:
        forced.pop()
    return "\n".join(
        [
            *(rule.target for rule in rules if rule.target),
            'map $asked $rule {\n    default "";',
            *(f"    {rule.key} {rule.value};" for rule in rules),
            '}\nmap $asked $forced {\n    default "";',
            *forced,
            "}\n",
        ]
    )


def page(path: str, pages: Set[str]) -> str | None:
    """Return which of ``pages`` the address ``path`` has, if any."""
    found = (path, f"{path}.html", f"{path.rstrip('/')}/index.html")
    return next((name for name in found if name in pages), None)


@dataclass(frozen=True)
class _Compiled:
    key: str
    """The path, as the key of a map."""
    value: str
    """Status and where to: ``"301 /new"``."""
    target: str
    """The map that says where to, if that depends on the path."""
    forced: bool


@dataclass(frozen=True)
class _Rule:
    line: Line
    source: Pattern
    target: str
    status: int
    forced: bool

    def compiled(self, number: int) -> _Compiled:
        if self.status not in REDIRECTS:
            value = checked(f'"{self.status} {self._file()}"', self.line)
            return _Compiled(self._key("part"), value, "", self.forced)
        location = checked(f'"{self.status} {self._location()}"', self.line)
        if not _NAMED.search(_HOST.sub("", self.target)):
            return _Compiled(self._key(""), location, "", self.forced)
        # Parts are taken from the path as it was sent, so that they are as escaped in the new address.
        path = checked(key(self.source.raw_regex("part")), self.line)
        target = f'map $path $target_{number} {{\n    default "";\n    {path} {location};\n}}'
        return _Compiled(self._key(""), f'"$target_{number}"', target, self.forced)

    def _key(self, capture: str) -> str:
        return checked(key(self.source.regex(capture)), self.line)

    def _authority_end(self) -> int:
        found = _HOST.match(self.target)
        return found.end() if found else 0

    def _location(self) -> str:
        """The value of the header Location, of nginx' variables and of characters that need no quotes."""
        rest, mark, fragment = self.target[self._authority_end() :].partition("#")
        query = "" if "?" in rest else "$is_args$args"
        return (
            self.target[: self._authority_end()] + self._filled(rest) + query + (mark and self._filled(mark + fragment))
        )

    def _filled(self, text: str) -> str:
        names = self.source.names
        pieces = _NAMED.split(text)
        pieces[::2] = [_escaped(piece) for piece in pieces[::2]]
        pieces[1::2] = [f"${{part_{names.index(name) + 1}}}" for name in pieces[1::2]]
        return "".join(pieces)

    def _file(self) -> str:
        """The path of the file, of nginx' variables and of what is quoted."""
        names = self.source.names
        pieces = _NAMED.split(re.split("[?#]", self.target)[0])
        pieces[::2] = [quoted(unquote(piece))[1:-1] for piece in pieces[::2]]
        pieces[1::2] = [f"${{part_{names.index(name) + 1}}}" for name in pieces[1::2]]
        return "".join(pieces)


def _escaped(text: str) -> str:
    """Return a part of an address with all that is neither of ASCII nor harmless in nginx' quotes escaped."""
    return quote(re.sub("%(?![0-9A-Fa-f]{2})", "%25", text), safe="/:?#[]@!&'()*+,;=-._~%")


def _rule(line: Line, pages: Set[str]) -> _Rule:
    words = line.text.split()
    words = words[: next((index for index, word in enumerate(words) if word.startswith("#")), len(words))]
    if condition := next((word for word in words[1:] if _CONDITION.match(word)), None):
        raise line.error(f"{shown(condition)} is a condition; allowed: path, where to, status")
    if not 2 <= len(words) <= 3:
        raise line.error(f"{len(words)} words; allowed: path, where to, and perhaps a status, as in /old /new 301")
    source, target, status, forced = words[0], words[1], DEFAULT_STATUS, False
    if words[2:]:
        forced = words[2].endswith("!")
        number = words[2].removesuffix("!")
        if number not in map(str, STATUSES):
            raise line.error(
                f"status {shown(words[2])}; allowed: {', '.join(map(str, STATUSES))}, with ! to go before files"
            )
        status = int(number)
    if source.startswith(("http://", "https://")):
        raise line.error(f"{shown(source)} has a host; allowed: a path; hosts are led by the site's option redirects")
    pattern = Pattern.of(source, line)
    if any("*" in part for part in (*pattern.parts[:-1], "".join(pattern.parts[-1:]).removesuffix("*"))) or (
        source.endswith("*") and pattern.parts[-1] != "*"
    ):
        raise line.error(f"{shown(source)} has a * inside; allowed: one * at the end, after a slash")
    rule = _Rule(line, pattern, target, status, forced)
    _check_target(rule)
    return _with_file(rule, pages)


def _check_target(rule: _Rule) -> None:
    names, target = rule.source.names, rule.target
    local = _LOCAL.match(target)
    if not local and not _HOST.match(target):
        raise rule.line.error(f"leads to {shown(target)}; allowed: a path that begins with /, or http(s)://host/path")
    if not local and rule.status not in REDIRECTS:
        raise rule.line.error(
            f"{rule.status} with {shown(target)}, on another host; allowed: a path of this folder, or one of "
            f"{', '.join(map(str, REDIRECTS))}"
        )
    if unknown := next((name for name in _NAMED.findall(_HOST.sub("", target)) if name not in names), None):
        given = ", ".join(f":{name}" for name in names) or "none here"
        raise rule.line.error(f":{unknown} isn't in the path; allowed: {given}, and %3A for a colon")


def _with_file(rule: _Rule, pages: Set[str]) -> _Rule:
    """Return the rule with the file that is served in place of the address that it gives; refuse one to itself."""
    local = rule.target.startswith("/")
    if not local or _NAMED.search(rule.target):
        return rule
    path = unquote(re.split("[?#]", rule.target)[0])
    found = page(path, pages)
    if rule.status in REDIRECTS:
        if re.match(rule.source.regex(), path, re.DOTALL) and (rule.forced or not found):
            raise rule.line.error(f"leads to {shown(rule.target)}, which is itself led there; lead it elsewhere")
        return rule
    if not found:
        raise rule.line.error(f"{shown(rule.target)} is no file of the folder; add it, or name one that is")
    return _Rule(rule.line, rule.source, quote(found, safe="/"), rule.status, rule.forced)
