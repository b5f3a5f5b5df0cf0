"""``script/serve-git``: what is pushed is served, or refused with the cause while the version before serves."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.checkout import Checkout, newcomer
from tests.traffic import Traffic

SITE = "inspiration"
HOST = f"{SITE}.localhost"
CRASHES = 'FROM busybox:1.35.0\nCMD ["sh", "-c", "echo there is no database >&2; exit 3"]\n'


def page() -> str:
    return httpx.get("http://127.0.0.1/", headers={"Host": HOST}, timeout=10).text


@dataclass(frozen=True)
class Clone:
    """A clone of the checkout, which pushes to the repository."""

    path: Path
    checkout: Checkout
    repository: Path

    def git(self, *words: str) -> subprocess.CompletedProcess[str]:
        names = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        return subprocess.run(
            ["git", *names, *words], cwd=self.path, env=newcomer(), capture_output=True, text=True, check=False
        )

    def push(self, branch: str = "main", **files: str | None) -> subprocess.CompletedProcess[str]:
        """Write files of the site, or remove them; commit, and push that."""
        for name, text in files.items():
            file = self.path / "site" / name.replace("_", ".")
            file.unlink(missing_ok=True) if text is None else file.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "An edit")
        return self.git("push", "deploy", f"HEAD:{branch}")

    @property
    def deployed(self) -> str:
        """The commit that the repository's branch is."""
        return self.git("ls-remote", "deploy", "refs/heads/main").stdout.partition("\t")[0]


@pytest.fixture(scope="module")
def clone(site: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    folder = tmp_path_factory.mktemp("push")
    made = Clone(folder / "clone", site, folder / "site.git")
    subprocess.run(["git", "clone", "-q", str(site.path), str(made.path)], check=True)
    done = site.run("script/serve-git", str(made.repository))
    assert done.returncode == 0, done.stderr
    assert made.git("remote", "add", "deploy", str(made.repository)).returncode == 0
    try:
        yield made
    finally:
        site.restore()


def test_what_cant_be_built_is_refused(clone: Clone) -> None:
    before = page()
    done = clone.push(Dockerfile="FROM busybox:1.35.0\nCOPY nothing /\n")
    assert done.returncode == 1
    assert f"remote: error: refused: building localhost:32000/{SITE}:" in done.stderr
    assert "what was deployed before is put back" in done.stderr
    assert page() == before
    assert clone.deployed == ""


def test_what_crashes_is_refused_while_the_version_before_serves(clone: Clone) -> None:
    before = page()
    with Traffic(HOST, requests_per_second=20) as traffic:
        done = clone.push(Dockerfile=CRASHES)
    assert done.returncode == 1
    assert "there is no database" in done.stderr
    assert "container site crashes again and again (exit code 3); what was deployed before is put back" in done.stderr
    assert traffic.failures == []
    assert page() == before
    assert clone.deployed == ""
    assert not (clone.repository / "checkout").exists()
    done = clone.checkout.run("script/drift")
    assert (done.returncode, done.stdout) == (0, "The cluster has what the stack dev has declared.\n")


def test_what_is_pushed_is_served(clone: Clone) -> None:
    done = clone.push(Dockerfile=None, index_html="<p>pushed</p>")
    assert done.returncode == 0, done.stderr
    assert f"remote: {SITE}: http://{HOST}/" in done.stderr
    assert "✅ inspiration@v1.0.0" in done.stderr
    assert "pushed" in page()
    head = clone.git("rev-parse", "HEAD").stdout.strip()
    assert clone.deployed == head
    annotations = "jsonpath={.metadata.annotations}"
    assert head in clone.checkout.kubectl("get", "deployment", "-n", SITE, SITE, "-o", annotations)


def test_another_branch_is_kept_and_not_deployed(clone: Clone) -> None:
    done = clone.push("draft", index_html="<p>draft</p>")
    assert done.returncode == 0
    assert "remote: draft: kept, not deployed; that is for main" in done.stderr
    assert "pushed" in page()


def test_a_push_waits_for_nobody(clone: Clone) -> None:
    lock = os.open(clone.checkout.state, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        done = clone.push(index_html="<p>later</p>")
    finally:
        os.close(lock)
    assert done.returncode == 1
    assert "remote: error: refused: script/up, script/down or another push is at work" in done.stderr
    assert "pushed" in page()


def test_what_cant_be_served_is_a_line(clone: Clone) -> None:
    done = clone.checkout.run("script/serve-git", "script")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {clone.checkout.path}/script has something else in it\n  fix: ")
