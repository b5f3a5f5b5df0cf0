"""What all images made here have in common: users, an environment, labels."""

from collections.abc import Mapping, Sequence

from embedded.images.archive import Entry, Image

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NONROOT = 65532
"""User and group of distroless images, which CoreDNS' is based on."""
NOBODY = 65534

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
    Entry("/home/nonroot", mode=0o700, owner=NONROOT),
    Entry("/tmp", mode=0o1777),  # noqa: S108 - the image's, not ours
)


def image(
    reference: str, entries: Sequence[Entry], config: Mapping[str, object], environment: Sequence[str] = ()
) -> Image:
    """Return the image ``reference``, with what it has besides what all have: files, configuration, variables."""
    return Image(reference, [*_BASE, *entries], configuration(reference, config, environment))


def configuration(reference: str, config: Mapping[str, object], environment: Sequence[str] = ()) -> dict[str, object]:
    """Return the configuration of the image ``reference``, with what it has besides what all have."""
    name, _, tag = reference.rpartition(":")
    labels = {
        "org.opencontainers.image.title": name.rpartition("/")[2],
        "org.opencontainers.image.vendor": "inspiration (made on this machine, of upstream's program)",
        "org.opencontainers.image.version": tag,
    }
    return {"WorkingDir": "/", "Env": [f"PATH={_SYSTEM_PATH}", *environment], "Labels": labels, **config}


def exposed(*ports: str) -> dict[str, dict[str, str]]:
    """Return what an image's configuration says of ``ports``, each as in ``80/tcp``."""
    return {port: {} for port in ports}
