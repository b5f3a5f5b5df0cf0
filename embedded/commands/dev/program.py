"""A site's folder with a Dockerfile: built and pushed as `pulumi up` does it, under a tag of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import urllib3

from embedded.errors import Failure
from embedded.plugins.docker.credentials import Credentials
from embedded.plugins.docker.engine import Engine, EngineOptions
from embedded.plugins.docker.image import Image, Name
from embedded.plugins.shared.errors import PluginError

TAG = "dev"
_SECONDS = 5


class BuildError(Exception):
    """A step failed; with its last lines."""


class Program:
    """Builds a folder.

    Args:
        source: The folder.
        repository: Where its images are, ``registry/name``.

    Raises:
        Failure: There is no Docker Engine.
    """

    def __init__(self, source: str, repository: str) -> None:
        try:
            self._engine = Engine(EngineOptions())
        except PluginError as error:
            cause, _, fix = str(error).rpartition(": ")
            raise Failure(cause, fix) from None
        self._repository = repository
        text = f"{repository}:{TAG}"
        self._image = Image(Name.parse(text), text, Path(source), Path(source, "Dockerfile"))
        self._login = Credentials().login(self._image)

    def build(self, report: Callable[[str], None]) -> str:
        """Build and push what the folder has; return the image by digest.

        Raises:
            BuildError: That fails.
        """
        try:
            self._engine.build(self._image, report)
            return f"{self._repository}@{self._engine.push(self._image, self._login, report)}"
        except PluginError as error:
            raise BuildError(str(error)) from None

    def untag(self) -> None:
        """Take the tag away again, where that is a registry on this machine; its clean-up removes the rest.

        The image itself may be a release: what was built last is what `pulumi up` deploys.
        """
        server = self._image.name.registry
        if server.partition(":")[0] in ("localhost", "127.0.0.1"):
            with suppress(urllib3.exceptions.HTTPError), urllib3.PoolManager(retries=False, timeout=_SECONDS) as http:
                http.request("DELETE", f"http://{server}/v2/{self._image.name.path}/manifests/{TAG}")
