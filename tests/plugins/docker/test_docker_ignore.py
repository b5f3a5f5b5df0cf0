"""``.dockerignore`` as ``docker build`` has it: the same files in the image, by the command and by the plugin."""

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import docker
import pytest

from components.site.build_context import content_hash, files
from embedded.plugins.docker.context import BuildContext
from embedded.plugins.docker.dockerignore import DockerignoreError, ignore_file, left
from embedded.plugins.shared.errors import PluginError
from tests.docker_engines import running_engine

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a Docker Engine needs root"),
    pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker command"),
]

FILES = (
    b".env", b"sub/.env", b"sub/deep/.env.local", b"server.key", b"keys/server.key", b"keys/old.KEY", b"dir.key/x",
    b"drafts/one.txt", b"Drafts/two.txt", b"a/b/c/include.txt", b"a/b/c/other.txt", b"a/b/include.txt", b"a/top.txt",
    b"b/c", b"c/c/c", b"abc", b"bcd", b"star*name", b"*", b"\\*", b" #x", b"#x", b"x y.txt", b"[x]", b"!kept",
    b"back\\slash", "caf\xe9.html".encode(), b"caf\xe9.html", b"README.md", b"README-secret.md", b"notes.md",
    b"docs/README.md", b"docs/deep/notes.md", b"a.b+c(d)|{e}$", b"^caret", b"7", b"\xef\xbb\xbfbom.txt", b"bom.txt",
    b"a-b", b"]x", b"x]",
)  # fmt: skip

PATTERNS = (
    b"", b"\n\n# all\n#.env\n", b"**.key", b"*.key", b"**/*.key", b"/**/*.key", b"**key", b"keys/**", b"keys/**.key",
    b"drafts", b"Drafts", b"DRAFTS/", b"drafts/*", b"[Dd]rafts", b"[^a]*", b"[^a]bc", b"[!a]bc", b"[a-c]*", b"[a-cx]*",
    b"a[^x]b", b"\\*", b"star\\*name", b"\\**", b"\\[x\\]", b"[[]x]", b"\\!kept", b"!kept", b"*\n!!kept", b" #x",
    b"#x", b"\\#x", b"\t .env \t", b"**/c\n!a/b/c/include.txt", b"**/c\n!a/b/c",
    b"a\n!a/b/include.txt\na/b/include.txt", b"a/b\n!a/b/c\na/b/c/other.txt", b"**\n!a/b/**", b"**\n!**/README.md",
    b"*\n!**/*.md", b"*\n!docs\ndocs/deep", b"*.md\n!README*.md\nREADME-secret.md",
    b"*.md\nREADME-secret.md\n!README*.md", b"docs/**/*.md", b"**/docs/**", b"**/.env*", b"**/.*", b".*", b"sub/.*",
    b"\xef\xbb\xbf.env", b"\xef\xbb\xbf#.env\n.env", b".env\n\xef\xbb\xbfbom.txt", b".env\r\nserver.key\r\n",
    b"./a/../b", b"a/./b//c/", b"../a", b".", b"/", b"/a/top.txt", b"//a", b"*/*/*", b"*/*", b"?", b"???", b"**/?",
    b"a/**/c", b"a/**/include.txt", b"a**", b"**c", b"**a**", b"**/**", b"a.b+c(d)|{e}$", b"^caret", b"[\\^]caret",
    b"\\d", b"\\x20", "caf\xe9.html".encode(), b"caf\xe9.html", b"caf?.html", b"*\xe9*", b"x\\ y.txt", b"x y.txt",
    b"back\\\\slash", b"[\\\\]*", b"a[*]c", b"[*]", b"a[-]b", b"a[.--]b", b"]x", b"x]", b"x[]]", b"[", b"[z-a]*",
    b"[[:alpha:]]*", b"[[:digit:][:upper:]]*", b"[[:letter:]]",
    b"[a-]", b"end\\", b"\\y", b"!", b"a\n!", b"Dockerfile", b".dockerignore", b"*", b"**",
    b"Dockerfile\n.dockerignore", b"*\n!abc", b"Docker*\n!Dockerfile", b"a b", b"\xc2\xa0abc\xc2\xa0", b"\x0babc\x0c",
    b"abc\x1c", b"abc\x85bcd", b"/!abc\n*", b"a|b*", b"[a]{2}c", b"x{,3}*", b"*[{]e}*",
    b"\xef\xbb\xbf**", b"/ .env", "abc\u2028bcd".encode(), b"empty", b"link", b"folder-link",
    b"folder-link/top.txt", b"*-link",
)  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a Docker Engine of the tests' own listens."""
    with running_engine(tmp_path_factory.mktemp("engine")) as address:
        yield address


