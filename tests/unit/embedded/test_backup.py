"""Backups of a state folder: whole, private, and never in the way of what is there."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from embedded import backup, interruption, stack
from embedded.errors import Failure

CONFIGURATION = "config:\n  inspiration:sites:\n    - name: hello\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with something in each part."""
    folder = tmp_path / "state"
    for name in ("data/etcd/member/snap/db", "data/volumes/one/file", "pki/ca.key", "pulumi/.pulumi/stacks/dev.json",
                 "config/encryption.yaml", "passphrase", "logs/etcd.log", "config/kubelet.yaml"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
        (folder / name).chmod(0o600)
    (folder / "data/volumes/one").chmod(0o777)
    return folder


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Text and mode of each file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_text(), stat.S_IMODE(path.stat().st_mode)) for path in files}


def test_what_was_backed_up_comes_back_and_nothing_else(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    backup.write(state, file, CONFIGURATION, contextlib.nullcontext())
    target = tmp_path / "target"
    target.mkdir()

    backup.restore(target, file, CONFIGURATION)

    before = contents(state)
    left_out = {"logs/etcd.log", "config/kubelet.yaml"}
    assert contents(target) == {name: what for name, what in before.items() if name not in left_out}
    assert stat.S_IMODE((target / "data/volumes/one").stat().st_mode) == 0o777
    assert [path.name for path in state.glob("backup-*")] == []


def test_what_further_nodes_have_comes_back(state: Path, tmp_path: Path) -> None:
    wanted = {"cluster.json", "nodes/2/data/volumes/two/file", "nodes/3/data/volumes/three/file"}
    for name in (*wanted, "nodes/2/pki/kubelet-client-current.pem", "nodes/3/data/kubelet/pods/one"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text(name)
    file, target = tmp_path / "backup.tar.gz", tmp_path / "target"
    target.mkdir()
    backup.write(state, file, CONFIGURATION, contextlib.nullcontext())

    backup.restore(target, file, CONFIGURATION)

    assert {name for name in contents(target) if name.startswith(("cluster", "nodes"))} == wanted
    # An earlier version would leave them out, and refuses it for this.
    with tarfile.open(file) as archive:
        manifest = archive.extractfile(backup.MANIFEST)
        assert manifest
        assert b'"format": 2' in manifest.read()


def test_only_its_owner_can_read_it(state: Path, tmp_path: Path) -> None:
    backup.write(state, tmp_path / "backup.tar.gz", CONFIGURATION, contextlib.nullcontext())
    assert stat.S_IMODE((tmp_path / "backup.tar.gz").stat().st_mode) == 0o600


def test_etcd_is_copied_while_it_is_stopped(state: Path, tmp_path: Path) -> None:
    database = state / "data/etcd/member/snap/db"

    @contextlib.contextmanager
    def stopped() -> Iterator[None]:
        database.write_text("at rest")
        yield
        database.write_text("running again")

    backup.write(state, tmp_path / "backup.tar.gz", CONFIGURATION, stopped())
    target = tmp_path / "target"
    target.mkdir()
    backup.restore(target, tmp_path / "backup.tar.gz", CONFIGURATION)
    assert (target / "data/etcd/member/snap/db").read_text() == "at rest"


def test_a_dump_is_there_in_place_of_what_is_written_to(state: Path, tmp_path: Path) -> None:
    volume = state / "data/volumes/one"
    (volume / "15/base").mkdir(parents=True)

    @contextlib.contextmanager
    def dumped() -> Iterator[Sequence[str]]:
        (volume / "dump.sql").write_text("all of it")
        yield ["data/volumes/one/15"]
        (volume / "dump.sql").unlink()

    backup.write(state, tmp_path / "backup.tar.gz", CONFIGURATION, contextlib.nullcontext(), dumped())
    target = tmp_path / "target"
    target.mkdir()
    backup.restore(target, tmp_path / "backup.tar.gz", CONFIGURATION)
    assert sorted(path.name for path in (target / "data/volumes/one").iterdir()) == ["dump.sql", "file"]
    assert sorted(path.name for path in volume.iterdir()) == ["15", "file"]


def refused(state: Path, file: Path) -> str:
    with pytest.raises(Failure) as failure:
        backup.write(state, file, CONFIGURATION, contextlib.nullcontext())
    return str(failure.value)


def test_what_a_backup_refuses(state: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("precious")
    assert refused(state, tmp_path / "there") == (
        f"{tmp_path}/there is there already; name another file, or remove this one"
    )
    assert (tmp_path / "there").read_text() == "precious"
    assert refused(state, state / "backup.tar.gz") == (
        f"{state}/backup.tar.gz is in the folder that script/down --purge removes; name a file elsewhere"
    )
    assert refused(tmp_path / "none", tmp_path / "new") == (
        "there is no embedded cluster to back up; run script/up first"
    )
    assert refused(state, tmp_path / "no" / "folder").startswith(
        f"{tmp_path}/no/folder can't be written: No such file or directory; "
    )
    lock = state / "pulumi/.pulumi/locks/organization/inspiration/dev/123.json"
    lock.parent.mkdir(parents=True)
    lock.write_text("{}")
    assert refused(state, tmp_path / "new") == (
        "a pulumi is at work on the stack (lock 123); wait for it, or run `pulumi cancel` if it is gone"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "there"]


def test_a_disk_that_is_full_leaves_no_half_of_a_backup(state: Path, tmp_path: Path) -> None:
    (state / "data/volumes/one/large").write_bytes(os.urandom(2 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        said = refused(state, tmp_path / "backup.tar.gz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert said.startswith(f"{tmp_path}/backup.tar.gz can't be written: ")
    assert said.endswith("; make room, or name another file")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def not_restored(state: Path, file: Path, configuration: str = CONFIGURATION) -> str:
    before = contents(state)
    with pytest.raises(Failure) as failure:
        backup.restore(state, file, configuration)
    assert contents(state) == before
    return str(failure.value)


def test_what_a_restore_refuses(state: Path, tmp_path: Path) -> None:
    file, empty = tmp_path / "backup.tar.gz", tmp_path / "empty"
    empty.mkdir()
    backup.write(state, file, CONFIGURATION, contextlib.nullcontext())
    assert not_restored(state, file) == (
        f"a cluster is in {state} already, whose data would be lost; "
        "remove it with script/down --purge (script/backup keeps it), then run this again"
    )
    assert not_restored(empty, tmp_path / "nowhere") == (
        f"there is no file {tmp_path}/nowhere; name one that script/backup has made"
    )
    (tmp_path / "text").write_text("no archive")
    assert not_restored(empty, tmp_path / "text") == (
        f"{tmp_path}/text is no backup that this version can read; name one that script/backup has made"
    )
    with tarfile.open(tmp_path / "newer", "w:gz") as newer:
        member = tarfile.TarInfo(backup.MANIFEST)
        text = b'{"format": 3, "made": "2026-11-24T10:00:00+00:00"}'
        member.size = len(text)
        newer.addfile(member, io.BytesIO(text))
    assert "is no backup that this version can read" in not_restored(empty, tmp_path / "newer")


def test_another_configuration_would_remove_what_is_restored(state: Path, tmp_path: Path) -> None:
    file, empty = tmp_path / "a backup.tar.gz", tmp_path / "empty"
    empty.mkdir()
    backup.write(state, file, CONFIGURATION, contextlib.nullcontext())
    said = not_restored(empty, file, "config: {}\n")
    assert said.startswith("Pulumi.dev.yaml isn't that of the backup: script/up would remove what it doesn't name; ")
    command = said.rpartition("run this again: ")[2]
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    # Another order or layout is the same.
    backup.restore(empty, file, f"# a comment\n{(tmp_path / 'Pulumi.dev.yaml').read_text()}")
    assert (empty / "passphrase").read_text() == "passphrase"


def test_a_backup_without_a_configuration_comes_back_as_well(state: Path, tmp_path: Path) -> None:
    file, target = tmp_path / "backup.tar.gz", tmp_path / "target"
    target.mkdir()
    backup.write(state, file, CONFIGURATION, contextlib.nullcontext())
    script = f"gunzip {file} && tar --delete -f {file.with_suffix('')} Pulumi.dev.yaml && gzip {file.with_suffix('')}"
    subprocess.run(["sh", "-euc", script], check=True)
    backup.restore(target, file, "config: {}\n")
    assert (target / "passphrase").read_text() == "passphrase"


def test_a_damaged_backup_changes_nothing(state: Path, tmp_path: Path) -> None:
    # Enough that its beginning can be read without its end.
    (state / "data/volumes/one/large").write_bytes(os.urandom(2 << 20))
    file, empty = tmp_path / "backup.tar.gz", tmp_path / "empty"
    empty.mkdir()
    backup.write(state, file, CONFIGURATION, contextlib.nullcontext())
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert not_restored(empty, file).startswith(f"{file} is damaged: ")


def test_a_configuration_that_is_not_yaml_is_named(state: Path, tmp_path: Path) -> None:
    file, empty = tmp_path / "backup.tar.gz", tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(Failure) as failure:
        backup.write(state, file, "config: }\n", contextlib.nullcontext())
    assert str(failure.value).startswith("Pulumi.dev.yaml isn't YAML: while parsing ")
    assert not file.exists()
    backup.write(state, file, CONFIGURATION, contextlib.nullcontext())
    said = not_restored(empty, file, "config: }\n")
    assert said.startswith("Pulumi.dev.yaml isn't YAML: while parsing ")
    assert said.endswith("; correct the file")


def test_a_backup_of_what_was_not_yaml_comes_back_as_well(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, empty = tmp_path / "backup.tar.gz", tmp_path / "empty"
    empty.mkdir()
    with monkeypatch.context() as patched:  # as the first versions wrote it
        patched.setattr(stack, "parsed", lambda _: None)
        backup.write(state, file, "config: }\n", contextlib.nullcontext())
    backup.restore(empty, file, CONFIGURATION)
    assert (empty / "passphrase").read_text() == "passphrase"


def test_an_interruption_restores_all_or_nothing(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, target = tmp_path / "backup.tar.gz", tmp_path / "target"
    target.mkdir()
    backup.write(state, file, CONFIGURATION, contextlib.nullcontext())
    rename = Path.rename

    def interrupted(path: Path, place: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return rename(path, place)

    monkeypatch.setattr(Path, "rename", interrupted)
    monkeypatch.setattr(interruption, "BOUNCE", 60)  # so that they count as one
    with pytest.raises(KeyboardInterrupt):
        backup.restore(target, file, CONFIGURATION)
    monkeypatch.undo()
    again = tmp_path / "again"
    again.mkdir()
    backup.restore(again, file, CONFIGURATION)
    assert contents(target) == contents(again)
