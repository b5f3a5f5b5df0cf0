"""PostgreSQL's objects, as data; its scripts, run with programs that only say what they are asked."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.addons.postgres import objects
from components.manifests import selector

LONGEST = f"a{'-b' * 31}"
"""A name of a site with as many characters as one may have."""


def pod() -> dict[str, Any]:
    return objects.stateful_set("postgres", "postgres", "postgres", "postgres")["spec"]["template"]  # type: ignore[no-any-return]


def containers() -> list[dict[str, Any]]:
    spec = pod()["spec"]
    return [*spec["initContainers"], *spec["containers"]]


def job(site: str = "blog") -> dict[str, Any]:
    return objects.job(site, "postgres", "postgres", "postgres", "blog-1234")


@given(
    st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True), st.from_regex("[A-Za-z0-9]{32}", fullmatch=True)
)
def test_a_url_leads_to_a_database_of_the_user_s_name(site: str, password: str) -> None:
    url = urlsplit(objects.url(site, password))
    assert (url.scheme, url.hostname, url.port) == ("postgresql", "postgres.postgres.svc", 5432)
    assert (url.username, url.password, url.path) == (objects.role(site), password, f"/{objects.role(site)}")
    # PostgreSQL cuts longer names short.
    assert len(objects.role(site)) <= 63


def test_names_that_postgresql_keeps_for_itself_are_given_to_nobody() -> None:
    assert [objects.role(site) for site in ("public", "none", "template1", "template2", LONGEST)] == [
        "site_public", "site_none", "site_template1", "template2", LONGEST,
    ]  # fmt: skip


def test_the_server_and_what_prepares_it_share_their_places() -> None:
    volumes = {volume["name"] for volume in pod()["spec"]["volumes"]}
    for container in containers():
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert set(mounted.values()) <= volumes
        # Where a read-only root file system is written to.
        assert mounted.keys() >= {objects.VOLUME, objects.SOCKET, "/tmp", "/dev/shm"}
        assert objects.DATA.startswith(f"{objects.VOLUME}/")
    assert pod()["spec"]["securityContext"]["runAsUser"] == objects.USER


def test_passwords_are_in_no_command_and_no_variable_in_plain() -> None:
    [container] = job()["spec"]["template"]["spec"]["containers"]
    held = {each["name"]: each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each}
    assert held == {"PGPASSWORD": "postgres", "DATABASE_PASSWORD": "blog-1234"}
    plain = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert plain["DATABASE"] == "blog"
    assert not [each for each in containers() for variable in each["env"] if "PASSWORD" in variable["name"]]


def test_only_those_with_a_database_are_let_in_and_nobody_out() -> None:
    policy = objects.server_policy("postgres")["spec"]
    assert policy["egress"] == []
    assert [rule["from"] for rule in policy["ingress"]] == [[{"podSelector": {"matchLabels": selector(objects.JOB)}}]]
    site = objects.site_policy("blog", "postgres", "blog-namespace")["spec"]
    assert site["podSelector"] == policy["podSelector"]
    [rule] = site["ingress"]
    assert [each["namespaceSelector"]["matchLabels"] for each in rule["from"]] == [
        {"kubernetes.io/metadata.name": "blog-namespace"}
    ]
    # It adds to what may come in, and takes nothing back of what may go out.
    assert site["policyTypes"] == ["Ingress"]


def test_objects_of_sites_have_names_of_their_own() -> None:
    """Whatever a site is called, none is another object of the addon."""
    ours = {objects.NAME, objects.JOB}
    assert not {objects.site_policy(site, "postgres", site)["metadata"]["name"] for site in ours} & ours
    labels = objects.job(LONGEST, "postgres", "a", "b", "c")["metadata"]["labels"]
    assert all(len(value) <= 63 for value in labels.values())
    longest = [f"{LONGEST[:-1]}{last}" for last in "bc"]
    names = {objects.job_name(site) for site in ("blog", *longest)}
    # Pulumi adds nine characters, and the name is that of a label as well.
    assert {len(name) <= 63 - 9 for name in names} == {True}
    assert len(names) == 3


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with PostgreSQL's programs, which write down what they are asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "asked"
    for name, does in {
        "initdb": f'mkdir "{tmp_path}/data/15.partial"',
        "pg_ctl": "",
        "psql": f'cat >> "{tmp_path}/loaded"; test ! -e "{tmp_path}/broken"',
        "pg_isready": "",
        "postgres": f'cat > "{tmp_path}/single"',
    }.items():
        (folder / name).write_text(f'#!/bin/sh\nset -eu\necho {name} "$@" >> "{log}"\n{does}\n')
        (folder / name).chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/password").write_text("first")
    return folder


def initialize(programs: Path) -> int:
    """Run what prepares the volume."""
    script = objects.INITIALIZE
    for place, stands_for in {"data": objects.VOLUME, "secret": objects.SECRET, "log": "/tmp/log"}.items():
        script = script.replace(stands_for, str(programs.parent / place))
    return subprocess.run(["sh", "-euc", script], env={"PATH": f"{programs}:/usr/bin:/bin"}, check=False).returncode


def asked(programs: Path) -> list[str]:
    """The programs that have run, in their order."""
    log = programs.parent / "asked"
    return re.findall(r"^(\w+)", log.read_text(), re.MULTILINE) if log.exists() else []


def test_an_empty_volume_gets_data_and_keeps_it(programs: Path) -> None:
    data = programs.parent / "data"
    assert initialize(programs) == 0
    assert asked(programs) == ["initdb", "postgres"]
    (data / "15/PG_VERSION").write_text("15")
    assert initialize(programs) == 0
    assert asked(programs) == ["initdb", "postgres", "postgres"]
    assert (data / "15/PG_VERSION").read_text() == "15"


def test_the_superuser_s_password_is_that_of_the_secret_whenever_the_server_starts(programs: Path) -> None:
    assert initialize(programs) == 0
    assert (programs.parent / "single").read_text() == "ALTER ROLE postgres PASSWORD 'first'\n"
    (programs.parent / "secret/password").write_text("second")
    assert initialize(programs) == 0
    assert (programs.parent / "single").read_text() == "ALTER ROLE postgres PASSWORD 'second'\n"
    assert not re.search("first|second", (programs.parent / "asked").read_text())


def test_an_attempt_that_was_cut_short_is_made_again(programs: Path) -> None:
    (programs.parent / "data/15.partial").mkdir()
    assert initialize(programs) == 0
    assert asked(programs) == ["initdb", "postgres"]
    assert [path.name for path in (programs.parent / "data").iterdir()] == ["15"]


def test_a_dump_is_loaded_once_but_for_the_role_that_is_there(programs: Path) -> None:
    data = programs.parent / "data"
    # Somebody's data may look like that.
    rest = "ALTER ROLE postgres;\nCREATE ROLE shop;\nCOPY t FROM stdin;\nCREATE ROLE postgres;\n"
    (data / "dump.sql").write_text(f"SET x;\nCREATE ROLE postgres;\n{rest}")
    assert initialize(programs) == 0
    assert asked(programs) == ["initdb", "pg_ctl", "psql", "pg_ctl", "postgres"]
    assert (programs.parent / "loaded").read_text() == f"SET x;\n{rest}"
    assert [path.name for path in data.iterdir()] == ["15"]


def test_a_dump_that_can_not_be_loaded_stays(programs: Path) -> None:
    data = programs.parent / "data"
    (data / "dump.sql").write_text("nonsense")
    (programs.parent / "broken").touch()
    assert initialize(programs) != 0
    assert not (data / "15").exists()
    (programs.parent / "broken").unlink()
    assert initialize(programs) == 0
    assert not (data / "dump.sql").exists()


def test_users_reach_the_database_of_their_name_only(programs: Path) -> None:
    assert initialize(programs) == 0
    rules = [line.split() for line in (programs.parent / "data/15/pg_hba.conf").read_text().splitlines()]
    # kind, database, user: the first that fits counts.
    assert [(rule[0], rule[1]) for rule in rules if rule[2] == "all"] == [("host", "sameuser")]
    # Of those who need no password, there is one, in the pod.
    assert [rule[:3] for rule in rules if rule[-1] != "scram-sha-256"] == [["local", "all", "postgres"]]


def test_a_database_is_made_by_what_is_in_variables(programs: Path) -> None:
    done = subprocess.run(
        ["sh", "-euc", objects.CREATE], env={"PATH": f"{programs}:/usr/bin:/bin"}, capture_output=True, check=True
    )
    assert done.stdout == b""
    assert asked(programs) == ["pg_isready", "psql"]
    # By a name in double quotes and a text in single ones, psql quotes what is in its variables.
    sent = (programs.parent / "loaded").read_text()
    assert set(re.findall(r":(\S)(?:name|password)\b", sent)) == {'"', "'"}
