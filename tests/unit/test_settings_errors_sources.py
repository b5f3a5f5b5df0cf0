"""The line for everything that the folder of a site may not be."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from components.site import source as site_source
from tests.privileges import anybody
from tests.unit.test_settings import load
from tests.unit.test_settings_errors import problems

ALLOWED = "a folder inside the project, relative to it, with an index.html or a Dockerfile in it"

Build = Callable[[Path], object]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a folder ``site`` that can be built, and a folder ``pages`` that has just pages."""
    folder = tmp_path / "project"
    (folder / "site").mkdir(parents=True)
    (folder / "site" / "Dockerfile").write_text("FROM scratch\n")
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text("hello")
    monkeypatch.chdir(folder)
    return folder


def nothing(project: Path) -> None:
    """The project is as it is."""


def linked(name: str, target: str) -> Build:
    return lambda project: (project / name).symlink_to(target)


def hidden(project: Path) -> None:
    (project / "pages" / ".git").mkdir()
    (project / "pages" / ".git" / "config").touch()


def pipe_for_a_page(project: Path) -> None:
    (project / "piped").mkdir()
    os.mkfifo(project / "piped" / "index.html")


def loop_for_a_page(project: Path) -> None:
    (project / "looped").mkdir()
    (project / "looped" / "index.html").symlink_to("index.html")


def page(link: str = "", ignored: str = "", name: str = "index.html") -> Build:
    """A folder ``linked`` without a Dockerfile, of whose files one is a link, or that ignores some."""

    def build(project: Path) -> None:
        folder = project / "linked"
        (folder / "css").mkdir(parents=True)
        (folder / "real.html").touch()
        (project / "shared.html").touch()
        (folder / ".dockerignore").write_text(ignored)
        if name != "index.html" or not link:
            (folder / "index.html").touch()
        if link:
            (folder / name).symlink_to(link.format(project=project))

    return build


def gigabytes(project: Path) -> None:
    """Files that take no room on the disk, but would to be read and sent."""
    with (project / "site" / "video.mp4").open("wb") as file:
        file.truncate(5 << 30)
    with (project / "site" / "more.mp4").open("wb") as file:
        file.truncate(1 << 30)


NOT_A_SITE: dict[str, tuple[Build, str, str]] = {
    "missing": (
        nothing,
        "blog",
        '"blog" is no folder of the project; create it, with an index.html or a Dockerfile',
    ),
    "below a file": (
        nothing,
        "site/Dockerfile/x",
        '"site/Dockerfile/x" is no folder of the project; create it, with an index.html or a Dockerfile',
    ),
    "a file": (
        nothing,
        "site/Dockerfile",
        '"site/Dockerfile" is no folder of the project; create it, with an index.html or a Dockerfile',
    ),
    "a pipe": (
        lambda project: os.mkfifo(project / "pipe"),
        "pipe",
        '"pipe" is no folder of the project; create it, with an index.html or a Dockerfile',
    ),
    "upwards": (nothing, "../x", f'"../x" given; allowed: {ALLOWED}'),
    "upwards and back": (nothing, "../project/site", f'"../project/site" given; allowed: {ALLOWED}'),
    "absolute": (nothing, "/tmp", f'"/tmp" given; allowed: {ALLOWED}'),
    "the project itself": (nothing, ".", f'"." given; allowed: {ALLOWED}'),
    "empty": (nothing, "", f'"" given; allowed: {ALLOWED}'),
    "no text that can be a path": (nothing, "a\0b", f'"a\\u0000b" given; allowed: {ALLOWED}'),
    "a name that is too long": (
        nothing,
        "x" * 300,
        f"\"{'x' * 58}… can't be read: File name too long; name another folder",
    ),
    "a link out of the project": (
        linked("out", "/etc"),
        "out",
        '"out" is a symbolic link that leads out of the project, to /etc; put the folder itself into the project',
    ),
    "below a link out of the project": (
        linked("out", "/"),
        "out/etc",
        '"out/etc" is a symbolic link that leads out of the project, to /etc; put the folder itself into the project',
    ),
    "a link to itself": (
        linked("loop", "loop"),
        "loop",
        '"loop" is a symbolic link that leads back to itself; name a folder',
    ),
    "a link to nothing": (
        linked("dangling", "nowhere"),
        "dangling",
        '"dangling" is no folder of the project; create it, with an index.html or a Dockerfile',
    ),
    "without a page and a Dockerfile": (
        lambda project: (project / "empty").mkdir(),
        "empty",
        '"empty" has neither index.html nor Dockerfile; add one of them',
    ),
    "a pipe for a page": (
        pipe_for_a_page,
        "piped",
        '"piped" has neither index.html nor Dockerfile; add one of them',
    ),
    "a link to itself for a page": (
        loop_for_a_page,
        "looped",
        '"looped" has neither index.html nor Dockerfile; add one of them',
    ),
    "with a hidden folder that is none of pages": (
        hidden,
        "pages",
        '"pages" has ".git", which is no page; give it a .dockerignore with the line **/.*',
    ),
    "a page that is a link out of the folder": (
        page("../shared.html"),
        "linked",
        '"linked" has "index.html", a symbolic link that leads out of the folder, to {project}/shared.html, so the '
        "image would lack what it leads to; put that in its place",
    ),
    "something else that is a link out of the folder": (
        page("../../shared.html", name="css/style.css"),
        "linked",
        '"linked" has "css/style.css", a symbolic link that leads out of the folder, to {project}/shared.html, so the '
        "image would lack what it leads to; put that in its place",
    ),
    "a page that is a link by an absolute path": (
        page("{project}/linked/real.html"),
        "linked",
        '"linked" has "index.html", a symbolic link by an absolute path, which isn\'t there in the image; '
        "make it relative",
    ),
    "a page that is ignored": (
        page(ignored="**.html\n"),
        "linked",
        '"linked" has an index.html, but its .dockerignore leaves it out; add the line !index.html',
    ),
    "a page that is a link to what is ignored": (
        page("real.html", ignored="real.html\n"),
        "linked",
        '"linked" has "index.html", a symbolic link to "real.html", but its .dockerignore leaves that out; add the '
        "line !real.html",
    ),
    "a pattern that Docker refuses": (
        page(ignored="a\n[b\n"),
        "linked",
        "line 2 of linked/.dockerignore is no pattern that Docker takes: [b; write \\[ and \\\\ for a bracket and a "
        "backslash as such",
    ),
    "gigabytes": (
        gigabytes,
        "site",
        '"site" holds 6.0 GiB, more than 1.0 GiB (largest: "video.mp4", 5.0 GiB); '
        "list what the image doesn't need in site/.dockerignore, or name a ready image",
    ),
}


