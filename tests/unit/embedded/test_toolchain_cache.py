"""Cache entries appear whole or not at all, are made once, and go when nobody uses them."""

import os
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from embedded.errors import Failure
from embedded.toolchain import cache


def never() -> None:
    pytest.fail("nobody else holds the lock")


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(folder: Path, _: int) -> None:
        made.append(folder)
        (folder / "file").write_text("content")

    first, cached = cache.entry(tmp_path, "tool", "abc", make, never)
    again, cached_again = cache.entry(tmp_path, "tool", "abc", make, never)
    assert (first, cached) == (tmp_path / "tool-abc", False)
    assert (again, cached_again) == (first, True)
    assert (first / "file").read_text() == "content"
    assert len(made) == 1


def test_a_failure_leaves_no_entry(tmp_path: Path) -> None:
    def make(folder: Path, _: int) -> None:
        (folder / "half").write_text("")
        raise RuntimeError("the compiler crashed")

    with pytest.raises(RuntimeError, match="the compiler crashed"):
        cache.entry(tmp_path, "tool", "abc", make, never)
    assert [path.name for path in tmp_path.iterdir()] == ["tool.lock"]
    assert cache.find(tmp_path, "tool", "abc") is None


def test_a_full_disk_is_explained(tmp_path: Path) -> None:
    def make(folder: Path, _: int) -> None:
        Path("/dev/full").write_text("x")

    with pytest.raises(Failure) as caught:
        cache.entry(tmp_path, "tool", "abc", make, never)
    assert str(caught.value) == (
        f"The disk became full while making {tmp_path}/tool-abc; make room, or set XDG_CACHE_HOME (and GOMODCACHE) to "
        "a folder on a larger disk"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["tool.lock"]


def test_a_cache_that_cannot_be_written_is_explained() -> None:
    with pytest.raises(Failure) as caught:
        cache.entry(Path("/proc/sys"), "tool", "abc", lambda folder, _: None, never)
    assert str(caught.value) == (
        "/proc/sys/tool.lock can't be written: No such file or directory; make it yours (chown), or set XDG_CACHE_HOME "
        "to a folder that is"
    )


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    orphan = tmp_path / "tool-old.partial"
    orphan.mkdir()
    (orphan / "half").write_text("")
    cache.entry(tmp_path, "tool", "abc", lambda folder, _: None, never)
    assert not orphan.exists()


def test_two_at_once_make_it_once_and_the_second_says_that_it_waits(tmp_path: Path) -> None:
    making, waits = threading.Event(), threading.Event()

    def make(folder: Path, _: int) -> None:
        making.set()
        assert waits.wait(30)
        (folder / "by").write_text("the first")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.entry, tmp_path, "tool", "abc", make, never)
        assert making.wait(30)
        second = threads.submit(cache.entry, tmp_path, "tool", "abc", make, waits.set)
        assert first.result() == (tmp_path / "tool-abc", False)
        assert second.result() == (tmp_path / "tool-abc", True)


def test_a_child_that_inherits_the_lock_keeps_it_when_its_parent_is_gone(tmp_path: Path) -> None:
    with cache.locked(tmp_path / "lock", never) as lock:
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(lock,))
    waited, ends = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as threads:

        def take() -> bool:
            with cache.locked(tmp_path / "lock", waited.set):
                return ends.is_set()

        taken = threads.submit(take)
        assert waited.wait(30)
        ends.set()
        child.communicate()
        assert taken.result()


@pytest.mark.parametrize(("days", "stays"), [(29, True), (31, False)])
def test_entries_that_nobody_uses_go_after_thirty_days(tmp_path: Path, days: int, stays: bool) -> None:
    old, other = tmp_path / "tool-old", tmp_path / "another-old"
    for folder in old, other:
        folder.mkdir()
        os.utime(folder, (0, time.time() - days * 86400))
    cache.entry(tmp_path, "tool", "new", lambda folder, _: None, never)
    assert old.exists() is stays
    assert other.exists()


def test_an_entry_whose_program_runs_stays(tmp_path: Path) -> None:
    old = tmp_path / "tool-old"
    old.mkdir()
    program = shutil.copy(shutil.which("cat") or "/bin/cat", old)
    os.utime(old, (0, 0))
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        cache.entry(tmp_path, "tool", "new", lambda folder, _: None, never)
        assert old.exists()
        process.communicate()
    cache.entry(tmp_path, "tool", "newer", lambda folder, _: None, never)
    assert not old.exists()


def test_using_an_entry_is_noted(tmp_path: Path) -> None:
    folder, _ = cache.entry(tmp_path, "tool", "abc", lambda folder, _: None, never)
    os.utime(folder, (0, 0))
    assert cache.find(tmp_path, "tool", "abc") == folder
    assert folder.stat().st_mtime > 0
