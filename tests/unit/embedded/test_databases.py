"""The dump of databases in a backup: beside their data for its time, and no longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.addons.postgres import objects
from embedded import databases
from embedded.errors import Failure

VOLUME = "data/volumes/volumes/pvc-1_postgres_postgres"

KUBECTL = """\
#!/bin/sh
set -eu
echo "$@" > "$FOLDER/asked"
touch "$VOLUME/dump.sql.partial"
if [ -e "$FOLDER/fail" ]; then echo "warning" >&2; echo "error: pods not found" >&2; exit 1; fi
mv "$VOLUME/dump.sql.partial" "$VOLUME/dump.sql"
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a cluster with databases."""
    (tmp_path / "state" / VOLUME / "15").mkdir(parents=True)
    return tmp_path / "state"


@pytest.fixture
def environment(tmp_path: Path, state: Path) -> dict[str, str]:
    """Variables with which `kubectl` writes down what it is asked, and makes the dump."""
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FOLDER": str(tmp_path), "VOLUME": str(state / VOLUME)}


def test_a_dump_is_there_for_a_block(state: Path, environment: dict[str, str]) -> None:
    with databases.dumped(state, environment) as left_out:
        assert left_out == [f"{VOLUME}/15"]
        assert (state / VOLUME / "dump.sql").exists()
    assert [path.name for path in (state / VOLUME).iterdir()] == ["15"]


def test_without_databases_nobody_is_asked(tmp_path: Path, environment: dict[str, str]) -> None:
    with databases.dumped(tmp_path, environment) as left_out:
        assert not left_out
    assert not (tmp_path / "asked").exists()


def test_what_can_not_be_dumped_is_no_backup(state: Path, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "fail").touch()
    with pytest.raises(Failure) as failure, databases.dumped(state, environment):
        pytest.fail("there is no dump")
    assert str(failure.value) == (
        "the databases can't be dumped: error: pods not found; see script/up --status, then run this again"
    )
    assert [path.name for path in (state / VOLUME).iterdir()] == ["15"]


def test_the_pod_and_the_backup_agree_where_things_are(
    state: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """The addon and the embedded cluster know nothing of each other, but for these places."""
    with databases.dumped(state, environment):
        asked = (tmp_path / "asked").read_text()
    assert f"-n postgres statefulset/{objects.NAME} --container=postgres " in asked
    assert f"mv {objects.DUMP}.partial {objects.DUMP}" in asked
    claim = objects.volume_claim("postgres", "1Gi", None)["metadata"]
    volume = f"_{claim['namespace']}_{claim['name']}"
    assert databases.DATA.endswith(f"{volume}/{Path(objects.DATA).name}")
    assert databases.DUMP.endswith(f"{volume}/{Path(objects.DUMP).name}")