@pytest.mark.parametrize(("build", "source", "expected"), NOT_A_SITE.values(), ids=NOT_A_SITE)
def test_what_is_no_site(project: Path, build: Build, source: str, expected: str) -> None:
    build(project)
    assert problems({"sites": [{"name": "a", "source": source}]}) == [
        f"sites[0].source: {expected.format(project=project)}"
    ]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("index.html", "make it readable or list it in .dockerignore"),
        ("css/style.css", "make it readable or list it in .dockerignore"),
        ("private", "make it readable or list it in .dockerignore"),
        ("Dockerfile", "make it readable"),
        (".dockerignore", "make it readable"),
    ],
)
def test_what_cannot_be_read(project: Path, name: str, fix: str) -> None:
    path = project / "site" / name
    if name == "private":
        path.mkdir()
    else:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    path.chmod(0)
    with anybody():
        found = problems({"sites": [{"name": "a", "source": "site"}]})
    path.chmod(0o700)
    assert found == [f'sites[0].source: "site" has "{name}", which can\'t be read: Permission denied; {fix}']


@pytest.mark.parametrize("name", ["private", "key.pem"])
def test_what_cannot_be_read_and_is_ignored_is_fine(project: Path, name: str) -> None:
    path = project / "site" / name
    path.mkdir() if name == "private" else path.touch()
    path.chmod(0)
    (project / "site" / ".dockerignore").write_text(f"{name}\n")
    with anybody():
        assert load({"sites": [{"name": "a", "source": "site"}]}).sites[0].source == "site"
    path.chmod(0o700)


@pytest.mark.parametrize(
    "build",
    [
        page("real.html"),
        page("css/../real.html"),
        page("nowhere", name="draft.html"),
        page("draft.html", name="draft.html"),
        page("css", name="styles"),
        page("../../shared.html", name="css/style.css", ignored="css\n"),
    ],
)
def test_links_that_the_image_has_too_are_fine(project: Path, build: Build) -> None:
    build(project)
    assert load({"sites": [{"name": "a", "source": "linked"}]}).sites[0].source == "linked"


def test_a_folder_that_cannot_be_read(project: Path) -> None:
    (project / "site").chmod(0)
    with anybody():
        found = problems({"sites": [{"name": "a", "source": "site"}]})
    (project / "site").chmod(0o700)
    assert found == ['sites[0].source: "site" can\'t be read: Permission denied; name another folder']


def test_gigabytes_that_are_ignored_are_fine(project: Path) -> None:
    gigabytes(project)
    (project / "site" / ".dockerignore").write_text("*.mp4\n")
    assert load({"sites": [{"name": "a", "source": "site"}]}).sites[0].source == "site"


def test_gigabytes_are_not_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gigabytes(project)

    def opened(path: Path, *_: object, **__: object) -> None:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr(Path, "open", opened)
    assert len(problems({"sites": [{"name": "a", "source": "site"}]})) == 1


def test_the_limit_itself_is_fine(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "site" / "Dockerfile").write_text("0123456789")
    config = {"sites": [{"name": "a", "source": "site"}]}
    monkeypatch.setattr(site_source, "MAX_BYTES", 10)
    assert load(config)
    monkeypatch.setattr(site_source, "MAX_BYTES", 9)
    assert len(problems(config)) == 1


def test_what_is_no_file_is_left_out(project: Path) -> None:
    """Pipes and sockets have no content, and a device has no end: the Docker Engine gets none of them."""
    os.mkfifo(project / "site" / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("site/socket")
        if os.geteuid() == 0:
            os.mknod(project / "site" / "zero", 0o20666, os.makedev(1, 5))
        assert load({"sites": [{"name": "a", "source": "site"}]}).sites[0].source == "site"


def test_links_in_the_folder_are_not_followed(project: Path) -> None:
    (project / "site" / "round").symlink_to(".")
    (project / "site" / "up").symlink_to("..")
    (project / "site" / "self").symlink_to("self")
    assert load({"sites": [{"name": "a", "source": "site"}]}).sites[0].source == "site"


def test_a_link_inside_the_project_is_fine(project: Path) -> None:
    (project / "link").symlink_to("site")
    assert load({"sites": [{"name": "a", "source": "link"}]}).sites[0].source == "link"
