"""The running cluster is as hardened as docs/cis.md says."""

from __future__ import annotations

import base64
import json
import secrets
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.cis import Flag, Mode
from docs.cis.__main__ import CHECKS
from embedded.cluster import network, plan
from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout
from tests.reading import contents
from tests.waiting import eventually

NODE = plan.NODE_ADDRESS


@pytest.fixture
def files(site: Checkout) -> Files:
    return Files(site.state)


def ask(files: Files, *curl: str) -> subprocess.CompletedProcess[str]:
    """Ask from the cluster's network namespace."""
    command = ["curl", "--silent", "--max-time", "10", "--cacert", str(files.pki / "ca.crt"), *curl]
    return subprocess.run(network.run_inside(files, command), capture_output=True, text=True, check=False)


def status(files: Files, url: str, *options: str) -> str:
    return ask(files, "--output", "/dev/null", "--write-out", "%{http_code}", *options, url).stdout


def as_user(files: Files, name: str) -> list[str]:
    return ["--cert", str(files.pki / f"{name}.crt"), "--key", str(files.pki / f"{name}.key")]


def test_the_running_command_lines_have_the_flags(files: Files) -> None:
    running = Supervisor(files).processes()
    for flag in (each for check in CHECKS for each in check.evidence if isinstance(each, Flag)):
        words = running[flag.program].cmdline()
        given = dict(word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("--"))
        assert (flag.name in given) == (flag.value is not None), flag
        assert not flag.value or given[flag.name] == flag.value, flag


def test_the_files_have_the_modes(files: Files) -> None:
    for mode in (each for check in CHECKS for each in check.evidence if isinstance(each, Mode)):
        found = list(files.state.glob(mode.files))
        assert found, mode
        assert [path for path in found if stat.S_IMODE(path.stat().st_mode) & ~mode.mode or path.stat().st_uid] == []


def test_no_other_user_gets_into_the_state_folder(files: Files) -> None:
    assert stat.S_IMODE(files.state.stat().st_mode) == 0o700


def test_nobody_without_a_name_asks_the_api_server_or_the_kubelet(files: Files) -> None:
    assert status(files, f"https://{NODE}:6443/api") == "401"
    assert status(files, f"https://{NODE}:10250/pods") == "401"
    assert status(files, f"https://{NODE}:10250/pods", *as_user(files, "kube-proxy")) == "403"
    assert status(files, f"https://{NODE}:10250/pods", *as_user(files, "kube-apiserver-kubelet-client")) == "200"


@pytest.mark.parametrize("url", [f"http://{NODE}:10255/pods", f"http://{NODE}:4194/", f"http://{NODE}:8080/api"])
def test_there_is_no_port_for_everybody(files: Files, url: str) -> None:
    assert ask(files, url).returncode == 7  # refused


@pytest.mark.parametrize(
    "server", [f"{NODE}:6443", f"{NODE}:10250", "127.0.0.1:10257", "127.0.0.1:10259"],
    ids=["API server", "kubelet", "controller manager", "scheduler"],
)  # fmt: skip
def test_nobody_is_profiled(files: Files, server: str) -> None:
    profile = f"https://{server}/debug/pprof/"
    assert status(files, profile, *as_user(files, "admin")) in ("403", "404", "405")


@pytest.mark.parametrize("server", [f"{NODE}:6443", f"{NODE}:10250", "127.0.0.1:10257", "127.0.0.1:10259"])
def test_tls_is_1_3(files: Files, server: str) -> None:
    assert ask(files, "--tls-max", "1.2", f"https://{server}/healthz").returncode == 35  # no handshake
    assert status(files, f"https://{server}/healthz") in ("200", "401", "403")


def test_etcd_is_open_to_nobody_but_the_api_server(files: Files) -> None:
    health = "https://127.0.0.1:2379/health"
    authority = ["--cacert", str(files.pki / "etcd-ca.crt")]
    assert ask(files, *authority, health).returncode != 0
    # Nor to who is known to the API server, were it its administrator.
    assert ask(files, *authority, *as_user(files, "admin"), health).returncode != 0
    assert json.loads(ask(files, *authority, *as_user(files, "etcd-client"), health).stdout)["health"] == "true"


@pytest.fixture
def canary(site: Checkout) -> Iterator[str]:
    """The value of a Secret."""
    value = secrets.token_hex(16)
    file = site.path / "secret.json"
    meta = {"name": "hardening-test", "namespace": "default"}
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"key": value}}))
    try:
        site.kubectl("create", "-f", str(file))
    finally:
        file.unlink()
    yield value
    site.kubectl("delete", "secret", "hardening-test", "-n", "default")


def test_secrets_are_encrypted_in_etcd(site: Checkout, files: Files, canary: str) -> None:
    shown = site.kubectl("get", "secret", "hardening-test", "-n", "default", "-o", "jsonpath={.data.key}")
    assert base64.b64decode(shown).decode() == canary

    key = base64.b64encode(b"/registry/secrets/default/hardening-test").decode()
    found = ask(
        files, "--cacert", str(files.pki / "etcd-ca.crt"), *as_user(files, "etcd-client"),
        "--data", json.dumps({"key": key}), "https://127.0.0.1:2379/v3/kv/range",
    )  # fmt: skip
    [entry] = json.loads(found.stdout)["kvs"]
    stored = base64.b64decode(entry["value"])
    assert stored.startswith(b"k8s:enc:secretbox:v1:key1:")
    assert canary.encode() not in stored
    written = {path: contents(path) for path in (files.data / "etcd").rglob("*") if path.is_file()}
    assert any(written.values())
    assert [path for path, text in written.items() if canary.encode() in text] == []


def test_the_audit_log_has_who_read_a_secret_but_not_what_it_says(site: Checkout, files: Files, canary: str) -> None:
    site.kubectl("get", "secret", "hardening-test", "-n", "default")

    def logged() -> list[dict[str, object]]:
        lines = [line for path in files.logs.glob("audit*.log") for line in Path(path).read_text().splitlines()]
        events = [json.loads(line) for line in lines if '"hardening-test"' in line]
        return [event for event in events if event["verb"] == "get" and event["user"]["username"] == "admin"]

    assert eventually(lambda: bool(logged()))
    assert {event["level"] for event in logged()} == {"Metadata"}
    assert all(canary not in path.read_text() for path in files.logs.glob("audit*.log"))


def test_the_certificates_are_of_the_clusters_authority(files: Files) -> None:
    for server in (f"{NODE}:6443", f"{NODE}:10250", "127.0.0.1:10257", "127.0.0.1:10259"):
        assert ask(files, f"https://{server}/healthz").returncode == 0
