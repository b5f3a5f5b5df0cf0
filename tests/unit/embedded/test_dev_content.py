"""What is put into the pod of a site that is edited: as much as has changed, as the server of pages has it."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import IO

import pytest

from embedded.commands.dev import content
from embedded.commands.dev.content import SCRIPT_SOURCE, Change, Folder, Pages
from settings import edited
from settings.edited import EditError, permitting


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    write("index.html", "<p>one")
    return tmp_path / "site"


def write(name: str, text: str) -> None:
    path = Path("site", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def unpacked(archive: IO[bytes]) -> dict[str, str]:
    with tarfile.open(fileobj=archive) as tar:
        return {
            each.name: f"-> {each.linkname}" if each.issym() else text(tar.extractfile(each))
            for each in tar.getmembers()
        }


def text(file: IO[bytes] | None) -> str:
    assert file is not None
    return file.read().decode()


def changed(pages: Pages) -> Change:
    change = pages.change()
    assert change is not None
    return change


def test_first_comes_all_of_it_and_then_what_has_changed(folder: Path) -> None:
    write("assets/style.css", "p {}")
    pages = Pages("site")
    first = changed(pages)
    assert (sorted(first.names), first.gone, first.configured) == (["assets/style.css", "index.html"], [], True)
    there = unpacked(first.archive)
    assert there["srv/plain/assets/style.css"] == "p {}"
    assert sorted(name for name in there if name.startswith("etc/")) == [
        f"etc/{name}.conf"
        for name in ("headers", "immutable", "listen-ipv6", "locations", "nginx", "redirects", "release")
    ]
    assert pages.change() is None

    write("assets/style.css", "p { color: red }")
    second = changed(pages)
    assert (second.names, second.gone, second.configured) == (["assets/style.css"], [], False)
    assert unpacked(second.archive) == {"srv/plain/assets/style.css": "p { color: red }"}


def test_a_file_that_says_the_same_is_no_change(folder: Path) -> None:
    pages = Pages("site")
    changed(pages)
    os.utime(folder / "index.html", (1, 1))
    assert pages.change() is None


def test_another_pod_is_given_all_of_it(folder: Path) -> None:
    pages = Pages("site")
    whole = unpacked(changed(pages).archive)
    pages.forget()
    assert unpacked(changed(pages).archive) == whole


def test_pages_have_the_script_at_their_end_and_nothing_else_has_it(folder: Path) -> None:
    write("page.HTM", "<p>")
    write("data.json", "{}")
    there = unpacked(changed(Pages("site")).archive)
    assert there["srv/plain/index.html"].startswith("<p>one<script>")
    assert "/.dev/state.json" in there["srv/plain/index.html"]
    assert "<script>" in there["srv/plain/page.HTM"]
    assert there["srv/plain/data.json"] == "{}"


def test_what_is_removed_goes_and_a_folder_makes_way_for_a_file(folder: Path) -> None:
    write("about/index.html", "")
    write("old.css", "")
    pages = Pages("site")
    changed(pages)
    (folder / "old.css").unlink()
    (folder / "about" / "index.html").unlink()
    (folder / "about").rmdir()
    write("about", "a file now")
    change = changed(pages)
    assert change.gone == ["about/index.html", "old.css", "about"]
    assert unpacked(change.archive) == {"srv/plain/about": "a file now"}


def test_what_the_image_would_lack_is_left_out(folder: Path) -> None:
    write(".dockerignore", "drafts\n")
    write("drafts/one.html", "")
    write("_headers", "/*\n  X-Mine: yes\n")
    write(".well-known/security.txt", "Contact: x")
    (folder / "link.html").symlink_to("index.html")
    there = unpacked(changed(Pages("site")).archive)
    assert sorted(name for name in there if name.startswith("srv/")) == [
        "srv/plain/.well-known/security.txt",
        "srv/plain/index.html",
        "srv/plain/link.html",
    ]
    assert there["srv/plain/link.html"] == "-> index.html"
    assert "X-Mine" in there["etc/headers.conf"]


def test_etags_tell_the_content_as_in_the_image(folder: Path) -> None:
    archive = changed(Pages("site")).archive
    with tarfile.open(fileobj=archive) as tar:
        # sha256sum of "<p>one"
        assert tar.getmember("srv/plain/index.html").mtime == 0x6CDD062


def test_a_rule_that_changes_has_the_server_read_its_configuration(folder: Path) -> None:
    pages = Pages("site")
    changed(pages)
    write("_redirects", "/old / 301\n")
    change = changed(pages)
    assert (change.names, change.configured) == (["_redirects, _headers"], True)
    assert "301 /" in unpacked(change.archive)["etc/redirects.conf"]


def test_a_mistake_is_told_with_its_line_and_what_comes_after_it_isnt_lost(folder: Path) -> None:
    pages = Pages("site")
    changed(pages)
    write("index.html", "<p>two")
    write("_redirects", "/x y z w v\n")
    with pytest.raises(EditError) as refused:
        pages.change()
    assert str(refused.value) == (
        "site/_redirects:1: 5 words; allowed: path, where to, and perhaps a status, as in /old /new 301"
    )
    (folder / "_redirects").unlink()
    assert changed(pages).names == ["index.html"]


def test_a_folder_that_cant_be_deployed_is_refused_in_the_same_words(folder: Path) -> None:
    (folder / "index.html").unlink()
    with pytest.raises(EditError) as refused:
        Pages("site").change()
    assert str(refused.value) == '"site" has neither index.html nor Dockerfile; add one of them'


def test_changes_are_seen_at_once_and_no_rule_goes_before_what_the_script_asks_for(folder: Path) -> None:
    write("_redirects", "/* /index.html 200!\n")
    configuration = edited.pages("site", SCRIPT_SOURCE).configuration
    assert "\topen_file_cache off;\n" in configuration["nginx.conf"]
    assert "max=" not in configuration["nginx.conf"]
    assert 'map $asked $forced {\n    default "";\n    "~^/\\.dev/" "";\n' in configuration["redirects.conf"]
    assert "location ^~ /.dev/ {\n    alias /srv/dev/public/;\n" in configuration["locations.conf"]
    assert configuration["release.conf"] == 'add_header X-Release "dev" always;'


@pytest.mark.parametrize(
    ("policy", "permitted"),
    [
        ("default-src 'none'", "default-src 'none'; script-src-elem 'sha256-x'; connect-src 'self'"),
        ("default-src 'self'", "default-src 'self'; script-src-elem 'self' 'sha256-x'"),
        ("script-src 'nonce-a' 'unsafe-inline'", "script-src 'nonce-a' 'unsafe-inline'; "
         "script-src-elem 'nonce-a' 'unsafe-inline' 'sha256-x'"),
        ("script-src-elem a.example; img-src *", "img-src *; script-src-elem a.example 'sha256-x'"),
        # A hash would forbid what it lets.
        ("script-src 'unsafe-inline'; connect-src *", "script-src 'unsafe-inline'; connect-src *"),
        ("frame-ancestors 'none'", "frame-ancestors 'none'"),
        ("img-src *, default-src 'none'",
         "img-src *, default-src 'none'; script-src-elem 'sha256-x'; connect-src 'self'"),
    ],
)  # fmt: skip
def test_a_content_security_policy_lets_the_script_run_and_no_other(policy: str, permitted: str) -> None:
    assert permitting(policy, "'sha256-x'") == permitted


def test_the_policy_in_headers_is_that_of_the_answers(folder: Path) -> None:
    write("_headers", "/*\n  content-security-policy: default-src 'none'\n  X-Other: default-src 'none'\n")
    said = edited.pages("site", SCRIPT_SOURCE).configuration["headers.conf"]
    assert f"default-src 'none'; script-src-elem {SCRIPT_SOURCE}; connect-src 'self'" in said
    assert '"X-Other" "default-src \'none\'"' in said


def test_a_save_is_seen_by_what_is_left_of_the_folder(folder: Path) -> None:
    write(".dockerignore", "drafts\n.dockerignore\n")
    looked = Folder("site")
    assert looked.changed()[0] == [".dockerignore", "index.html"]
    assert looked.changed() == ([], 0)
    write("drafts/one.html", "")
    assert looked.changed() == ([], 0)
    write(".dockerignore", "drafts\n.dockerignore\n*.txt\n")
    write("index.html", "<p>two")
    names, saved = looked.changed()
    assert names == [".dockerignore", "index.html"]
    assert saved == pytest.approx((folder / "index.html").stat().st_ctime, abs=1)
    (folder / "index.html").unlink()
    assert looked.changed() == (["index.html"], 0)


def test_the_script_is_told_the_version_and_the_error() -> None:
    there = unpacked(content.state("7", "no such file"))
    assert json.loads(there["srv/dev/public/state.json"]) == {"version": "7", "error": "no such file"}
