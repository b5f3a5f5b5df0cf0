"""The URLs of what the stack serves."""

from typing import Literal

DEFAULT_PORTS = {"http": 80, "https": 443}


def url(scheme: Literal["http", "https"], host: str, port: int, path: str = "/") -> str:
    """Return the URL of ``path`` on ``host``; with the port if it isn't the scheme's own."""
    return f"{scheme}://{host}{'' if port == DEFAULT_PORTS[scheme] else f':{port}'}{path}"
