"""``script/backup`` and ``script/restore``: everything is lost, and everything is back."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import httpx

from embedded import databases
from tests import guestbook
from tests.checkout import Checkout
from tests.faults.conftest import assert_complete
from tests.traffic import Traffic
from tests.waiting import eventually

KINDS = "deployment,daemonset,ingress,namespace,persistentvolume,persistentvolumeclaim,secret,service"


def objects(checkout: Checkout) -> dict[str, str]:
    """The identity of each object that the stack has made."""
    listed = json.loads(
        checkout.kubectl("get", KINDS, "-A", "-l", "app.kubernetes.io/part-of=inspiration", "-o", "json")
    )
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"] for each in listed["items"]}


def answers(path: str, host: str, port: int = 80) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Host": host}, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_what_was_backed_up_comes_back(site: Checkout, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    site.kubectl("create", "secret", "generic", "kept", "-n", "default", "--from-literal=word=swordfish")
    before, nodes, secrets = objects(site), site.nodes(), site.outputs(secrets=True)
    digest = secrets["images"]["inspiration"].split("@")[1]
    assert before

    with Traffic("inspiration.localhost", requests_per_second=25) as traffic:
        traffic.wait_for(10)
        done = site.run("script/backup", str(file))
        traffic.wait_for(25)

    assert done.returncode == 0, done.stderr
    assert traffic.failures == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = site.run("script/backup", str(file))
    assert again.returncode == 1
    assert f"error: {file} is there already" in again.stderr
    refused = site.run("script/restore", str(file))
    assert refused.returncode == 1
    assert "already, whose data would be lost" in refused.stderr

    # What comes after the backup isn't in it. Then the disk is lost.
    site.kubectl("delete", "secret", "kept", "-n", "default")
    assert site.run("script/down", "--keep").returncode == 0
    shutil.rmtree(site.state)
    done = site.run("script/restore", str(file))
    assert done.returncode == 0, done.stderr
    done = site.run("script/up")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "unchanged" in done.stdout
    assert " created" not in done.stdout
    assert site.outputs(secrets=True) == secrets
    assert objects(site) == before
    assert site.nodes() == nodes
    site.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
    word = site.kubectl("get", "secret", "kept", "-n", "default", "-o", "jsonpath={.data.word}")
    assert word == "c3dvcmRmaXNo"
    # The image is pulled from the registry, which has to be there first.
    assert eventually(lambda: answers("/", "inspiration.localhost"), 300)
    # The registry's volume is back, too.
    assert eventually(lambda: answers(f"/v2/inspiration/manifests/{digest}", "localhost:32000", 32000), 300)
    assert site.run("git", "status", "--porcelain").stdout == ""
    assert_complete(site)
    site.kubectl("delete", "secret", "kept", "-n", "default")


def test_a_guestbook_comes_back_as_it_was_at_one_moment(undone: Checkout, tmp_path: Path) -> None:
    """Its database by a dump, which has a line that would harm it if it weren't an entry."""
    file = tmp_path / "backup.tar.gz"
    guestbook.deploy(undone)
    guestbook.sign("CREATE ROLE postgres;")

    done = undone.run("script/backup", str(file))

    assert done.returncode == 0, done.stderr
    assert list(undone.state.glob(databases.DUMP)) == []
    listed = undone.run("tar", "--list", "--file", str(file)).stdout.splitlines()
    assert [name for name in listed if "_postgres_postgres/" in name and not name.endswith(("/", "/dump.sql"))] == []

    guestbook.sign("Later")
    assert undone.run("script/down", "--keep").returncode == 0
    shutil.rmtree(undone.state)
    done = undone.run("script/restore", str(file))
    assert done.returncode == 0, done.stderr
    done = undone.run("script/up")

    assert done.returncode == 0, done.stdout + done.stderr
    assert eventually(lambda: answers("/", guestbook.HOST), 300)
    assert "CREATE ROLE postgres;" in guestbook.shown()
    assert "Later" not in guestbook.shown()
    assert list(undone.state.glob(databases.DUMP)) == []


def test_files_of_a_cluster_that_is_stopped_are_backed_up_as_they_are(undone: Checkout, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    undone.switch_on("postgres")
    assert undone.run("script/down", "--keep").returncode == 0
    done = undone.run("script/backup", str(file))
    assert done.returncode == 0, done.stderr
    listed = undone.run("tar", "--list", "--file", str(file)).stdout.splitlines()
    assert [name for name in listed if name.endswith("_postgres_postgres/15/PG_VERSION")]
