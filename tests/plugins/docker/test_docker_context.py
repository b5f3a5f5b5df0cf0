"""The digest of a build context, and the archive."""

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.plugins.docker import context
from embedded.plugins.docker.context import BuildContext
from embedded.plugins.shared.errors import PluginError
from tests.privileges import anybody

NAMES = st.text("abcé. -", min_size=1, max_size=6).filter(lambda name: name.strip(".") and name == name.strip())
TREES = st.dictionaries(
    st.builds(
        lambda folders, name: "/".join([*(f"d{each}" for each in folders), name]), st.lists(NAMES, max_size=1), NAMES
    ),
    st.tuples(st.binary(max_size=8), st.booleans()),
    max_size=5,
)
Tree = dict[str, tuple[bytes, bool]]


def make(folder: Path, tree: Tree) -> BuildContext:
    """A context with these files; each has its content, and whether it is executable."""
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch")
    for name, (content, executable) in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if executable else 0o644)
    return BuildContext(folder, folder / "Dockerfile")


def archive(build: BuildContext) -> dict[str, tuple[int, int, int, bytes]]:
    """Mode, owner and content of each file in the archive."""
    with tempfile.TemporaryFile() as file:
        build.write(file)
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            sources = ((member, tar.extractfile(member) if member.isreg() else None) for member in tar)
            return {
                member.name: (member.mode, member.uid, member.gid, source.read() if source else b"")
                for member, source in sources
            }


