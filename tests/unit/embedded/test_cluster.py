"""The embedded cluster's certificates, configuration and command lines, without starting it."""

from __future__ import annotations

import datetime
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from embedded.cluster import configuration, pki, plan
from embedded.cluster.plan import Files, Ports
from embedded.cluster.preflight import check
from embedded.cluster.programs import programs
from embedded.errors import Failure
from embedded.paths import PROJECT


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path / "state")
    made.make()
    return made


def certificate(files: Files, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((files.pki / f"{name}.crt").read_bytes())


def test_only_the_administrator_is_in_system_masters(files: Files) -> None:
    pki.provide(files.pki)
    masters = [
        identity.file
        for identity in pki.IDENTITIES
        for organization in certificate(files, identity.file).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        if organization.value == "system:masters"
    ]
    assert masters == ["admin"]


def test_every_certificate_is_of_its_authority_and_its_key(files: Files) -> None:
    pki.provide(files.pki)
    for identity in pki.IDENTITIES:
        leaf = certificate(files, identity.file)
        leaf.verify_directly_issued_by(certificate(files, identity.ca))
        assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_keys_are_for_their_owner_only(files: Files) -> None:
    pki.provide(files.pki)
    configuration.write(files, cni_bin=Path("/nowhere"))
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for folder in (files.pki, files.config, files.state)
        for path in folder.iterdir()
        if path.is_file()
    }
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(files.state.stat().st_mode) == 0o700


def test_certificates_are_made_once_and_renewed_in_their_last_year(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pki.provide(files.pki)
    before = {path.name: path.read_bytes() for path in files.pki.iterdir()}
    assert not pki.provide(files.pki)
    assert {path.name: path.read_bytes() for path in files.pki.iterdir()} == before

    monkeypatch.setattr(pki, "RENEW_BEFORE", pki.LEAF_LIFETIME + datetime.timedelta(days=1))

    assert pki.provide(files.pki)
    after = {path.name: path.read_bytes() for path in files.pki.iterdir()}
    renewed = {name for name in before if before[name] != after[name]}
    assert renewed == {f"{identity.file}.{kind}" for identity in pki.IDENTITIES for kind in ("crt", "key")}


def test_a_clock_that_was_set_back_is_told(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if they had been made tomorrow.
    monkeypatch.setattr(pki, "BACKDATED", datetime.timedelta(days=-1))
    pki.provide(files.pki)
    before = {path.name: path.read_bytes() for path in files.pki.iterdir()}

    with pytest.raises(Failure, match=r"this machine's clock says .* UTC, before the cluster's certificates begin, .*"):
        pki.provide(files.pki)

    assert {path.name: path.read_bytes() for path in files.pki.iterdir()} == before


def test_a_new_authority_renews_what_it_vouched_for_and_nothing_else(files: Files) -> None:
    pki.provide(files.pki)
    before = {path.name: path.read_bytes() for path in files.pki.iterdir()}
    (files.pki / "etcd-ca.crt").unlink()

    assert pki.provide(files.pki)

    changed = {path.stem for path in files.pki.iterdir() if before.get(path.name) != path.read_bytes()}
    assert changed == {"etcd-ca", "etcd-server", "etcd-client"}


def test_the_encryption_key_stays_the_same(files: Files) -> None:
    pki.provide(files.pki)
    configuration.write(files, cni_bin=Path("/nowhere"))
    before = (files.config / "encryption.yaml").read_text()
    configuration.write(files, cni_bin=Path("/nowhere"))
    assert (files.config / "encryption.yaml").read_text() == before
    assert yaml.safe_load(before)["resources"][0]["resources"] == ["secrets"]


def test_the_kubeconfig_stands_alone(files: Files) -> None:
    pki.provide(files.pki)
    configuration.write(files, cni_bin=Path("/nowhere"))
    document = yaml.safe_load(files.kubeconfig.read_text())
    assert document["current-context"] == "inspiration"
    assert document["clusters"][0]["cluster"]["server"] == "https://10.215.0.2:6443"
    assert str(files.state) not in files.kubeconfig.read_text()


def test_pods_get_addresses_of_the_pod_network(files: Files) -> None:
    pki.provide(files.pki)
    configuration.write(files, cni_bin=Path("/nowhere"))
    chain = json.loads((files.config / "cni" / "10-bridge.conflist").read_text())
    assert chain["plugins"][0]["ipam"]["ranges"] == [[{"subnet": plan.POD_NETWORK}]]


def test_no_secret_is_on_a_command_line(files: Files) -> None:
    pki.provide(files.pki)
    configuration.write(files, cni_bin=Path("/nowhere"))
    words = [
        word
        for program in programs(files, Path("/bin"), Path("/bin/kube-router"), Ports(), Path("/usr/sbin/dockerd"))
        for word in program.command
    ]
    key = yaml.safe_load((files.config / "encryption.yaml").read_text())["resources"][0]["providers"][0]
    assert not any(key["secretbox"]["keys"][0]["secret"] in word for word in words)
    assert not any("PRIVATE KEY" in word for word in words)


def test_the_machine_listens_on_loopback_only(files: Files) -> None:
    started = programs(files, Path("/bin"), Path("/bin/kube-router"), Ports(), Path("/usr/sbin/dockerd"))
    outside = [program for program in started if not program.in_cluster_network]
    assert [program.name for program in outside] == ["relay"]
    assert list(outside[0].command[1:]) == [
        f"-hosts={files.config}/nodes.txt",
        "127.0.0.1:80=:80",
        "127.0.0.1:443=:443",
        "127.0.0.1:32000=:32000",
    ]


def test_the_machine_s_ports_lead_to_the_node_ports_of_the_config(files: Files) -> None:
    ports = Ports(http=8080, http_on_node=30080, https_on_node=30443)
    [relay] = [
        program
        for program in programs(files, Path("/bin"), Path("/bin/kube-router"), ports, Path("/usr/sbin/dockerd"))
        if program.name == "relay"
    ]
    assert list(relay.command[2:]) == ["127.0.0.1:443=:30443", "127.0.0.1:8080=:30080", "127.0.0.1:32000=:32000"]


def test_a_state_folder_behind_a_link_is_the_folder_itself(tmp_path: Path) -> None:
    """The kernel names mounts by the folder, so that one named by the link wouldn't be found again."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    done = subprocess.run(
        [sys.executable, "-c", "from embedded import paths; print(paths.STATE)"],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "INSPIRATION_STATE": str(tmp_path / "link")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{tmp_path.resolve()}/disk\n"


def test_a_state_folder_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 40)
    with pytest.raises(Failure) as failure:
        check(Files(deep), Ports(59080, 59443, 59032), own=())
    assert str(failure.value) == (
        f"the path {deep} is too long for the sockets in it; "
        "keep the state elsewhere: export INSPIRATION_STATE=/var/lib/inspiration"
    )
