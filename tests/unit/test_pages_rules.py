"""``_redirects`` and ``_headers``: each way to get a line wrong, and that no text becomes anything but what it says."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from components.site.pages import headers, redirects, server
from components.site.pages.rules import RuleError
from tests.pages_server import NGINX
from tests.unit.test_settings_errors import problems

PAGES = {"/index.html", "/about.html", "/docs/index.html", "/$.html", "/feed", "/style.css"}
STATUSES = "301, 302, 303, 307, 308, 200, 404"

REDIRECTS = {
    "/a": "1 words; allowed: path, where to, and perhaps a status, as in /old /new 301",
    "/a /about 301 302": "4 words; allowed: path, where to, and perhaps a status, as in /old /new 301",
    "/a /about 418": f'status "418"; allowed: {STATUSES}, with ! to go before files',
    "/a /about 301!!": f'status "301!!"; allowed: {STATUSES}, with ! to go before files',
    "/a /about 302 Country=de,at": '"Country=de,at" is a condition; allowed: path, where to, status',
    "/a id=:id /about 301": '"id=:id" is a condition; allowed: path, where to, status',
    "/a Language=en": '"Language=en" is a condition; allowed: path, where to, status',
    "a /about": '"a" is no path; allowed: a path that begins with /',
    "/a?b=c /about": '"/a?b=c" has a query or a fragment; allowed: a path',
    "/%ff /about": '"/%ff" isn\'t UTF-8 where it is escaped; allowed: a path',
    "/%0a /about": '"/%0a" is no path; allowed: a path that begins with /',
    "https://example.com/* /about": '"https://example.com/*" has a host; allowed: a path; hosts are led by the site\'s '
    "option redirects",
    "/*/a /about": '"/*/a" has a * inside; allowed: one * at the end, after a slash',
    "/a* /about": '"/a*" has a * inside; allowed: one * at the end, after a slash',
    "/** /about": '"/**" has a * inside; allowed: one * at the end, after a slash',
    "/a b": 'leads to "b"; allowed: a path that begins with /, or http(s)://host/path',
    "/a //example.com": 'leads to "//example.com"; allowed: a path that begins with /, or http(s)://host/path',
    "/a /\\example.com": 'leads to "/\\\\example.com"; allowed: a path that begins with /, or http(s)://host/path',
    "/a javascript:alert(1)": 'leads to "javascript:alert(1)"; allowed: a path that begins with /, or '
    "http(s)://host/path",
    "/:a https://:a.example.com/": 'leads to "https://:a.example.com/"; allowed: a path that begins with /, or '
    "http(s)://host/path",
    "/a https://user@example.com/": 'leads to "https://user@example.com/"; allowed: a path that begins with /, or '
    "http(s)://host/path",
    "/a/* https://example.com/:splat 200": '200 with "https://example.com/:splat", on another host; allowed: a path of '
    "this folder, or one of 301, 302, 303, 307, 308",
    "/a/:b /x/:c": ":c isn't in the path; allowed: :b, and %3A for a colon",
    "/a /x/:splat": ":splat isn't in the path; allowed: none here, and %3A for a colon",
    "/a /nowhere 200": '"/nowhere" is no file of the folder; add it, or name one that is',
    "/a /nowhere.html 404": '"/nowhere.html" is no file of the folder; add it, or name one that is',
    "/a /a/ 301": 'leads to "/a/", which is itself led there; lead it elsewhere',
    "/* /x 301": 'leads to "/x", which is itself led there; lead it elsewhere',
    "/* /about 301!": 'leads to "/about", which is itself led there; lead it elsewhere',
    "/a\x01 /about": "has a control character; take it out",
    f"/{'a' * 5000} /about": "comes to 5012 bytes; allowed: 4000",
}

HEADERS = {
    "X-A: b": '"X-A: b" belongs to no path; write one above it, as /*',
    "/*\n X-A": '"X-A" given; allowed: a path, Name: value, or ! Name',
    "/*\n X-A:": '"X-A:" given; allowed: a path, Name: value, or ! Name',
    "/*\n X A: b": '"X A" is no name of a header; allowed: letters, digits, - and _',
    '/*\n X"; } #: b': '"X\\"; } #" is no name of a header; allowed: letters, digits, - and _',
    "/*\n X-A: ä": "the value of X-A has other characters than ASCII; allowed: ASCII",
    "/*\n Content-Length: 5": "Content-Length is said by the server; leave it out",
    "/*\n Basic-Auth: me:secret": "Basic-Auth isn't a header; allowed: the site's option basicAuth",
    "https://example.com/*\n X-A: b": '"https://example.com/*" has a host; allowed: a path',
    "/a?b\n X-A: b": '"/a?b" has a query or a fragment; allowed: a path',
    "/a/:b\n X-A: <:b>": ":b in a value; allowed: a value that is the same for each path",
    "/*\n Content-Type: text": '"text" is no type; allowed: type/subtype, as in application/json',
    "/*\n Content-Type: text/html": 'would give "/$.html" a type; allowed: no pages, and no $ in a name',
    f"/*\n X-A: {'a' * 5000}": "comes to 5002 bytes; allowed: 4000",
}


@pytest.mark.parametrize(("line", "problem"), REDIRECTS.items(), ids=map(repr, range(len(REDIRECTS))))
def test_a_redirect_that_cannot_be_meant(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "_redirects").write_text(f"# first\n\n{line}\n/fine /about 301\n")
    with pytest.raises(RuleError) as raised:
        redirects.compiled(tmp_path / "_redirects", PAGES)
    assert str(raised.value) == f"{tmp_path}/_redirects:3: {problem}"


@pytest.mark.parametrize(("lines", "problem"), HEADERS.items(), ids=map(repr, range(len(HEADERS))))
def test_a_header_that_cannot_be_meant(tmp_path: Path, lines: str, problem: str) -> None:
    (tmp_path / "_headers").write_text(f"# first\n\n{lines}\n/fine\n  X-Fine: yes")
    with pytest.raises(RuleError) as raised:
        headers.compiled(tmp_path / "_headers", PAGES)
    number = 3 if lines.startswith(("X-A", "https:", "/a?")) else 4
    assert str(raised.value) == f"{tmp_path}/_headers:{number}: {problem}"


def test_the_settings_check_names_file_and_line_and_how_many_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").touch()
    (tmp_path / "one" / "_redirects").write_text("/a /b 418\n/a /b 419\n")
    (tmp_path / "two" / "_headers").write_bytes(b"\xff")
    assert problems({"sites": [{"name": "a", "source": "one"}, {"name": "b", "source": "two"}]}) == [
        f'sites[0].source: one/_redirects:1: status "418"; allowed: {STATUSES}, with ! to go before files '
        "(1 more like this)",
        "sites[1].source: two/_headers: isn't in UTF-8; save it as such",
    ]


def test_files_of_rules_that_docker_does_not_see_are_none(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    (tmp_path / "_redirects").write_text("not a rule")
    assert server.arguments(tmp_path, [tmp_path / "index.html"])["REDIRECTS"].count("default") == 2


def test_too_many_rules_for_an_argument_are_refused(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    (tmp_path / "_redirects").write_text("".join(f"/old/{number} /new/{number} 301\n" for number in range(3000)))
    with pytest.raises(RuleError, match=r"_redirects: comes to \d+ bytes; allowed: 120000; take some rules together"):
        server.arguments(tmp_path, [tmp_path / "index.html", tmp_path / "_redirects"])


def test_as_many_rules_as_others_take_are_taken(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    (tmp_path / "_redirects").write_text("".join(f"/old/{number} /new/{number} 301\n" for number in range(1500)))
    assert "/new/1499" in server.arguments(tmp_path, [tmp_path / "index.html", tmp_path / "_redirects"])["REDIRECTS"]


NASTY = st.text(
    st.one_of(st.sampled_from("/:*!#?%$\"'\\;{}<>=& \t~^()[]|._-\n\rab01é"), st.characters(codec="utf-8")), max_size=30
)
PATHS = NASTY.map(lambda text: f"/{text}")
RULES = st.lists(
    st.one_of(
        NASTY,
        st.builds("{} {} {}".format, PATHS, st.one_of(PATHS, NASTY.map("https://example.com/{}".format)),
                  st.sampled_from(["", "301", "302!", "200", "404", "200!"])),
    ), max_size=4,
).map("\n".join)  # fmt: skip
SAID = st.lists(
    st.one_of(NASTY, PATHS, NASTY.map("  X-Said: {}".format), NASTY.map("  Content-Type: a/b;{}".format)), max_size=6
).map("\n".join)

TEMPLATE = """
error_log stderr; pid {folder}/pid; events {{}}
http {{
    geo $dollar {{ default "$"; }}
    map $uri $asked {{ default $uri; }}
    map $request_uri $path {{ default $request_uri; }}
    map $uri $tree {{ default //plain; }}
    include redirects.conf;
    include headers.conf;
    server {{ listen 127.0.0.1:1; include locations.conf; }}
}}
"""
WORD = r'"(?:\\["\\]|[^"\\$\n]|\$\{(?:dollar|part_\d+|header_\d+_\d+_and)\}|\$(?:is_args\$args|target_\d+))*"'
"""Of which nothing ends it, and the only variables are ours."""
KEY = r'"~\(\?s\)(?:\\["\\]|[^"\\\n])*"'
STATEMENT = re.compile(
    rf'(?:map (?:\$\w+|"") \$\w+ \{{|\}}|    default (?:{WORD}|\$\w+);|    (?:{KEY}|{WORD}) {WORD};'
    rf'|map \$\w+ \$\w+_and \{{|    default "\$header_\d+_\d+, ";|add_header {WORD} (?:{WORD}|\$\w+) always;'
    rf"|location = {WORD} \{{|    types \{{\}}|    default_type {WORD};|    try_files \$tree\$uri //plain\$uri =404;)"
)
"""What the compiler writes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rules")


@given(rules=RULES, said=SAID)
@example(rules='/a /b"; } server { listen 1; } # 301', said='/*\n X-Said: "; } } \\')
@example(rules="/$uri /${uri}/$1 301\n/* /$ 200", said="/$uri\n X-Said: $uri ${uri} $\n! X-Said")
@example(rules="/a\\ /b\\ 301\n/:x/* /\\\\:x\\:splat 307", said="/a\\\n X-Said: \\\n/*\n X-Said: \\\\")
@example(rules="/a\r\n/b /c\rX: 301", said="/*\r\n X-Said: a\rX-Other: b")
@example(rules="", said="/:a/*\n X-Said: a\n/b\n X-Said: b\n! X-Said\n X-Said: c\n/feed\n Content-Type: a/b;$\"'\\;}{")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_written_nginx_takes_and_nothing_else_comes_of_it(folder: Path, rules: str, said: str) -> None:
    found = {}
    for name, text in (("_redirects", rules), ("_headers", said)):
        (folder / name).write_bytes(text.encode())
    try:
        found["redirects.conf"] = redirects.compiled(folder / "_redirects", PAGES)
    except RuleError as error:
        assert "\n" not in str(error), "one line"
    try:
        compiled = headers.compiled(folder / "_headers", PAGES - {"/$.html"})
        found |= {"headers.conf": compiled.http, "locations.conf": compiled.server}
    except RuleError as error:
        assert "\n" not in str(error), "one line"
    for name in ("redirects.conf", "headers.conf", "locations.conf"):
        text = found.get(name, "")
        assert [line for line in text.splitlines() if line and not STATEMENT.fullmatch(line)] == []
        (folder / name).write_bytes(text.encode())
    (folder / "nginx.conf").write_text(TEMPLATE.format(folder=folder))
    done = subprocess.run(
        [NGINX, "-t", "-q", "-e", "stderr", "-c", folder / "nginx.conf"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    given_names = {"X-Said", *headers.DEFAULTS}
    assert set(re.findall(r'^add_header "([^"]*)"', found.get("headers.conf", ""), re.MULTILINE)) <= (
        given_names | set(re.findall(r"[A-Za-z0-9_-]+", said))
    )