@pytest.fixture(scope="module")
def engine(address: str) -> Iterator[docker.DockerClient]:
    with closing(docker.DockerClient(address)) as client:
        yield client


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the patterns are about."""
    folder = tmp_path_factory.mktemp("tree")
    for name in FILES:
        path = folder / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(name)
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("abc")
    (folder / "folder-link").symlink_to("a")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /context/\n")
    return folder


def names(image: str, engine: docker.DockerClient) -> set[str]:
    """What an image has in its folder ``context``."""
    container = engine.containers.create(image, ["none"])
    content = io.BytesIO(b"".join(cast(Iterator[bytes], container.export())))
    container.remove()
    with tarfile.open(fileobj=content, encoding="utf-8", errors="surrogateescape") as tar:
        return {member.name.removeprefix("context/") for member in tar if member.name.startswith("context/")}


def built_by_the_command(folder: Path, engine: docker.DockerClient, address: str) -> set[str] | None:
    """What ``docker build`` puts into an image; None where it refuses the patterns."""
    image = f"ignore-{uuid.uuid4().hex}"
    done = subprocess.run(
        ["docker", "build", "--quiet", "--tag", image, str(folder)],
        env={"PATH": os.environ["PATH"], "DOCKER_HOST": address, "DOCKER_BUILDKIT": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        assert "syntax error in pattern" in done.stderr or "illegal exclusion pattern" in done.stderr, done.stderr
        return None
    found = names(image, engine)
    engine.images.remove(image)
    return found


def built_by_the_plugin(folder: Path, engine: docker.DockerClient) -> set[str] | None:
    """What the archive of the plugin's context makes of it; None where it refuses the patterns."""
    image = f"ignore-{uuid.uuid4().hex}"
    with tempfile.TemporaryFile() as archive:
        try:
            dockerfile = BuildContext(folder, folder / "Dockerfile").write(archive)
        except PluginError as error:
            assert str(error).startswith("build.context: line ")
            return None
        archive.seek(0)
        engine.images.build(fileobj=archive, custom_context=True, dockerfile=dockerfile, tag=image, rm=True)
    found = names(image, engine)
    engine.images.remove(image)
    return found


def seen(folder: Path) -> set[str] | None:
    """What the program's own checks see, with the folders that this is in; None where they refuse the patterns."""
    try:
        found = left(folder, ignore_file(folder, folder / "Dockerfile"))
        listed = {path.relative_to(folder).as_posix() for path in files(folder, folder / "Dockerfile")}
        assert len(content_hash(folder, folder / "Dockerfile")) == 64
    except DockerignoreError:
        return None
    assert listed == {name for name in found if (folder / name).is_symlink() or (folder / name).is_file()}
    return {each.as_posix() for name in found for each in (Path(name), *Path(name).parents)} - {"."}


@pytest.mark.parametrize("patterns", PATTERNS, ids=ascii)
def test_the_same_files_are_in_the_image(
    patterns: bytes, tree: Path, engine: docker.DockerClient, address: str
) -> None:
    (tree / ".dockerignore").write_bytes(patterns)
    expected = built_by_the_command(tree, engine, address)
    assert built_by_the_plugin(tree, engine) == expected
    assert seen(tree) == expected
