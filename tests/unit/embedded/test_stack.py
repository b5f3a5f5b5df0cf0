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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stack has no file yet, as the working directory."""
    (tmp_path / "Pulumi.yaml").write_text("name: inspiration\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ports(project: Path, text: str) -> Ports:
    (project / "Pulumi.dev.yaml").write_text(text)
    return stack.ports(project, stack.read_settings(project))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Ports(80, 443, 32000)),
        ("config:\n  inspiration:context: x\n", Ports(80, 443, 32000)),
        (CONFIG, Ports(8080, 443, 32123)),
        ("config:\n", Ports(80, 443, 32000)),
        ("config:\n  inspiration:ingress:\n", Ports(80, 443, 32000)),
        ("config:\n  ingress: {httpPort: 8080}\n", Ports(8080, 443, 32000)),
        ("config:\n  inspiration:addons:\n    ingress: true\n", Ports(80, 443, 32000)),
        (
            "config:\n  inspiration:addons:\n    ingress:\n      nodePorts: {http: 30080, https: 30443}\n",
            Ports(80, 443, 32000, http_on_node=30080, https_on_node=30443),
        ),
    ],
)
def test_ports_are_those_of_the_config(project: Path, text: str, expected: Ports) -> None:
    assert ports(project, text) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"config: [", "Pulumi.dev.yaml isn't YAML: while parsing a flow node expected the node content, "),
        (b"config: 0x_", "Pulumi.dev.yaml isn't YAML: invalid literal for int() with base 16: "),
        (b"config: \xff", "Pulumi.dev.yaml isn't YAML: it isn't text"),
    ],
)
def test_a_file_that_is_not_yaml_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_bytes(content)
    with pytest.raises(Failure) as failure:
        stack.read_settings(tmp_path)
    assert str(failure.value).startswith(expected)


def test_what_the_program_would_refuse_is_refused_before_anything_is_done(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(*_: object) -> None:
        raise AssertionError("the cluster is looked at")

    monkeypatch.setattr(Cluster, "check", touched)
    monkeypatch.setattr(up, "PROJECT", project)
    (project / "Pulumi.dev.yaml").write_text(
        "config:\n  inspiration:ingress: {httpPort: many}\n  inspiration:domian: x\n"
        "  inspiration:addons: {logs: {size: {secure: v1}}}\n"
    )
    with pytest.raises(Failure) as failure:
        up.run(cluster_only=True, nodes=None, pulumi_arguments=[])
    assert failure.value.cause.splitlines() == [
        "the configuration is refused:",
        "inspiration:domian: unknown key; did you mean domain? allowed: kubeconfig, context, domain, prefix, sites, "
        "ingress, registry, certificateAuthority, addons, charts",
        "inspiration:addons: a secret is in it, and nothing of it is kept secret in the stack's state; set it without "
        "--secret",
        'inspiration:ingress.httpPort: "many" given; allowed: a port, 1 to 65535',
    ]
    assert failure.value.fix == "correct Pulumi.dev.yaml"


@pytest.mark.parametrize(
    "text",
    [
        "kubeconfig: {secure: v1}",
        "certificateAuthority: {certificate: no certificate, privateKey: {secure: v1}}",
        "certificateAuthority: {secure: v1}",
        "charts: [{values: {password: {secure: v1}}}]",
        "sites: [{name: no}]",  # a text for Pulumi, if not for YAML 1.1
    ],
)
def test_what_only_pulumi_can_read_is_left_to_the_program(project: Path, text: str) -> None:
    assert ports(project, f"config:\n  inspiration:{text}\n  inspiration:ingress: {{httpPort: 8080}}\n").http == 8080


def test_the_keys_begin_with_the_name_of_the_project(project: Path) -> None:
    (project / "Pulumi.yaml").write_text("name: shop\n")
    found = ports(project, "config:\n  shop:ingress: {httpPort: 8080}\n")
    assert found == Ports(http=8080, project="shop")
    assert found.keys()[8080] == "shop:ingress.httpPort"


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
        stack.read_settings(tmp_path)
    assert str(failure.value).startswith(expected)


def test_a_second_cni_is_refused() -> None:
    with pytest.raises(Failure) as caught:
        up.refuse(["dns", "cilium"])
    assert str(caught.value) == (
        "addons.cilium: Cilium has to be the first CNI of a cluster, and the embedded cluster has one; "
        "switch it off here: pulumi config rm --path addons.cilium --stack dev"
    )
    up.refuse(["dns", "istio"])


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        (CONFIG, ""),
        (CONFIG + "  inspiration:kubeconfig:\n    secure: v1:abc\n", SALT),
        (CONFIG + '  inspiration:kubeconfig: {"secure": "v1:abc"}\n', SALT),
    ],
)
def test_the_salt_stays_only_with_secrets(tmp_path: Path, config: str, kept: str) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(config + SALT)
    stack.forget_salt(tmp_path, but_for_secrets=True)
    assert (tmp_path / "Pulumi.dev.yaml").read_text() == config + kept


def test_the_git_filter_of_earlier_versions_is_taken_back(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=me", "-c", "user.email=me@example.com")
        return subprocess.run(["git", *identity, *arguments], cwd=tmp_path, text=True, check=True, stdout=-1).stdout

    git("init", "-q")
    config = tmp_path / ".git/config"
    before = config.read_text()
    config.write_text(before + '[filter "pulumi-encryptionsalt"]\n\tclean = sed /^encryptionsalt:/d\n\tsmudge = cat\n')
    (tmp_path / ".gitattributes").write_text("Pulumi.dev.yaml filter=pulumi-encryptionsalt\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(CONFIG + SALT)
    git("add", ".")
    git("commit", "-qm", "before")
    git("rm", "-q", ".gitattributes")
    git("commit", "-qm", "after")
    assert stack._unset_filter(tmp_path)
    assert config.read_text() == before
    stack.forget_salt(tmp_path)
    stack._recount(tmp_path)
    assert git("status", "--porcelain") == ""
    assert not stack._unset_filter(tmp_path)


def test_the_salt_is_forgotten_with_its_passphrase(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(CONFIG + SALT.strip())
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


@pytest.mark.parametrize("content", [b"config: }\n", b"config: 0x_", b"config: \xff"])
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
        stack.read_settings(tmp_path)
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
