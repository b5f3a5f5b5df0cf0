"""The hash of a build context: the same for the same content, and for nothing else."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.site.build_context import content_hash, dockerfile_of, files
from components.site.dockerignore import DockerignoreError
from components.site.pages import server as pages
from tests.privileges import anybody

NAMES = st.text("abc.*-", min_size=1, max_size=4).filter(lambda name: name.strip(".") and name != "Dockerfile")
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), st.binary(max_size=8), max_size=6)


def folder(path: Path, content: dict[str, str]) -> Path:
    for name, text in {"Dockerfile": "FROM scratch\n", **content}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def digest(path: Path) -> str:
    return content_hash(path, path / "Dockerfile")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return folder(tmp_path / "site", {"index.html": "hello", "css/style.css": "a {}", "run.sh": "#!/bin/sh"})


def test_it_is_64_hexadecimal_digits(site: Path) -> None:
    assert len(bytes.fromhex(digest(site))) == 32


def test_times_owners_modes_and_the_place_do_not_count(site: Path, tmp_path: Path) -> None:
    before = digest(site)
    moved = tmp_path / "elsewhere" / "deep"
    shutil.copytree(site, moved)
    for path in [moved, *moved.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1, 1))
        if os.geteuid() == 0:
            os.chown(path, 12345, 54321)
    assert digest(moved) == before


def test_it_is_the_same_by_a_relative_path(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(site)
    monkeypatch.chdir(site.parent)
    assert digest(Path("site")) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda site: (site / "index.html").write_text("Hello"),
        lambda site: (site / "index.html").rename(site / "home.html"),
        lambda site: (site / "index.html").unlink(),
        lambda site: (site / "new.html").touch(),
        lambda site: (site / "run.sh").chmod(0o755),
        lambda site: (site / "link").symlink_to("index.html"),
        lambda site: (site / "Dockerfile").write_text("FROM caddy\n"),
        lambda site: (site / ".dockerignore").write_text("*.css\n"),
        lambda site: (site / "css").rename(site / "styles"),
    ],
)
def test_what_is_in_the_folder_counts(site: Path, change: object) -> None:
    before = digest(site)
    change(site)  # type: ignore[operator]
    assert digest(site) != before


def test_the_target_of_a_link_counts_and_not_what_is_there(site: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("1")
    (site / "link").symlink_to(outside)
    before = digest(site)
    outside.write_text("2")
    assert digest(site) == before
    (site / "link").unlink()
    (site / "link").symlink_to("index.html")
    assert digest(site) != before


def test_content_can_not_pass_for_a_name(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"a": "bc"})
    two = folder(tmp_path / "two", {"ab": "c"})
    assert digest(one) != digest(two)


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("", {"a.md", "b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("# a comment\n\n", {"a.md", "b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("*.md", {"b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("**/*.md", {"b.txt"}),
        ("/docs", {"a.md", "b.txt", "keep/a.md"}),
        ("docs/", {"a.md", "b.txt", "keep/a.md"}),
        ("docs/*.md", {"a.md", "b.txt", "docs/deep/c.md", "keep/a.md"}),
        ("*/a.md", {"a.md", "b.txt", "docs/deep/c.md"}),
        ("docs/**", {"a.md", "b.txt", "keep/a.md"}),
        ("?.txt", {"a.md", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("[ab].*", {"docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("[^b].*", {"b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("**\n!keep/a.md", {"keep/a.md"}),
        ("*.md\n!a.md", {"a.md", "b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("!a.md\n*.md", {"b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("./docs/../b.txt", {"a.md", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("  b.txt  ", {"a.md", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("*.MD", {"a.md", "b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("**.md", {"b.txt"}),
        (" # no comment, as it doesn't begin the line", {"a.md", "b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
        ("**/deep\n!docs/deep/c.md", {"a.md", "b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"}),
    ],
)
def test_dockerignore(tmp_path: Path, patterns: str, left: set[str]) -> None:
    content = dict.fromkeys(("a.md", "b.txt", "docs/a.md", "docs/deep/c.md", "keep/a.md"), "")
    site = folder(tmp_path, {**content, ".dockerignore": patterns})
    found = {path.relative_to(site).as_posix() for path in files(site, site / "Dockerfile")}
    assert found - {".dockerignore", "Dockerfile"} == left


@pytest.mark.parametrize("pattern", ["[broken", "[z-a].md", "ends in\\", "[]a]", "[a-]", "\\y", "[[:letter:]].md"])
def test_a_line_that_docker_refuses_is_named(tmp_path: Path, pattern: str) -> None:
    site = folder(tmp_path, {"a.md": "", ".dockerignore": f"# first\n{pattern}\n"})
    with pytest.raises(DockerignoreError) as caught:
        files(site, site / "Dockerfile")
    assert str(caught.value) == (
        f"line 2 of {site}/.dockerignore is no pattern that Docker takes: {pattern}; "
        "write \\[ and \\\\ for a bracket and a backslash as such"
    )


@pytest.mark.parametrize("line", ["!", "  ! ", "!/"])
def test_a_lone_exclamation_mark_is_named(tmp_path: Path, line: str) -> None:
    site = folder(tmp_path, {".dockerignore": line})
    with pytest.raises(DockerignoreError, match=r"^line 1 of .* is a lone exclamation mark; write what is to be kept"):
        files(site, site / "Dockerfile")


def test_an_ignore_file_that_is_none_is_named(site: Path) -> None:
    os.mkfifo(site / ".dockerignore")
    with pytest.raises(DockerignoreError, match=r"/\.dockerignore is no file; remove it, or make it one$"):
        files(site, site / "Dockerfile")


def test_a_dockerfile_s_own_ignore_file_comes_first(site: Path) -> None:
    """As documented: https://docs.docker.com/build/concepts/context/#filename-and-location."""
    (site / ".dockerignore").write_text("*.html\n")
    (site / "Dockerfile.dockerignore").write_text("*.sh\n")
    found = {path.name for path in files(site, site / "Dockerfile")}
    assert "index.html" in found
    assert "run.sh" not in found


