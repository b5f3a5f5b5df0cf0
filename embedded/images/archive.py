"""OCI image archives, the same bytes for the same content.

An archive is an OCI image layout with Docker's ``manifest.json`` beside it, so containerd and every Docker Engine
can load it (https://github.com/opencontainers/image-spec, and ``docker save`` since 25.0).
"""

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias

from embedded import paths

_EPOCH = "1970-01-01T00:00:00Z"
_CREATOR = "inspiration"
_NET_BIND_SERVICE = "\x01\0\0\x02" + "\0\x04\0\0" + "\0" * 12
"""What ``setcap cap_net_bind_service=+ep`` writes (struct vfs_cap_data of linux/capability.h, revision 2)."""


@dataclass(frozen=True)
class Entry:
    """A file, folder or symbolic link in an image.

    Attributes:
        path: Absolute.
        source: Its content, or the file that has it; None for a folder or link.
        target: What a symbolic link points to.
        mode: Permissions.
        owner: User and group id.
        binds_ports: Whether the file has the capability to listen below port 1024, as upstream's image gives it.
    """

    path: str
    source: Path | bytes | None = None
    target: str = ""
    mode: int = 0o755
    owner: int = 0
    binds_ports: bool = False

    @property
    def header(self) -> tarfile.TarInfo:
        """The tar header, without a size."""
        info = tarfile.TarInfo(self.path.lstrip("/"))
        info.mode, info.uid, info.gid, info.linkname = self.mode, self.owner, self.owner, self.target
        info.type = tarfile.SYMTYPE if self.target else tarfile.DIRTYPE if self.source is None else tarfile.REGTYPE
        if self.binds_ports:
            info.pax_headers = {"SCHILY.xattr.security.capability": _NET_BIND_SERVICE}
        return info


def tree(folder: Path) -> list[Entry]:
    """Return what is in ``folder`` as that of an image's root folder, owned by root.

    Of a file's permissions only that it is executable counts, as in git.
    """
    entries = []
    for path in folder.rglob("*"):
        name = f"/{path.relative_to(folder)}"
        if path.is_symlink():
            entries.append(Entry(name, target=str(path.readlink()), mode=0o777))
        elif path.is_dir():
            entries.append(Entry(name))
        else:
            entries.append(Entry(name, path, mode=0o755 if path.stat().st_mode & 0o111 else 0o644))
    return entries


@dataclass(frozen=True)
class Image:
    """An image of one layer.

    Attributes:
        reference: Its complete name, as upstream's: ``docker.io/library/registry:3``.
        entries: What is in it; folders above them are added.
        config: How it runs: ``config`` of the OCI image configuration.
    """

    reference: str
    entries: Sequence[Entry]
    config: Mapping[str, object]

    @property
    def name(self) -> str:
        """The last part of its name, without the tag: ``registry``."""
        return self.reference.rpartition("/")[2].partition(":")[0]

    def key(self) -> str:
        """Twelve hex digits for everything that determines the archive."""
        digest = hashlib.sha256(json.dumps([self.reference, self.config, _architecture()], sort_keys=True).encode())
        for entry in self._tree():
            digest.update(repr((entry.path, entry.target, entry.mode, entry.owner, entry.binds_ports)).encode())
            if entry.source is not None:
                digest.update(_identity(entry.source))
        return digest.hexdigest()[:12]

    def write(self, path: Path) -> None:
        """Write the archive to ``path``."""
        with tempfile.TemporaryFile(dir=path.parent) as layer:
            write_layer(layer, self._tree())
            write_archive(path, self.reference, self.config, layer)

    def _tree(self) -> Iterator[Entry]:
        """All entries with the folders above them, sorted, so that folders come before what is in them."""
        entries = {entry.path: entry for entry in self.entries}
        for entry in self.entries:
            for folder in PurePosixPath(entry.path).parents:
                if str(folder) != "/":
                    entries.setdefault(str(folder), Entry(str(folder)))
        return (entries[path] for path in sorted(entries))


