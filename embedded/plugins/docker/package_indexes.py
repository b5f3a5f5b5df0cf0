"""This machine's configuration of package indexes, for what a Dockerfile runs: the secrets of its build.

A build finds them where pip, npm and apt look for what an administrator has configured, below what the image or the
project says itself. Only what says where packages are, and how to get there, is handed on: not where they go.
"""

import ast
import configparser
import io
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

SUITE = "bookworm"
"""Of the Debian that builds install packages of."""

CERTIFICATES = "/run/secrets/ca-certificates.crt"
"""Where a build finds the authorities that this machine trusts."""

_PLACES = {
    "inspiration-ca": CERTIFICATES,
    "inspiration-pip": "/etc/xdg/pip/pip.conf",
    "inspiration-npm": "/usr/local/etc/npmrc",
    "inspiration-apt": "/etc/apt/apt.conf.d/zz-machine",
    "inspiration-apt-auth": "/etc/apt/auth.conf.d/machine.conf",
    "inspiration-apt-sources": "/etc/apt/sources.list.d/debian.sources",
}
"""Where a build has each secret."""

MOUNTS = " ".join(f"--mount=type=secret,id={name},target={place},mode=0444" for name, place in _PLACES.items())
"""What a ``RUN`` needs for that. Always the same, so that the cache of an earlier build is of use."""

_APT_AUTH = Path("/etc/apt/auth.conf")
_PIP = {
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host"),
    *("proxy", "retries", "timeout", "default-timeout"),
}
_NPM = re.compile(
    r"(//.*|(@[^:]+:)?registry|_auth|_authToken|username|_password|email|always-auth"
    r"|(https-|http-)?proxy|noproxy|strict-ssl|ca(\[\])?|fetch-.*|maxsockets|replace-registry-host"
    r"|omit-lockfile-registry-resolved)"
)
_APT = re.compile(
    r'^Acquire::(?!\S*(?:Auto-?Detect|CAInfo|SslCert|SslKey))(?:https?|Check-|Retries|Force)\S* ".*";$',
    re.MULTILINE | re.IGNORECASE,
)
_APT_SOURCE = re.compile(rf"(\S+) ({SUITE}(?:-updates|-security)?) (\S+) (?:Debian|\$\(ORIGIN\))?")


def secrets() -> dict[str, bytes]:
    """What a build may have, by identifier; what this machine says nothing of isn't among it."""
    pip, npm = _pip_settings(), _npm_settings()
    found = {
        "inspiration-ca": _certificates([pip.get("cert"), *(value for key, value in npm if key == "cafile")]),
        "inspiration-pip": _pip(pip),
        "inspiration-npm": _npm(npm),
        "inspiration-apt": _apt(),
        "inspiration-apt-auth": _read([_APT_AUTH, *sorted(Path(f"{_APT_AUTH}.d").glob("*.conf"))]),
        "inspiration-apt-sources": _apt_sources(),
    }
    return {name: text.encode() for name, text in found.items() if text}


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables about proxies, which are build arguments that Docker keeps out of the image and its history."""
    names = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
    return {name: value for name, value in environment.items() if name.lower() in names and value}


def _certificates(others: Iterable[str | None]) -> str:
    """All authorities that this machine's programs trust: the system's, those of variables, those of ``others``."""
    named = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
    files = [ssl.get_default_verify_paths().cafile, *map(os.environ.get, named), *others]
    return _read(dict.fromkeys(Path(file).resolve() for file in files if file))


def _pip(settings: Mapping[str, str]) -> str:
    """A pip.conf that says what all of pip's files and variables say here."""
    kept = {key: value for key, value in settings.items() if key in _PIP}
    # A folder of this machine isn't in the build.
    links = [link for link in kept.pop("find-links", "").split() if link.startswith(("http://", "https://"))]
    parser = configparser.RawConfigParser()
    parser["global"] = {**kept, **({"find-links": "\n".join(links)} if links else {}), "cert": CERTIFICATES}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _pip_settings() -> dict[str, str]:
    """What pip is told, by its files, for its installations, and then by variables."""
    sections = ("global", "install", ":env:")
    found = []
    # “global.index-url='https://…'”, “:env:.timeout='60'”
    for line in _output([sys.executable, "-m", "pip", "config", "list"]).splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in sections:
            found.append((sections.index(section), key, str(ast.literal_eval(value))))
    return {key: value for _, key, value in sorted(found)}


def _npm(settings: Iterable[tuple[str, str]]) -> str:
    """An npmrc that says what all of npm's files and variables say here."""
    lines = [f"{key}={value}" for key, value in settings if _NPM.fullmatch(key)]
    return "".join(f"{line}\n" for line in [*lines, f"cafile={CERTIFICATES}"])


def _npm_settings() -> list[tuple[str, str]]:
    """What npm is told, by the machine's file, then the user's, then variables."""
    variables = {name.lower(): value for name, value in os.environ.items() if name.lower().startswith("npm_config_")}
    common = [Path(folder, "npmrc") for folder in ("/etc", "/usr/etc", "/usr/local/etc")]
    files = [Path(variables["npm_config_globalconfig"])] if "npm_config_globalconfig" in variables else common
    files.append(Path(variables.get("npm_config_userconfig") or Path.home() / ".npmrc"))
    settings = list(_rows(_read(files)))
    for name, value in variables.items():
        key = name.removeprefix("npm_config_")
        settings.append((key if key.startswith("//") else key[:1] + key[1:].replace("_", "-"), value))
    return settings


def _rows(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith((";", "#")):
            # As npm does it: the build hasn't got the variable.
            yield key.strip(), re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], found[0]), value.strip())


def _apt() -> str:
    """What apt is told of the way to its sources."""
    lines = [found[0] for found in _APT.finditer(_output(["apt-config", "dump"]))]
    return "".join(f"{line}\n" for line in [*lines, f'Acquire::https::CAInfo "{CERTIFICATES}";'])


def _apt_sources() -> str:
    """Where this machine's apt has the packages of `SUITE` from; empty if from nowhere."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"]
    rows = map(_APT_SOURCE.fullmatch, _output([*asked, "Created-By: Packages"]).splitlines())
    signed = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
    entries = dict.fromkeys(
        f"Types: deb\nURIs: {row[1]}\nSuites: {row[2]}\nComponents: {row[3]}\n{signed}\n" for row in rows if row
    )
    return "\n".join(entries)


def _read(files: Iterable[Path]) -> str:
    """The text of those of the files that can be read, one after the other."""
    texts = []
    for file in files:
        try:
            texts.append(file.read_text(errors="replace"))
        except OSError:
            continue
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts)


def _output(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