@given(TREES, st.integers(0, 0o77), st.integers(0, 2**31))
def test_the_digest_ignores_place_time_owner_and_umask(tree: Tree, umask: int, time: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        first, second = make(Path(directory, "a"), tree), make(Path(directory, "b/c"), tree)
        for path in (second.folder, *second.folder.rglob("*")):
            path.chmod(path.stat().st_mode & ~umask)
            if os.geteuid() == 0:
                os.chown(path, 1234, 4321)
            os.utime(path, (time, time))
        assert first.digest() == second.digest()
        assert archive(first) == archive(second)


@given(TREES, TREES)
def test_equal_digests_are_equal_archives(one: Tree, other: Tree) -> None:
    with tempfile.TemporaryDirectory() as directory:
        first, second = make(Path(directory, "a"), one), make(Path(directory, "b"), other)
        assert (first.digest() == second.digest()) == (archive(first) == archive(second))


def test_docker_s_own_ignore_file_is_honoured(tmp_path: Path) -> None:
    tree = {"keep.txt": (b"", False), "drop.log": (b"", False), "deep/x/drop.log": (b"", False), "deep/y": (b"", False)}
    build = make(tmp_path / "site", tree)
    (build.folder / ".dockerignore").write_text("# logs\n**/*.log\ndeep\n!deep/y\nDockerfile\n")
    before = build.digest()
    found = archive(build)
    assert set(found) == {".dockerignore", "Dockerfile", "keep.txt", "deep/y"}
    assert found[".dockerignore"][3] == (build.folder / ".dockerignore").read_bytes()
    (build.folder / "drop.log").write_text("changed")
    assert build.digest() == before


def test_an_ignore_file_that_names_itself_is_not_sent(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {"a": (b"", False)})
    (build.folder / ".dockerignore").write_text("**/.*\nb\n")
    before = build.digest()
    assert set(archive(build)) == {"Dockerfile", "a"}
    (build.folder / ".dockerignore").write_text("**/.*\nc\n")
    assert build.digest() == before


def test_a_dockerfile_that_is_ignored_as_well_is_sent_along_but_ignored(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {"a": (b"", False)})
    (build.folder / ".dockerignore").write_text("*\n!a\n")
    before = build.digest()
    found = archive(build)
    assert set(found) == {".dockerignore", "Dockerfile", "a"}
    assert found[".dockerignore"][3].split() == [b"Dockerfile", b".dockerignore"]
    build.dockerfile.write_text("FROM scratch AS changed")
    assert build.digest() != before


def test_a_pattern_that_docker_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = make(tmp_path / "site", {})
    (build.folder / ".dockerignore").write_text("[b\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PluginError, match=r"^build\.context: line 1 of site/\.dockerignore is no pattern that Docker"):
        BuildContext(Path("site"), Path("site/Dockerfile")).digest()


def test_a_link_is_kept_as_a_link(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {"a": (b"1", False)})
    (build.folder / "link").symlink_to("a")
    before = build.digest()
    (build.folder / "link").unlink()
    (build.folder / "link").symlink_to("b")
    assert build.digest() != before


def test_an_empty_folder_counts(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {})
    before = build.digest()
    (build.folder / "empty").mkdir()
    assert build.digest() != before


def test_a_socket_is_left_out(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {})
    before = build.digest()
    os.mkfifo(build.folder / "pipe")
    assert build.digest() == before
    assert "pipe" not in archive(build)


def test_another_dockerfile_is_another_digest(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {})
    shutil.copy(build.dockerfile, build.folder / "Other")
    assert BuildContext(build.folder, build.folder / "Other").digest() != build.digest()


def test_a_dockerfile_from_outside_is_sent_along_but_ignored(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {"a": (b"", False)})
    (build.folder / ".dockerignore").write_text("b\n")
    stock = tmp_path / "stock"
    stock.write_text("FROM scratch")
    found = archive(BuildContext(build.folder, stock))
    assert found[".dockerfile.outside"][3] == b"FROM scratch"
    assert found[".dockerignore"][3].split() == [b".dockerfile.outside", b".dockerignore"]


def test_a_dockerfile_that_is_a_link_out_of_the_context_is_sent_along(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {"a": (b"", False)})
    (tmp_path / "shared").write_text("FROM scratch AS shared")
    build.dockerfile.unlink()
    build.dockerfile.symlink_to(tmp_path / "shared")
    assert archive(build)[".dockerfile.outside"][3] == b"FROM scratch AS shared"
    before = build.digest()
    (tmp_path / "shared").write_text("FROM scratch AS changed")
    assert build.digest() != before


def test_names_and_patterns_need_not_be_utf_8(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {})
    before = build.digest()
    name = os.fsdecode(b"caf\xe9.html")
    (build.folder / name).write_text("one")
    (build.folder / "link").symlink_to(name)
    assert build.digest() != before
    assert archive(build)[name][3] == b"one"
    (build.folder / ".dockerignore").write_bytes(b"\xef\xbb\xbfcaf\xe9.html\nlink\n")
    assert set(archive(build)) == {".dockerignore", "Dockerfile"}


def test_links_are_not_followed_round_and_round(tmp_path: Path) -> None:
    build = make(tmp_path / "site", {})
    (build.folder / "round").symlink_to(".")
    (build.folder / "self").symlink_to("self")
    assert set(archive(build)) == {"Dockerfile", "round", "self"}
    assert len(build.digest()) == 64


@pytest.mark.parametrize("name", ["page.html", "private", ".dockerignore"])
def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    build = make(tmp_path / "project" / "site", {})
    path = build.folder / name
    path.mkdir() if name == "private" else path.touch()
    path.chmod(0)
    monkeypatch.chdir(tmp_path / "project")
    with anybody(), pytest.raises(PluginError) as caught:
        BuildContext(Path("site"), Path("site/Dockerfile")).digest()
    assert str(caught.value) == (
        f"build.context: site/{name} can't be read: Permission denied; make it readable, or list it in .dockerignore"
    )


def test_too_much_names_the_largest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "MAX_BYTES", 2 << 20)
    build = make(tmp_path / "site", {"big": (b"x" * (3 << 20), False), "small": (b"", False)})
    with pytest.raises(PluginError, match=r"holds 3 MiB, more than 2 MiB; .*\(largest: big 3 MiB, "):
        build.digest()
