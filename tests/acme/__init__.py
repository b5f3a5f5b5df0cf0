"""An ACME authority on this machine, with the DNS that it and the cluster ask: Let's Encrypt's own Pebble."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from embedded import paths
from embedded.progress import Progress
from embedded.toolchain.build import Builder
from embedded.toolchain.gomod import Module
from tests.waiting import eventually

PEBBLE = Module(
    folder=Path(__file__).resolve().parent / "pebble",
    product="Pebble",
    main="github.com/letsencrypt/pebble/v2",
    stamps={"main.version": "github.com/letsencrypt/pebble/v2"},
)

PORT, MANAGEMENT_PORT, NAMES_PORT = 14000, 15000, 8055


@dataclass(frozen=True)
class Authority:
    """The authority while it runs.

    Attributes:
        directory: URL of its directory, for who trusts `private`.
        private: Certificate that its own one is of, PEM.
        address: Where the DNS for the cluster is, on port 53.
    """

    directory: str
    private: str
    address: str

    @property
    def root(self) -> str:
        """Certificate that all that it issues comes from, PEM; another one each time that it starts."""
        trusted = ssl.create_default_context(cadata=self.private)
        answer = httpx.get(f"https://{self.address}:{MANAGEMENT_PORT}/roots/0", verify=trusted, trust_env=False)
        return answer.raise_for_status().text

    def lead(self, host: str, address: str) -> None:
        """Have a name lead to an address of the cluster's network."""
        self._tell("clear-a", {"host": f"{host}."})
        self._tell("add-a", {"host": f"{host}.", "addresses": [address]})

    def _tell(self, path: str, body: object) -> None:
        url = f"http://{self.address}:{NAMES_PORT}/{path}"
        httpx.post(url, content=json.dumps(body), trust_env=False).raise_for_status()


@contextmanager
def authority(folder: Path, address: str, *, names_lead_to: str, valid: int) -> Iterator[Authority]:
    """Run Pebble for the length of a block.

    Args:
        folder: Where its files are put.
        address: What it listens on, and, on port 53, the DNS for the cluster.
        names_lead_to: IPv4 address, as the cluster sees it, of all names that nothing else is said of.
        valid: Seconds that its certificates are valid.
    """
    programs = _programs()
    private, certificate, key = _certificate(address)
    (folder / "cert.pem").write_text(certificate)
    (folder / "key.pem").write_text(key)
    configuration = {
        "listenAddress": f"{address}:{PORT}",
        "managementListenAddress": f"{address}:{MANAGEMENT_PORT}",
        "certificate": str(folder / "cert.pem"),
        "privateKey": str(folder / "key.pem"),
        "httpPort": 80,
        "tlsPort": 443,
        "keyAlgorithm": "ecdsa",
        "retryAfter": {"authz": 1, "order": 1},
        "profiles": {"default": {"description": "short", "validityPeriod": valid}},
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": configuration}))
    off = [word for name in ("http01", "https01", "tlsalpn01", "doh") for word in (f"-{name}", "")]

    def names(listen: str, management: str, lead_to: str) -> list[str | Path]:
        asked = ["-dnsserver", listen, "-management", management, "-defaultIPv4", lead_to, "-defaultIPv6", ""]
        return [programs / "pebble-challtestsrv", *off, *asked]

    # The cluster's network is another one: what is its Service there is a port of loopback here.
    own_names = f"127.0.0.1:{NAMES_PORT + 1}"
    pebble: list[str | Path] = [programs / "pebble", "-config", folder / "pebble.json", "-dnsserver", own_names]
    # It waits before it asks, and refuses some requests, to try its clients; nothing of that is tried here.
    environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    with (
        (folder / "names.log").open("w") as names_log,
        (folder / "pebble.log").open("w") as pebble_log,
        _running(names(f"{address}:53", f"{address}:{NAMES_PORT}", names_lead_to), names_log.fileno()),
        _running(names(own_names, f"127.0.0.1:{NAMES_PORT}", "127.0.0.1"), names_log.fileno()),
        _running(pebble, pebble_log.fileno(), environment) as process,
    ):
        made = Authority(f"https://{address}:{PORT}/dir", private, address)
        assert eventually(lambda: _answers(made) or process.poll() is not None), "Pebble doesn't answer"
        assert process.poll() is None, (folder / "pebble.log").read_text()
        yield made


def _answers(made: Authority) -> bool:
    try:
        return bool(made.root)
    except httpx.TransportError:
        return False


@contextmanager
def _running(
    command: list[str | Path], log: int, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()


def _programs() -> Path:
    """Return the folder of Pebble's programs, which are built if the cache hasn't got them."""
    builder = Builder((PEBBLE,), paths.create_cache("toolchain"), paths.create_cache("log"), Progress())
    for missing in builder.missing:
        builder.build(missing)
    return builder.folders[PEBBLE.name] / "bin"


def _certificate(address: str) -> tuple[str, str, str]:
    """Return a certificate authority, what it has issued for ``address``, and the key of that, all PEM."""
    now = datetime.now(UTC)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    def signed(name: str, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> str:
        builder = x509.CertificateBuilder(named("private"), named(name), key, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        extended = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return extended.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    return (
        signed("private", authority_key.public_key(), x509.BasicConstraints(ca=True, path_length=0)),
        signed(address, key.public_key(), x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )
