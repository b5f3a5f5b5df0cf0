"""Images of Debian's packages: what mmdebstrap is told, and when an image is made anew."""

from __future__ import annotations

import json
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from embedded import paths
from embedded.addons import postgres
from embedded.errors import Failure
from embedded.images import debian
from embedded.images.archive import Entry
from embedded.images.debian import DebianImage
from embedded.toolchain import system
from tests.unit.embedded.test_images import layer, member

IMAGE = DebianImage(
    "docker.io/library/shop:1-bookworm",
    ("shop", "shop-data"),
    {"Cmd": ["shop"]},
    extra=(Entry("/etc/shop.conf", b"open", mode=0o644),),
    options=("--variant=minbase",),
    without="do without the shop",
)

MMDEBSTRAP = """\
#!/usr/bin/env python3
import io, json, pathlib, shlex, sys, tarfile
arguments = sys.argv[1:]
folder = pathlib.Path(__file__).parent
(folder / "asked.json").write_text(json.dumps(arguments))
if (folder / "fail").exists():
    print("I: installing\\nE: shop has no candidate\\nW: more", file=sys.stderr)
    sys.exit(1)
[hook] = [each for each in arguments if each.startswith("--customize-hook=tar-in ")]
with tarfile.open(shlex.split(hook)[1]) as ours, tarfile.open(arguments[arguments.index("bookworm") + 1], "w") as root:
    for each in ours:
        root.addfile(each, ours.extractfile(each))
"""

TARGETS = """\
http://mirror.example/debian/ bookworm main Debian
http://mirror.example/debian/ bookworm contrib Debian
http://mirror.example/debian/ bookworm-updates main Debian
http://mirror.example/debian-security/ bookworm-security main Debian
http://mirror.example/debian/ trixie main Debian
http://packages.example/shop/ bookworm main Shop
"""


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs in place of the machine's, which do as the files there say."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {
        "mmdebstrap": MMDEBSTRAP,
        "apt-cache": f"#!/bin/sh\ncat {folder}/candidates\n",
        "apt-get": f"#!/bin/sh\ncat {folder}/targets\n",
        "apt-config": "#!/bin/sh\necho 'Acquire::http::Proxy \"http://me:secret@proxy.example\";'\n",
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "targets").write_text(TARGETS)
    candidates(folder, "1.0-1")
    monkeypatch.setattr(system, "PATH", f"{folder}:{system.PATH}")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return folder


def candidates(folder: Path, version: str) -> None:
    (folder / "candidates").write_text(
        f"base-files:\n  Installed: 12.4\n  Candidate: 12.4\nshop:\n  Installed: (none)\n  Candidate: {version}\n"
    )


def test_an_image_has_what_mmdebstrap_makes_and_what_is_ours(tmp_path: Path, programs: Path) -> None:
    IMAGE.write(tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        [docker] = json.load(member(archive, "manifest.json"))
        config = json.load(member(archive, docker["Config"]))["config"]
    assert (docker["RepoTags"], config) == (["docker.io/library/shop:1-bookworm"], {"Cmd": ["shop"]})
    with layer(tmp_path / "image.tar") as files:
        assert files.getnames() == ["etc/shop.conf"]
    asked = json.loads((programs / "asked.json").read_text())
    assert "--include=shop,shop-data" in asked
    # The last one counts.
    assert [each for each in asked if each.startswith("--variant=")][-1] == "--variant=minbase"


def test_what_the_machine_has_for_its_proxy_does_not_stay(tmp_path: Path, programs: Path) -> None:
    IMAGE.write(tmp_path / "image.tar")
    asked = json.loads((programs / "asked.json").read_text())
    assert not [each for each in asked if "secret" in each]
    [given] = [each.split()[1] for each in asked if each.startswith("--setup-hook=copy-in ")]
    assert f'--customize-hook=rm "$1/etc/apt/apt.conf.d/{Path(given).name}"' in asked


def test_packages_come_from_debian_where_the_machine_gets_them(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "_KEYRING", tmp_path / "none")
    assert debian.sources() == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
        "deb http://mirror.example/debian-security/ bookworm-security main",
    ]
    (programs / "targets").write_text("http://archive.ubuntu.example/ubuntu/ noble main Ubuntu\n")
    assert debian.sources() == []  # so that mmdebstrap takes its own


def test_a_new_version_of_a_package_makes_an_image_anew(programs: Path) -> None:
    before = IMAGE.key()
    assert IMAGE.key() == before
    candidates(programs, "1.0-2")
    assert IMAGE.key() != before


@pytest.mark.parametrize(
    "changed",
    [
        {"packages": ("shop",)},
        {"config": {"Cmd": ["shop", "now"]}},
        {"extra": (Entry("/etc/shop.conf", b"closed", mode=0o644),)},
        {"options": ()},
    ],
)
def test_another_recipe_makes_an_image_anew(changed: dict[str, object]) -> None:
    assert replace(IMAGE, **changed).key() != IMAGE.key()  # type: ignore[arg-type]


def test_the_reason_of_a_failure_is_told(tmp_path: Path, programs: Path) -> None:
    (programs / "fail").touch()
    with pytest.raises(Failure) as failure:
        IMAGE.write(tmp_path / "image.tar")
    assert str(failure.value) == (
        "shop can't be made of Debian's packages: shop has no candidate; check apt's sources and the network, or do "
        f"without the shop (log: {tmp_path}/cache/log/shop.log)"
    )


def test_a_machine_without_apt_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "PATH", str(tmp_path))
    with pytest.raises(Failure, match="This machine lacks mmdebstrap; install as root: apt-get install mmdebstrap"):
        IMAGE.write(tmp_path / "image.tar")


def test_the_image_of_postgres_has_upstream_s_user(tmp_path: Path, programs: Path) -> None:
    [image] = postgres.ADDON.images(None, None)  # type: ignore[arg-type]
    image.write(tmp_path / "image.tar")
    asked = json.loads((programs / "asked.json").read_text())
    [hook] = [each for each in asked if each.startswith("--essential-hook=")]
    (tmp_path / "root/etc").mkdir(parents=True)
    subprocess.run(["sh", "-euc", hook.partition("=")[2], "hook", str(tmp_path / "root")], check=True)
    assert (tmp_path / "root/etc/passwd").read_text().startswith("postgres:x:999:999:")
    assert (tmp_path / "root/etc/group").read_text() == "postgres:x:999:\n"
