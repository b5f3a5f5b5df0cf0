"""What a cluster and its stack can't be made again without, in one file: made while the cluster runs.

In it are etcd's data with the key that encrypts it, the cluster's certificates, the volumes of all nodes, Pulumi's
state with its passphrase, and the stack's configuration. What ``script/up`` makes again isn't: programs, images of
addons, the programs' configuration, the certificates of further nodes, which join anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from embedded import interruption, stack
from embedded.errors import Failure

MANIFEST = "inspiration-backup.json"
CONFIGURATION = stack.FILE
FORMAT, WITH_NODES = 1, 2
"""The second one has what an earlier version would leave out: what further nodes have."""
ETCD = "data/etcd"
PARTS = ("config/encryption.yaml", "data/volumes", "passphrase", "pki", "pulumi")
"""What is read where it is, relative to the state folder."""
OF_NODES = ("cluster.json", "nodes/[2-9]/data/volumes")
"""The same of a cluster with further nodes, as patterns."""

LOCKS = "pulumi/.pulumi/locks"
CHANGED_MEANWHILE = 1
"""Exit code of tar: files were written to, or removed, while they were read; nothing else was wrong."""


def write(
    state: Path,
    file: Path,
    configuration: str,
    etcd_stopped: contextlib.AbstractContextManager[None],
    databases_dumped: contextlib.AbstractContextManager[Sequence[str]] | None = None,
) -> None:
    """Write a backup, readable by its owner only.

    Args:
        state: The state folder.
        file: Where to; there is none yet.
        configuration: The stack's, as YAML.
        etcd_stopped: Keeps etcd from writing while it is copied.
        databases_dumped: Keeps a dump of databases, and says what it stands for, relative to the state folder; default:
            there are none, or nobody writes to them.

    Raises:
        Failure: There is nothing to back up, somebody is at work on the stack, its configuration isn't YAML, or the
            file can't be written.
    """
    if file.exists():
        raise Failure(f"{file} is there already", fix="name another file, or remove this one")
    if file.is_relative_to(state):
        raise Failure(f"{file} is in the folder that script/down --purge removes", fix="name a file elsewhere")
    if not has_cluster(state):
        raise Failure("there is no embedded cluster to back up", fix="run script/up first")
    if busy := [path.stem for path in (state / LOCKS).rglob("*.json")]:
        raise Failure(
            f"a pulumi is at work on the stack (lock {busy[0]})",
            fix="wait for it, or run `pulumi cancel` if it is gone",
        )
    stack.parsed(configuration)
    partial = file.with_name(f"{file.name}.partial")
    dumped = databases_dumped or contextlib.nullcontext(())
    with _temporary(state) as copied, _removed_on_failure(partial), dumped as left_out:
        of_nodes = _there(state, OF_NODES)
        manifest = {
            "format": WITH_NODES if of_nodes else FORMAT,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (copied / MANIFEST).write_text(json.dumps(manifest))
        (copied / CONFIGURATION).write_text(configuration)
        with etcd_stopped:
            shutil.copytree(state / ETCD, copied / ETCD)
        # The manifest first, so that it is found without reading all.
        there = [*_there(state, PARTS), *of_nodes]
        try:
            partial.unlink(missing_ok=True)  # of a run that was killed
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise Failure(f"{file} can't be written: {error.strerror}", fix="name another file") from error
        with os.fdopen(descriptor, "wb") as target:
            done = subprocess.run(
                ["tar", "--create", "--use-compress-program=gzip -1", "--numeric-owner", "--warning=no-file-ignored",
                 *(f"--exclude={each}" for each in (LOCKS, *left_out)),
                 "-C", str(copied), MANIFEST, CONFIGURATION, ETCD, "-C", str(state), *there],
                stdout=target, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
            if done.returncode not in (0, CHANGED_MEANWHILE):
                reason = _last_line(done.stderr)
                raise Failure(f"{file} can't be written: {reason}", fix="make room, or name another file")
            os.fsync(target.fileno())
        partial.rename(file)
    interruption.say(f"interrupted; {file} is whole")


def restore(state: Path, file: Path, configuration: str) -> datetime:
    """Put what a backup holds into a state folder that has no cluster.

    Args:
        state: The state folder.
        file: What :func:`write` has written.
        configuration: The stack's, as YAML, which the next update will follow.

    Returns:
        When the backup was made.

    Raises:
        Failure: There is a cluster already, the stack has another configuration than the backup, or the file is no
            whole backup, or that configuration isn't YAML; nothing was changed.
    """
    if has_cluster(state):
        raise Failure(
            f"a cluster is in {state} already, whose data would be lost",
            fix="remove it with script/down --purge (script/backup keeps it), then run this again",
        )
    stack.parsed(configuration)
    made = _manifest(file)
    with _temporary(state) as extracted:
        done = subprocess.run(
            ["tar", "--extract", "--gzip", "--file", str(file), "--preserve-permissions", "--same-owner",
             "--numeric-owner", "-C", str(extracted)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Failure(
                f"{file} is damaged: {_last_line(done.stderr)}", fix="take another backup; nothing was changed"
            )
        kept = extracted / CONFIGURATION
        # The first backups have none.
        if kept.exists() and not _says(kept, configuration):
            raise Failure(
                f"{CONFIGURATION} isn't that of the backup: script/up would remove what it doesn't name",
                fix=f"put the backup's in its place, then run this again: "
                f"tar -xzOf {shlex.quote(str(file))} {CONFIGURATION} > {CONFIGURATION}",
            )
        with interruption.held():  # all of it or nothing
            for part in _there(extracted, (*PARTS, *OF_NODES, ETCD)):
                (state / part).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                (extracted / part).rename(state / part)
            interruption.say("interrupted; all of it is restored, script/up starts it")
    return made


def _says(kept: Path, configuration: str) -> bool:
    """Whether a backup's configuration is this one, however it is written."""
    try:
        before = stack.parsed(kept.read_text(encoding="utf-8"))
    except (Failure, UnicodeDecodeError):  # of a version that backed up anything: there is nothing to compare
        return True
    return before == stack.parsed(configuration)


def has_cluster(state: Path) -> bool:
    """Whether a state folder has what a restore would replace."""
    return any((state / part).exists() for part in (ETCD, "passphrase", "pki", "pulumi"))


def _there(folder: Path, patterns: Sequence[str]) -> list[str]:
    """What of these is in a folder, relative to it."""
    return [str(path.relative_to(folder)) for each in patterns for path in sorted(folder.glob(each))]


def _manifest(file: Path) -> datetime:
    if not file.is_file():
        raise Failure(f"there is no file {file}", fix="name one that script/backup has made")
    read = subprocess.run(
        ["tar", "--extract", "--gzip", "--to-stdout", "--occurrence=1", "--file", str(file), MANIFEST],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        manifest = json.loads(read.stdout)
        known, made = manifest["format"] in (FORMAT, WITH_NODES), datetime.fromisoformat(manifest["made"])
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise Failure(f"{file} is no backup that this version can read", fix="name one that script/backup has made")
    return made


@contextlib.contextmanager
def _temporary(state: Path) -> Iterator[Path]:
    """A folder on the file system of the state, closed to others."""
    with tempfile.TemporaryDirectory(prefix="backup-", dir=state) as folder:
        yield Path(folder)


@contextlib.contextmanager
def _removed_on_failure(file: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