def test_what_is_ignored_is_not_looked_into(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless an exception begins with it."""
    monkeypatch.chdir(site)
    site = Path()
    (site / "private").mkdir()
    (site / "private" / "note").touch()
    (site / ".dockerignore").write_text("private\n!index.html\n")
    before = digest(site)
    (site / "private").chmod(0)
    with anybody():
        assert digest(site) == before
    (site / ".dockerignore").write_text("private\n!private/note\n")
    with anybody(), pytest.raises(PermissionError):
        digest(site)


def test_ignored_files_do_not_count(site: Path) -> None:
    (site / ".dockerignore").write_text("notes\n")
    before = digest(site)
    (site / "notes").write_text("changes every day")
    assert digest(site) == before


def test_pipes_and_odd_names_are_no_trouble(site: Path) -> None:
    before = digest(site)
    os.mkfifo(site / "pipe")
    assert digest(site) == before
    (site / os.fsdecode(b"\xff")).touch()
    assert digest(site) != before
    (site / ".dockerignore").write_bytes(b"\xff\n.dockerignore\n")
    assert digest(site) == before


def test_an_ignored_dockerfile_counts(site: Path) -> None:
    (site / ".dockerignore").write_text("Dockerfile\n")
    before = digest(site)
    (site / "Dockerfile").write_text("FROM caddy\n")
    assert digest(site) != before


def test_a_folder_without_dockerfile_takes_that_of_pages(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    assert dockerfile_of(tmp_path) == pages.DOCKERFILE
    assert pages.DOCKERFILE.is_file()
    (tmp_path / "Dockerfile").touch()
    assert dockerfile_of(tmp_path) == tmp_path / "Dockerfile"


def test_the_arguments_of_the_build_count(site: Path) -> None:
    hashes = [content_hash(site, site / "Dockerfile", given) for given in (None, {"A": "1"}, {"A": "2"}, {"A1": ""})]
    assert len(set(hashes)) == 4


@given(TREES, TREES)
@settings(deadline=None, max_examples=60)
def test_two_folders_have_the_same_hash_only_if_they_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, one: dict[tuple[str, ...], bytes], two: dict[tuple[str, ...], bytes]
) -> None:
    hashes = []
    trees = []
    for tree in (one, two):
        root = tmp_path_factory.mktemp("tree")
        written = {}
        for parts, content in tree.items():
            path = root.joinpath(*parts)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                continue
            written[parts] = content
        hashes.append(content_hash(root, pages.DOCKERFILE))
        trees.append(written)
    assert (hashes[0] == hashes[1]) == (trees[0] == trees[1])