Layer: TypeAlias = io.BufferedRandom | io.BufferedReader


def write_layer(file: IO[bytes], entries: Iterable[Entry]) -> None:
    """Write the tar file of a layer that has ``entries``, in their order."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = entry.header
            if entry.source is None:
                tar.addfile(info)
                continue
            with _open(entry.source) as content:
                info.size = content.seek(0, io.SEEK_END)
                content.seek(0)
                tar.addfile(info, content)


def write_archive(path: Path, reference: str, config: Mapping[str, object], layer: Layer) -> None:
    """Write the archive of an image of one layer to ``path``.

    Args:
        path: Where to.
        reference: The image's complete name.
        config: How it runs: ``config`` of the OCI image configuration.
        layer: Its layer, a tar file.
    """
    layer.seek(0)
    layer_digest = hashlib.file_digest(layer, "sha256").hexdigest()
    layer_size = layer.tell()
    configuration = _json(
        {
            "architecture": _architecture(),
            "os": "linux",
            "created": _EPOCH,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
            "history": [{"created": _EPOCH, "created_by": _CREATOR}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor("application/vnd.oci.image.config.v1+json", configuration),
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": f"sha256:{layer_digest}",
                    "size": layer_size,
                }
            ],
        }
    )
    names = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
    }
    index = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{**_descriptor(_MANIFEST, manifest), "annotations": names}],
        }
    )
    docker = _json(
        [
            {
                "Config": _blob(configuration),
                "RepoTags": [reference],
                "Layers": [f"blobs/sha256/{layer_digest}"],
            }
        ]
    )
    layer.seek(0)
    with path.open("wb") as archive:
        members: list[tuple[str, bytes | IO[bytes], int]] = [
            ("index.json", index, len(index)),  # first, so that reading the digests back is quick
            ("manifest.json", docker, len(docker)),
            ("oci-layout", _LAYOUT, len(_LAYOUT)),
            (_blob(configuration), configuration, len(configuration)),
            (_blob(manifest), manifest, len(manifest)),
            (f"blobs/sha256/{layer_digest}", layer, layer_size),
        ]
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, content, size in members:
                info = tarfile.TarInfo(name)
                info.size = size
                tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else content)


@dataclass(frozen=True)
class Archive:
    """An image archive on disk.

    Attributes:
        reference: The image's complete name.
        digest: Of its manifest, ``sha256:…``: the digest of the image for registries and containerd.
        image_id: Of its configuration, ``sha256:…``: the id of the image for Docker.
        path: The file.
    """

    reference: str
    digest: str
    image_id: str
    path: Path

    @classmethod
    def read(cls, path: Path) -> "Archive":
        """Return what the archive ``path`` holds."""
        with tarfile.open(path) as tar:
            index, docker = (json.load(_member(tar, name)) for name in ("index.json", "manifest.json"))
        return cls(
            reference=docker[0]["RepoTags"][0],
            digest=index["manifests"][0]["digest"],
            image_id=f"sha256:{PurePosixPath(docker[0]['Config']).name}",
            path=path,
        )


_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise ValueError(f"{name} isn't a file")
    return file


def _identity(source: Path | bytes) -> bytes:
    """What tells this content from another.

    For the toolchain's programs, hundreds of megabytes that are written once and never again, it is which file it is.
    """
    if isinstance(source, Path) and source.is_relative_to(paths.CACHE):
        file = source.stat()
        return repr((str(source.relative_to(paths.CACHE)), file.st_size, file.st_mtime_ns)).encode()
    with _open(source) as content:
        return hashlib.file_digest(content, "sha256").digest()


def _open(source: Path | bytes) -> io.BytesIO | io.BufferedReader:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _blob(content: bytes) -> str:
    return f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _architecture() -> str:
    """This machine's, in the words of OCI."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
