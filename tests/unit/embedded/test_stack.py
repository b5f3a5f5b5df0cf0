"""What surrounds the ``dev`` stack: its ports, the salt, the remembered environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from embedded import files, stack
from embedded.cluster.cluster import Cluster
from embedded.cluster.plan import Ports
from embedded.commands import connection, up
from embedded.errors import Failure
from embedded.paths import PROJECT

CONFIG = """config:
  inspiration:context: inspiration
  inspiration:ingress:
    httpPort: 8080
  inspiration:registry:
    nodePort: 32123
"""
SALT = "encryptionsalt: v1:abc:v1:def\n"


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("", Ports(80, 443, 32000)),
        ("config:\n  inspiration:context: x\n", Ports(80, 443, 32000)),
        (CONFIG, Ports(8080, 443, 32123)),
        ("config:\n  inspiration:ingress: nonsense\n", Ports(80, 443, 32000)),
        ("config:\n  inspiration:ingress:\n    httpPort: many\n", Ports(80, 443, 32000)),
        ("config:\n  inspiration:ingress:\n    httpPort: true\n", Ports(80, 443, 32000)),
        ("config:\n  inspiration:ingress:\n    httpPort: 65536\n", Ports(80, 443, 32000)),
        ("config:\n", Ports(80, 443, 32000)),
        ("config:\n  inspiration:addons:\n    ingress: true\n", Ports(80, 443, 32000)),
        (
            "config:\n  inspiration:addons:\n    ingress:\n      nodePorts: {http: 30080, https: 30443}\n",
            Ports(80, 443, 32000, http_on_node=30080, https_on_node=30443),
        ),
    ],
)
def test_ports_are_those_of_the_config(tmp_path: Path, text: str, ports: Ports) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: inspiration\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    assert stack.ports(tmp_path) == ports


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"config: [", "Pulumi.dev.yaml isn't YAML: while parsing a flow node expected the node content, "),
        (b"config: 2001-99-99", "Pulumi.dev.yaml isn't YAML: month must be in 1..12"),
        (b"config: \xff", "Pulumi.dev.yaml isn't YAML: it isn't text"),
    ],
)
def test_a_file_that_is_not_yaml_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_bytes(content)
    with pytest.raises(Failure) as failure:
        stack.ports(tmp_path)
    assert str(failure.value).startswith(expected)


@pytest.mark.parametrize(
    ("text", "addons"),
    [
        ("", {}),
        ("config:\n  inspiration:addons:\n", {}),
        ("config:\n  inspiration:addons: nonsense\n", {}),
        ("config:\n  inspiration:addons:\n    one: true\n    two: false\n    three:\n", {"one": {}}),
        ("config:\n  inspiration:addons:\n    one: {}\n    two: 'true'\n    three: 1\n", {"one": {}}),
        (
            "config:\n  inspiration:addons:\n    dns: true\n    one:\n      retention: 7d\n",
            {"dns": {}, "one": {"retention": "7d"}},
        ),
        ("config:\n  inspiration:addons:\n    one: auto\n    two: {auto: true}\n", {"one": {}, "two": {"auto": True}}),
    ],
)
def test_the_addons_that_are_on_are_those_that_the_config_names(
    tmp_path: Path, text: str, addons: dict[str, object]
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: inspiration\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    assert stack.addons(tmp_path) == addons


def test_the_keys_begin_with_the_name_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n  shop:ingress: {httpPort: 8080}\n  shop:addons: {logs: true}\n  inspiration:addons: {jaeger: true}\n"
    )
    assert stack.ports(tmp_path) == Ports(http=8080)
    assert stack.addons(tmp_path) == {"logs": {}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runtime: python\n", "Pulumi.yaml has no name; give the project one, such as `name: inspiration`"),
        ("name: }\n", "Pulumi.yaml isn't YAML: "),
    ],
)
def test_a_project_without_a_name_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  inspiration:addons: {}\n")
    with pytest.raises(Failure) as failure:
        stack.addons(tmp_path)
    assert str(failure.value).startswith(expected)


def test_a_second_cni_is_refused_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_: object) -> None:
        raise AssertionError("the cluster is looked at")

    monkeypatch.setattr(Cluster, "check", touched)
    monkeypatch.setattr(stack, "addons", lambda _: {"dns": {}, "cilium": {}})
    with pytest.raises(Failure) as caught:
        up.run(cluster_only=True, pulumi_arguments=[])
    assert str(caught.value) == (
        "addons.cilium: Cilium has to be the first CNI of a cluster, and the embedded cluster has one; "
        "switch it off here: pulumi config rm --path addons.cilium --stack dev"
    )
    stack.refuse_addons({"dns": {}, "istio": {}})


def test_without_a_file_there_is_no_config(tmp_path: Path) -> None:
    assert stack.ports(tmp_path) == Ports()
    assert stack.addons(tmp_path) == {}


def test_the_salt_never_shows_as_a_change(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    git("init", "-q")
    project = Path(__file__).resolve().parents[3]
    (tmp_path / ".gitattributes").write_text((project / ".gitattributes").read_text())
    (tmp_path / "Pulumi.dev.yaml").write_text(CONFIG)
    git("add", "-A")
    git("commit", "-qm", "one")

    (tmp_path / "Pulumi.dev.yaml").write_text(CONFIG + SALT)
    stack.hide_salt(tmp_path)

    assert git("status", "--porcelain") == ""

    (tmp_path / "Pulumi.dev.yaml").write_text(CONFIG.replace("8080", "8081") + SALT)
    stack.hide_salt(tmp_path)

    assert git("status", "--porcelain") == " M Pulumi.dev.yaml\n"  # a change of the user's is neither hidden nor staged
    git("add", "-A")
    assert git("show", ":Pulumi.dev.yaml") == CONFIG.replace("8080", "8081")


def test_the_salt_is_forgotten_with_its_passphrase(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(CONFIG + SALT)
    stack.forget_salt(tmp_path)
    assert (tmp_path / "Pulumi.dev.yaml").read_text() == CONFIG


def test_the_passphrase_is_made_once_and_is_private(tmp_path: Path) -> None:
    stack.write_passphrase(tmp_path)
    first = (tmp_path / "passphrase").read_text()
    stack.write_passphrase(tmp_path)
    assert (tmp_path / "passphrase").read_text() == first
    assert len(first) >= 32
    assert (tmp_path / "passphrase").stat().st_mode & 0o777 == 0o600


def test_a_proxy_is_not_asked_for_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    monkeypatch.setenv("no_proxy", ".corp.example,intranet.example")
    made = stack.environment(tmp_path, tmp_path / "kubeconfig", "unix:///docker.sock")
    names = made["NO_PROXY"].split(",")
    assert names[:2] == ["intranet.example", ".corp.example"]
    assert {"10.215.0.2", "127.0.0.1", "localhost"} <= set(names)
    # Python's programs prefer the one, Go's the other.
    assert made["no_proxy"] == made["NO_PROXY"]


def test_what_is_on_this_machine_needs_no_proxy_that_is_set_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    made = stack.environment(tmp_path, tmp_path / "kubeconfig", "unix:///docker.sock")
    assert {"10.215.0.2", "127.0.0.1", "localhost"} <= set(made["NO_PROXY"].split(","))
    assert made["no_grpc_proxy"] == "localhost,127.0.0.1,::1"
    monkeypatch.setattr(connection, "FILE", tmp_path / "environment.json")
    connection.remember(made, ["/bin"])
    # Theirs is in force where it is asked for, whatever it was when script/up ran.
    monkeypatch.setenv("no_proxy", "intranet.example")
    kept = connection.recall()
    assert kept is not None
    assert kept[0]["NO_PROXY"] == kept[0]["no_proxy"] == f"intranet.example,{made['NO_PROXY']}"
    assert kept[0]["no_grpc_proxy"] == "intranet.example,localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"folders": []}', '{"environment": 1}', '{"environment": {}, "folders": 7}']
)
def test_a_record_of_another_version_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = tmp_path / "environment.json"
    file.write_text(text)
    monkeypatch.setattr(connection, "FILE", file)
    with pytest.raises(Failure) as failure:
        connection.recall()
    assert str(failure.value) == (
        f"{file} can't be read: it is damaged, or of another version; run script/up, which writes it anew"
    )


def test_what_another_version_writes_besides_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FILE", tmp_path / "environment.json")
    (tmp_path / "environment.json").write_text('{"environment": {"KUBECONFIG": "/x"}, "version": 2}')
    kept = connection.recall()
    assert kept is not None
    assert (kept[0]["KUBECONFIG"], kept[1]) == ("/x", [])


@pytest.mark.parametrize("content", [b"config: }\n", b"config: 2001-99-99", b"config: \xff"])
def test_every_command_says_that_the_file_is_not_yaml(tmp_path: Path, content: bytes) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "embedded", project / "embedded", ignore=shutil.ignore_patterns("__pycache__"))
    (project / "Pulumi.yaml").write_text("name: inspiration\n")
    (project / "Pulumi.dev.yaml").write_bytes(content)
    state = tmp_path / "state"
    (state / "data/etcd").mkdir(parents=True)
    for words in (["up"], ["backup", str(tmp_path / "file")], ["restore", str(tmp_path / "file")]):
        if words[0] == "restore":
            shutil.rmtree(state / "data")
        done = subprocess.run(
            [sys.executable, "-P", "-m", "embedded", *words], cwd=project, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(project), "INSPIRATION_STATE": str(state)},
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert "error: Pulumi.dev.yaml isn't YAML: " in done.stderr
        assert done.stderr.endswith("\n  fix: correct the file\n")
        assert "Traceback" not in done.stderr


def test_without_a_file_there_is_nothing_to_forget(tmp_path: Path) -> None:
    stack.forget_salt(tmp_path)
    assert stack.configuration(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cant_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").mkdir()
    with pytest.raises(Failure) as failure:
        stack.ports(tmp_path)
    assert str(failure.value) == f"{tmp_path}/Pulumi.dev.yaml can't be read: Is a directory; put that right"


def test_a_file_is_replaced_at_once_and_stays_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(CONFIG + SALT)
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1234, 1234)
    before = file.stat()
    (tmp_path / "link").symlink_to(file)
    files.replace(tmp_path / "link", CONFIG)
    after = file.stat()
    assert (tmp_path / "link").is_symlink()
    assert file.read_text() == CONFIG
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    with pytest.raises(TypeError):
        files.replace(file, 7)  # type: ignore[arg-type]
    assert file.read_text() == CONFIG
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Pulumi.dev.yaml", "link"]
