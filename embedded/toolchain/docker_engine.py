"""A Docker Engine that runs on the machine already."""

import http.client
import os
import socket
from pathlib import Path

from embedded import paths

_DEFAULT = "unix:///var/run/docker.sock"


def running() -> str | None:
    """Return the address (as in DOCKER_HOST) of an Engine that answers, if there is one that isn't ours."""
    address = os.environ.get("DOCKER_HOST", "")
    if not address or Path(address.removeprefix("unix://")).is_relative_to(paths.STATE):
        address = _DEFAULT
    if not address.startswith("unix://"):
        return address  # somebody chose it; whether it answers is for its client to say, which knows its TLS and SSH
    return address if answers(address) else None


def answers(address: str) -> bool:
    """Whether an Engine answers at a ``unix://`` address."""
    connection = http.client.HTTPConnection("localhost", timeout=5)
    try:
        with socket.socket(socket.AF_UNIX) as connection.sock:
            connection.sock.settimeout(5)
            connection.sock.connect(address.removeprefix("unix://"))
            connection.request("GET", "/_ping")
            return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
