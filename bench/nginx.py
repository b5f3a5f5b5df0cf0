"""Debian's nginx as an image: its program, the libraries that it needs, and a configuration."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from embedded import paths
from embedded.progress import Progress
from embedded.toolchain import system

CONFIGURATION = """\
worker_processes auto;
pid /tmp/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
    types { text/html html; text/css css; image/svg+xml svg; text/plain txt; }
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    access_log /dev/stdout;
    sendfile on;
    tcp_nopush on;
    gzip on;
    gzip_types text/css text/plain image/svg+xml;
    server {
        listen 8080;
        root /srv;
        location = /healthz { access_log off; return 200; }
    }
}
"""
"""It logs each request, as the site's server does, and compresses by its defaults."""

DOCKERFILE = """\
FROM scratch
COPY root /
COPY nginx.conf /etc/nginx/nginx.conf
COPY public /srv
USER 65532:65532
CMD ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf", "-e", "stderr", "-g", "daemon off;"]
"""


def write_image(folder: Path) -> None:
    """Write the context of the image into ``folder``, all but the files that it serves, which go into ``public``."""
    program = unpacked() / "usr/sbin/nginx"
    (folder / "nginx.conf").write_text(CONFIGURATION)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    root = folder / "root"
    for library in libraries(_said("ldd", str(program))):
        target = root / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    (root / "usr/sbin").mkdir(parents=True)
    shutil.copy(program, root / "usr/sbin/nginx")
    # It looks these up when it starts.
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("nobody:x:65532:65532::/:/bin/false\n")
    (root / "etc/group").write_text("nogroup:x:65532:\n")


@cache
def unpacked() -> Path:
    """Debian's package, unpacked rather than installed: nothing starts with the machine, nothing listens."""
    folder = paths.create_cache("bench", "nginx")
    if not (folder / "usr/sbin/nginx").exists():
        subprocess.run(["apt-get", "download", "nginx"], cwd=folder, check=True, capture_output=True)
        [package] = folder.glob("nginx_*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
    return folder


def version() -> str:
    """Of Debian's package."""
    [package] = unpacked().glob("nginx_*.deb")
    return package.name.split("_")[1]


def libraries(ldd: str) -> list[Path]:
    """The files that ``ldd`` names, the loader among them."""
    return [Path(found) for found in re.findall(r"(?:=> |^\s*)(/\S+) \(0x", ldd, re.MULTILINE)]


def provide_wrk() -> None:
    """Install wrk where it isn't there."""
    if shutil.which("wrk") is None:
        with Progress().stage("wrk") as stage:
            system.install(["wrk"], stage, paths.create_cache("log") / "apt-bench.log")


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
