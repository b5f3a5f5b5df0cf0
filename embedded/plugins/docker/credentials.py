"""Who logs in to a registry: the image's own login, the provider's, or that of ``docker login``."""

import os
from dataclasses import dataclass
from typing import Any

from .image import Image


@dataclass(frozen=True)
class Login:
    """Who talks to a registry."""

    username: str
    password: str


class Credentials:
    """The logins that a provider knows.

    Args:
        entries: The provider's ``registryAuth``.
    """

    def __init__(self, entries: list[dict[str, Any]] | None = None) -> None:
        self._entries = {_host(entry.get("address", "")): entry for entry in entries or []}

    def login(self, image: Image) -> Login | None:
        """The login to push ``image`` with; ``None`` if there is none, as for most local registries."""
        from docker import auth

        if image.username and image.password:
            return Login(image.username, image.password)
        server = _host(image.registry_server)
        entry = self._entries.get(server, {})
        if entry.get("authDisabled"):
            return None
        username = entry.get("username") or (entry and os.environ.get("DOCKER_REGISTRY_USER"))
        password = entry.get("password") or (entry and os.environ.get("DOCKER_REGISTRY_PASS"))
        if username and password:
            return Login(username, password)
        found = auth.load_config(config_path=entry.get("configFile")).resolve_authconfig(server)
        if found and found.get("username") and found.get("password"):
            return Login(found["username"], found["password"])
        return None


def _host(server: str) -> str:
    """Host and port of a registry, which Docker's own files spell with or without scheme and path."""
    return server.partition("://")[2].partition("/")[0] if "://" in server else server.partition("/")[0]
