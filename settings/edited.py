"""A folder of pages that is being edited: what is served of it, and by which configuration, without a build.

The server, its configuration and its rules are those of the image that ``pulumi up`` builds, but for this: nothing is
compressed, a changed file is seen at once, and a script of ours may run in each page.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import PydanticCustomError

from components.site import redirects as redirected_hosts
from components.site.build_context import dockerfile_of, files
from components.site.dockerignore import DockerignoreError
from components.site.pages import headers, redirects, server
from components.site.pages.rules import RuleError
from components.site.source import folder_of_site

NGINX = redirected_hosts.IMAGE
"""The image of a web server that clusters with sites have, or can have."""
OURS = "/.dev/"
"""Below it is what the script of ours asks for."""

_CACHED = re.compile(r"^\topen_file_cache .*;$", re.MULTILINE)
_FORCED = 'map $asked $forced {\n    default "";\n'
_NO_PAGE = (f"/{redirects.FILE}", f"/{headers.FILE}")
_POLICY = re.compile(r"^(\s*content-security-policy\s*:)(.*)$", re.IGNORECASE)


class EditError(ValueError):
    """The folder can't be served as it is; one line that says where, why, and what is allowed."""


@dataclass(frozen=True)
class Pages:
    """What is served of a folder of pages."""

    files: Mapping[str, Path]
    """The files and links, by their path in the folder."""
    configuration: Mapping[str, str]
    """The texts of the server's configuration, by their name in ``/etc/nginx``."""


def has_dockerfile(source: str) -> bool:
    """Whether a site's folder is built by a Dockerfile of its own."""
    return dockerfile_of(Path(source)) != server.DOCKERFILE


def watched(source: str) -> list[Path]:
    """Return the files and links of a site's folder that its ``.dockerignore`` leaves, the ignore file among them.

    Raises:
        EditError: That file, or a folder, can't be read.
    """
    folder = Path(source)
    try:
        return files(folder, dockerfile_of(folder))
    except (DockerignoreError, OSError) as error:
        raise EditError(str(error)) from None


def checked(source: str) -> None:
    """Check that a site's folder can be built.

    Raises:
        EditError: It can't.
    """
    try:
        folder_of_site(source)
    except (PydanticCustomError, ValueError) as error:
        raise EditError(error.message() if isinstance(error, PydanticCustomError) else str(error)) from None


def pages(source: str, script: str) -> Pages:
    """Return what is served of the folder ``source``.

    Args:
        source: A site's folder, which has no Dockerfile.
        script: The source expression of the script of ours, ``'sha256-…'``, for pages with a Content-Security-Policy.

    Raises:
        EditError: `pulumi up` would refuse it; with the reason that it would give.
    """
    checked(source)
    folder = Path(source)
    try:
        context = files(folder, server.DOCKERFILE)
        texts = server.arguments(folder, context)
        named = {f"/{path.relative_to(folder).as_posix()}": path for path in context}
        said = _headers(named, texts, script)
    except (DockerignoreError, RuleError, OSError) as error:
        raise EditError(str(error)) from None
    return Pages(
        {name[1:]: path for name, path in named.items() if name not in _NO_PAGE and not _is_hidden(name)},
        {
            "nginx.conf": _CACHED.sub("\topen_file_cache off;", texts["NGINX_CONF"]),
            # A rule that goes before files would go before ours, too.
            "redirects.conf": texts["REDIRECTS"].replace(_FORCED, f'{_FORCED}    "~^/\\.dev/" "";\n'),
            "headers.conf": said,
            "locations.conf": texts["LOCATIONS"]
            + f"location ^~ {OURS} {{\n    alias /srv/dev/public/;\n    access_log off;\n"
            "    add_header Cache-Control no-store always;\n}\n",
            "immutable.conf": texts["IMMUTABLE"],
            "release.conf": f'add_header {server.RELEASE_HEADER} "dev" always;',
            "listen-ipv6.conf": "listen [::]:8080;",
        },
    )


def _is_hidden(name: str) -> bool:
    # As the Dockerfile of pages has it.
    return any(part.startswith(".") and part != ".well-known" for part in name.split("/"))


def _headers(named: Mapping[str, Path], texts: Mapping[str, str], script: str) -> str:
    """Return the configuration of ``_headers``, whose Content-Security-Policy lets the script of ours run."""
    file = named.get(f"/{headers.FILE}")
    if file is None:
        return texts["HEADERS"]
    lines = file.read_text(encoding="utf-8-sig").split("\n")
    changed = [_POLICY.sub(lambda found: f"{found[1]} {permitting(found[2], script)}", line.rstrip()) for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, headers.FILE)
        copy.write_text("\n".join(changed), encoding="utf-8")
        return headers.compiled(copy, named.keys() - {*_NO_PAGE, "/.dockerignore"}).http


def permitting(policy: str, script: str) -> str:
    """Return a Content-Security-Policy that lets a script run as well, and lets it ask the site itself.

    Args:
        policy: The header's value: one policy, or several with commas between them.
        script: The source expression of the script.
    """
    return ", ".join(_permitting(each.strip(), script) for each in policy.split(","))


def _permitting(policy: str, script: str) -> str:
    words = [each.split() for each in policy.split(";") if each.strip()]
    directives = {name.lower(): sources for name, *sources in reversed(words)}
    for wanted, source, fallbacks in (
        ("script-src-elem", script, ("script-src-elem", "script-src", "default-src")),
        ("connect-src", "'self'", ("connect-src", "default-src")),
    ):
        found = next((directives[name] for name in fallbacks if name in directives), None)
        if found is None or source in found or _any(found, source):
            continue
        given = [each for each in found if each.lower() != "'none'"]
        words = [each for each in words if each[0].lower() != wanted] + [[wanted, *given, source]]
    return "; ".join(" ".join(each) for each in words)


def _any(sources: list[str], source: str) -> bool:
    """Whether any script, or any address, is let already; a hash beside it would change that."""
    lowered = [each.lower() for each in sources]
    hashed = any(each.startswith(("'nonce-", "'sha256-", "'sha384-", "'sha512-")) for each in lowered)
    return "*" in lowered if source == "'self'" else "'unsafe-inline'" in lowered and not hashed
