"""What a build is told of the machine's package indexes: the way there, and nothing else."""

import configparser
import os
from pathlib import Path

import pytest

from embedded.plugins.docker import package_indexes
from embedded.plugins.docker.package_indexes import CERTIFICATES, proxies, secrets

APT = """\
Acquire "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::https::Proxy::deb.example "DIRECT";
Acquire::https::CAInfo "/etc/ssl/own.pem";
Acquire::http::Proxy-Auto-Detect "/usr/bin/detect";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Architecture "amd64";
"""
TARGETS = """\
http://mirror.example/debian/ bookworm main Debian
http://mirror.example/debian/ bookworm main Debian
http://mirror.example/debian/ trixie main Debian
http://packages.example/shop/ bookworm main Shop
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and an apt of this test's own, and no variables."""
    others = ("PIP_", "NPM_", "npm_", "SSL_", "REQUESTS_", "NODE_", "CURL_")
    for name in filter(lambda name: name.startswith(others), list(os.environ)):
        monkeypatch.delenv(name)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"apt-config": APT, "apt-get": TARGETS}.items():
        (tmp_path / name).write_text(text)
        (programs / name).write_text(f"#!/bin/sh\ncat {tmp_path / name}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("NPM_CONFIG_GLOBALCONFIG", str(tmp_path / "none"))
    return tmp_path


def pip() -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read_string(secrets()["inspiration-pip"].decode())
    return dict(parser["global"])


def test_pip_is_told_where_packages_are_and_not_where_they_go(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "pip.conf").write_text(
        "[global]\nindex-url = https://me:secret@index.example/simple\ntarget = /srv\ntimeout = 5\n"
        "find-links = /opt/wheels\n    https://links.example/\n"
        "[install]\ntrusted-host = index.example\n[wheel]\nno-index = true\n"
    )
    monkeypatch.setenv("PIP_TIMEOUT", "60")
    assert pip() == {
        "index-url": "https://me:secret@index.example/simple",
        "timeout": "60",
        "find-links": "https://links.example/",
        "trusted-host": "index.example",
        "cert": CERTIFICATES,
    }


def test_npm_is_told_what_its_files_and_variables_say(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.setenv("npm_config_https_proxy", "http://proxy.example")
    (machine / ".npmrc").write_text(
        "; mine\nregistry = https://npm.example/\n@us:registry=https://ours.example/\n"
        "//npm.example/:_authToken=${TOKEN}\nprefix=/srv\ncafile=/etc/own.pem\nnodedir=/usr\n"
    )
    assert secrets()["inspiration-npm"].decode().splitlines() == [
        "registry=https://npm.example/",
        "@us:registry=https://ours.example/",
        "//npm.example/:_authToken=secret",
        "https-proxy=http://proxy.example",
        f"cafile={CERTIFICATES}",
    ]


def test_apt_is_told_of_proxies_and_of_debian(machine: Path) -> None:
    given = secrets()
    assert given["inspiration-apt"].decode().splitlines() == [
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::https::Proxy::deb.example "DIRECT";',
        'Acquire::Check-Valid-Until "false";',
        f'Acquire::https::CAInfo "{CERTIFICATES}";',
    ]
    assert given["inspiration-apt-sources"].decode() == (
        "Types: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    (machine / "apt-get").write_text("http://archive.ubuntu.example/ubuntu/ noble main Ubuntu\n")
    assert "inspiration-apt-sources" not in secrets()  # so the image's own are used


def test_the_authorities_of_all_programs_are_trusted(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        (machine / f"{name}.pem").write_text(f"authority {name}")
    monkeypatch.setenv("SSL_CERT_FILE", str(machine / "one.pem"))
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(machine / "one.pem"))
    (machine / "pip.conf").write_text(f"[global]\ncert = {machine / 'two.pem'}\n")
    (machine / ".npmrc").write_text(f"cafile={machine / 'three.pem'}\n")
    lines = secrets()["inspiration-ca"].decode().splitlines()
    assert [line for line in lines if line.startswith("authority")] == [
        "authority one",
        "authority two",
        "authority three",
    ]


def test_proxies_are_build_arguments() -> None:
    environment = {"HTTPS_PROXY": "http://proxy.example", "no_proxy": "localhost", "http_proxy": "", "PATH": "/bin"}
    assert proxies(environment) == {"HTTPS_PROXY": "http://proxy.example", "no_proxy": "localhost"}


def test_each_secret_has_a_place_that_everybody_in_the_build_may_read() -> None:
    mounts = [dict(part.split("=", 1) for part in mount.split(",")) for mount in package_indexes.MOUNTS.split()]
    assert {mount["id"] for mount in mounts} >= secrets().keys()
    assert {mount["mode"] for mount in mounts} == {"0444"}
    assert len({mount["target"] for mount in mounts}) == len(mounts)
