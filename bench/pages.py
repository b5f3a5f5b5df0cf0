"""The site's image by ``docker build``, as the program has it built: with the Dockerfile of pages and its arguments."""

from __future__ import annotations

from bench.session import Session
from components.site.build_context import files
from components.site.pages import server


def provide(session: Session) -> None:
    """Have ``docker build $pages`` build the site's folder, for all that the session runs."""
    site = session.project / "site"
    arguments = {**server.arguments(site, files(site, server.DOCKERFILE)), "RELEASE": "benchmark"}
    dockerfile = session.project / "components" / "site" / "pages" / "Dockerfile"
    options = [f"--file={dockerfile}", *(f"--build-arg={name}" for name in arguments)]
    session.shell.environment.update({**arguments, "pages": " ".join(options)})
