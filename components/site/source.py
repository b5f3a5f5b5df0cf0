"""Whether the folder of a site can be built: found out by looking at it, without reading its files."""

import errno
import os
from pathlib import Path

from components.options import problem, shown
from components.site.build_context import dockerfile_of, files
from components.site.dockerignore import DockerignoreError
from components.site.pages import server
from components.site.pages.rules import CONTROL, RuleError

MAX_BYTES = 1 << 30
"""Of a build context. All of it is read at every preview, for the image's tag, and sent to the Docker Engine: what has
more than a GiB takes long each time, and is nearly always a forgotten .dockerignore."""

_EXPECTED = (".well-known", ".dockerignore", ".nojekyll", ".buildinfo")
"""Hidden names that belong to pages: one is there to be served (RFC 8615), and two are made by generators."""


def folder_of_site(source: str) -> str:
    """Return the folder ``source`` of the project, written in the one way that doesn't change the stack's state.

    Raises:
        ValueError: No such folder can be meant.
        PydanticCustomError: It can't be built, with the reason and what to do.
    """
    folder = Path(source)
    # A folder of the project: so the stack's state is the same wherever the project is checked out.
    if "\0" in source or folder.is_absolute() or ".." in folder.parts or not folder.parts:
        raise ValueError(source)
    try:
        _check_place(folder, source)
        _check_content(folder, source)
    except (DockerignoreError, RuleError) as error:
        raise problem(str(error)) from error
    except OSError as error:
        raise problem(_unreadable(folder, source, error)) from error
    return folder.as_posix()


def _check_place(folder: Path, source: str) -> None:
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise problem(f"{shown(source)} is a symbolic link that leads back to itself; name a folder") from error
    if not folder.is_dir():
        raise problem(f"{shown(source)} is no folder of the project; create it, with an index.html or a Dockerfile")
    _check_access(folder, os.R_OK | os.X_OK)
    target = folder.resolve()
    if not target.is_relative_to(Path.cwd().resolve()):
        raise problem(
            f"{shown(source)} is a symbolic link that leads out of the project, to {target}; "
            "put the folder itself into the project"
        )


def _check_content(folder: Path, source: str) -> None:
    dockerfile = dockerfile_of(folder)
    if dockerfile == server.DOCKERFILE and not (folder / "index.html").is_file():
        raise problem(f"{shown(source)} has neither index.html nor Dockerfile; add one of them")
    context = files(folder, dockerfile)
    if dockerfile == server.DOCKERFILE:
        _check_pages(folder, source, context)
    sizes = {path: path.stat().st_size for path in context if not path.is_symlink()}
    if sum(sizes.values()) > MAX_BYTES:
        largest = max(sizes, key=lambda path: sizes[path])
        raise problem(
            f"{shown(source)} holds {_gibibytes(sum(sizes.values()))}, more than {_gibibytes(MAX_BYTES)} (largest: "
            f"{shown(largest.relative_to(folder).as_posix())}, {_gibibytes(sizes[largest])}); list what the image "
            f"doesn't need in {folder / '.dockerignore'}, or name a ready image"
        )
    # Ignored or not, it is read.
    for path in (*sizes, dockerfile):
        _check_access(path, os.R_OK)


def _check_pages(folder: Path, source: str, context: list[Path]) -> None:
    """Refuse what would make another site of a folder without a Dockerfile than it looks."""
    if hidden := _hidden(folder, context):
        raise problem(
            f"{shown(source)} has {shown(hidden)}, which is no page; give it a .dockerignore with the line **/.*"
        )
    names = [path.relative_to(folder).as_posix() for path in context]
    if odd := next(filter(CONTROL.search, names), None):
        raise problem(f"{shown(source)} has {shown(odd)}, a name with a control character; rename it")
    root = folder.resolve()
    for link in filter(Path.is_symlink, context):
        name, target = shown(link.relative_to(folder).as_posix()), Path(os.path.realpath(link))
        if target.exists() and not target.is_relative_to(root):
            raise problem(
                f"{shown(source)} has {name}, a symbolic link that leads out of the folder, to {target}, so the image "
                "would lack what it leads to; put that in its place"
            )
        if target.exists() and link.readlink().is_absolute():
            raise problem(
                f"{shown(source)} has {name}, a symbolic link by an absolute path, which isn't there in the image; "
                "make it relative"
            )
    page = folder / "index.html"
    if page not in context:
        raise problem(
            f"{shown(source)} has an index.html, but its .dockerignore leaves it out; add the line !index.html"
        )
    target = Path(os.path.realpath(page)).relative_to(root)
    if folder / target not in context:
        raise problem(
            f'{shown(source)} has "index.html", a symbolic link to {shown(target.as_posix())}, but its .dockerignore '
            f"leaves that out; add the line !{target.as_posix()}"
        )
    server.arguments(folder, context)


def _check_access(path: Path, mode: int) -> None:
    if not os.access(path, mode, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _hidden(folder: Path, context: list[Path]) -> str | None:
    """Return the first hidden file or folder that the Docker Engine would get of ``folder``: a ``.git``, an ``.env``.

    It would be in no image, but in the Engine's cache, and in the hash that makes another image of a commit.
    """
    names = (part for path in context for part in path.relative_to(folder).parts)
    return next((name for name in names if name.startswith(".") and name not in _EXPECTED), None)


def _unreadable(folder: Path, source: str, error: OSError) -> str:
    inside = Path(os.fsdecode(error.filename or folder))
    if inside == folder or not inside.is_relative_to(folder):
        return f"{shown(source)} can't be read: {error.strerror}; name another folder"
    name = inside.relative_to(folder).as_posix()
    fix = (
        "make it readable"
        if name in ("Dockerfile", ".dockerignore")
        else "make it readable or list it in .dockerignore"
    )
    return f"{shown(source)} has {shown(name)}, which can't be read: {error.strerror}; {fix}"


def _gibibytes(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
