"""A value that is planted in each secret key of the configuration is found nowhere in clear."""

from __future__ import annotations

import base64
import datetime
import os
import secrets
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.charts import write_chart
from tests.checkout import Checkout, newcomer
from tests.reading import contents

SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {password: "{{ .Values.database.password }}"}
"""


@dataclass
class Planted:
    """The canaries, by the key that each is in, and all that was said and seen since."""

    checkout: Checkout
    canaries: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    command_lines: set[str] = field(default_factory=set)

    def found_in(self, text: str) -> list[str]:
        """The keys of those that are in a text, as they are or as a Secret has them."""
        return [
            key
            for key, canary in self.canaries.items()
            if canary in text or base64.b64encode(canary.encode()).decode() in text
        ]

    def set(self, key: str, value: str, *options: str) -> None:
        """Set a key as the README says: by standard input, so that no command line has it."""
        done = subprocess.run(
            ["pulumi", "config", "set", "--path", *options, key, "--stack", "dev", "--non-interactive"],
            cwd=self.checkout.path, env={**newcomer(), **self.checkout.environment()},
            input=value, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.said.append(done.stdout + done.stderr)

    def run(self, *command: str) -> str:
        done = self.checkout.run(*command, environment=self.checkout.environment())
        assert done.returncode == 0, done.stdout + done.stderr
        self.said.append(done.stdout + done.stderr)
        return done.stdout

    def watch(self, stop: threading.Event) -> None:
        """Note the command line of every process, until told to stop."""
        while not stop.wait(0.3):
            self.command_lines |= {" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])}


def authority() -> tuple[str, str]:
    """A certificate authority: its certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "canary")])
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()


@pytest.fixture(scope="module")
def planted(site: Checkout) -> Iterator[Planted]:
    """The stack with a canary in each of its secret keys, deployed; then without them again."""
    found = Planted(site)
    certificate, key = authority()
    kubeconfig = yaml.safe_load((site.state / "kubeconfig").read_text())
    token, password, another = (secrets.token_hex(16) for _ in range(3))
    kubeconfig["users"].append({"name": "canary", "user": {"token": token}})
    write_chart(site.path / "charts" / "shop", {"secret.yaml": SECRET})
    try:
        found.set("inspiration:certificateAuthority.certificate", certificate)
        found.set("inspiration:certificateAuthority.privateKey", key, "--secret")
        found.set("inspiration:kubeconfig", yaml.safe_dump(kubeconfig), "--secret")
        found.set("inspiration:charts[0].name", "shop")
        found.set("inspiration:charts[0].chart", "charts/shop")
        found.set("inspiration:charts[0].values.database.password", password, "--secret")
        found.set("inspiration:charts[1].name", "released")
        found.set("inspiration:charts[1].chart", "charts/shop")
        found.set("inspiration:charts[1].hooks", "true")
        found.set("inspiration:charts[1].values.database.password", another, "--secret")
        found.canaries |= {
            "certificateAuthority.privateKey": key.splitlines()[1],
            "kubeconfig": token,
            "charts[0].values": password,
            "charts[1].values": another,
        }
        stop = threading.Event()
        watching = threading.Thread(target=found.watch, args=(stop,))
        watching.start()
        try:
            found.run("script/up")
            for words in (
                ["preview", "--diff"],
                ["preview", "--json"],
                ["stack", "export"],
                ["stack", "output"],
                ["config"],
            ):
                found.run("pulumi", *words, "--stack", "dev", "--non-interactive")
            found.run("pulumi", "refresh", "--yes", "--skip-preview", "--diff", "--stack", "dev", "--non-interactive")
        finally:
            stop.set()
            watching.join()
        yield found
    finally:
        site.run("git", "checkout", "-q", ".")
        site.run("git", "clean", "-qfd")
        site.up()


def test_they_got_where_they_belong(planted: Planted) -> None:
    """Without this, the other tests would find nothing because there is nothing."""
    password = planted.checkout.kubectl(
        "get", "secret", "shop", "-n", "shop", "-o", "go-template={{.data.password|base64decode}}"
    )
    assert password == planted.canaries["charts[0].values"]
    shown = planted.checkout.pulumi("stack", "export", "--show-secrets").stdout
    assert planted.found_in(shown) == list(planted.canaries)


def test_no_output_has_one(planted: Planted) -> None:
    assert len(planted.said) > 10
    assert planted.found_in("\n".join(planted.said)) == []


def test_no_command_line_had_one(planted: Planted) -> None:
    assert any("pulumi" in line for line in planted.command_lines)
    assert planted.found_in("\n".join(planted.command_lines)) == []


@pytest.mark.parametrize("folder", [".inspiration/pulumi", ".inspiration/logs", ".inspiration/pulumi-home"])
def test_neither_checkpoint_nor_log_has_one(planted: Planted, folder: str) -> None:
    files = [path for path in (planted.checkout.path / folder).rglob("*") if path.is_file()]
    assert files
    assert {path: found for path in files if (found := planted.found_in(contents(path).decode(errors="replace")))} == {}


def test_the_stacks_file_has_them_encrypted(planted: Planted) -> None:
    text = (planted.checkout.path / "Pulumi.dev.yaml").read_text()
    assert text.count("secure:") == len(planted.canaries)
    assert planted.found_in(text) == []


def test_no_object_but_secrets_has_one(planted: Planted) -> None:
    kinds = "configmaps,pods,deployments,daemonsets,statefulsets,services,ingresses,events,serviceaccounts"
    assert planted.found_in(planted.checkout.kubectl("get", kinds, "-A", "-o", "json")) == []


def test_no_image_has_one(planted: Planted) -> None:
    environment = {**os.environ, **planted.checkout.environment()}
    image = planted.checkout.outputs()["images"]["inspiration"]
    history = subprocess.run(
        ["docker", "history", "--no-trunc", image], env=environment, capture_output=True, text=True, check=True
    )
    assert planted.found_in(history.stdout) == []
    saved = subprocess.run(["docker", "save", image], env=environment, capture_output=True, check=True).stdout
    assert b"nginx.conf" in saved
    assert [key for key, canary in planted.canaries.items() if canary.encode() in saved] == []
