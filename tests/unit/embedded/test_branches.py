"""What a branch's stack is called, how it is configured, its checkout, and what its tags say."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from embedded.branches.checkout import Repository
from embedded.branches.configuration import Made, of_branch, plain
from embedded.branches.names import Names, labelled, names_of
from embedded.branches.stacks import BranchStack, Stacks
from embedded.errors import Failure

SECRET = {"secure": "v1:abc:def"}


# Names


@pytest.mark.parametrize("branch", ["blue", "a1-b2", "x" * 24])
def test_a_branch_that_is_a_label_is_called_as_it_is(branch: str) -> None:
    assert names_of("inspiration", "dev", branch) == Names(f"dev.{branch}", f"dev-{branch}", branch)


@pytest.mark.parametrize(
    "branch", ["feature/Login", "Blue", "ümlaut", "a_b", "x" * 25, "-", "a--b", "a-0123abcd", "1" * 99]
)
def test_another_one_has_a_hash(branch: str) -> None:
    names = names_of("inspiration", "dev", branch)
    assert re.fullmatch(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?-)?[0-9a-f]{8}", names.label)
    assert len(names.label) <= 24


def test_two_branches_never_have_one_label() -> None:
    branches = ["a/b", "a-b", "A-b", "a_b", "a--b", "a.b", "x" * 30, "x" * 31]
    labels = [names_of("inspiration", "dev", each).label for each in branches]
    # Nor has one whose name is what the label of another is.
    labels += [names_of("inspiration", "dev", each).label for each in labels if each != "a-b"]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("project", "base", "prefix"),
    [("inspiration", "acme/inspiration/dev", "dev-"), ("inspiration", "Prod", "prod-"), ("shop", "dev", "shop-d")],
)
def test_a_prefix_begins_as_the_stack_and_fits(project: str, base: str, prefix: str) -> None:
    names = names_of(project, base, "feature/" + "x" * 50)
    assert names.prefix.startswith(prefix)
    assert len(names.prefix) <= 40
    assert names.stack.startswith(f"{base}.feature-x")


def test_the_names_follow_from_the_stack_s_name_too() -> None:
    names = names_of("inspiration", "dev", "feature/Login")
    assert labelled("inspiration", "dev", names.stack.rpartition(".")[2]) == names


# Configuration


def made(
    shared: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    *,
    wanted: Collection[str] = (),
    unconfined: bool = False,
    project: Path = Path("/nowhere"),
) -> Made:
    return of_branch(
        names_of("inspiration", "dev", "blue"),
        dict(shared),
        dict(shared if own is None else own),
        dict(before or {}),
        addons=["dns", "metrics-server"],
        project=project,
        wanted=wanted,
        unconfined=unconfined,
    )


def site(**options: Any) -> Any:
    """Return what a branch has of a site with these options."""
    [only] = made({"sites": [{"name": "shop", **options}]}).config["sites"]
    return only


def test_by_default_it_is_the_default_site_at_a_host_of_its_own() -> None:
    assert made({}).config == {
        "prefix": "dev-blue",
        "addons": {"dns": False, "metrics-server": False},
        "sites": [{"host": "blue.inspiration.localhost", "replicas": 1}],
    }


def test_the_sites_are_the_branch_s_and_the_cluster_is_the_stack_s() -> None:
    shared = {
        "context": "here", "ingress": {"httpPort": 8080}, "registry": {"nodePort": 32100}, "domain": "a.com",
        "sites": [{"name": "shop"}], "addons": {"postgres": True}, "charts": [{}], "certificateAuthority": {},
    }  # fmt: skip
    config = made(shared, {"sites": [{"name": "blog"}], "context": "there", "domain": "b.com"}).config
    assert config.keys() == {"context", "ingress", "registry", "prefix", "addons", "sites"}
    assert (config["context"], config["ingress"]) == ("here", {"httpPort": 8080})
    assert config["sites"] == [{"name": "blog", "host": "blue.blog.a.com", "replicas": 1}]
    assert not any(config["addons"].values())


@pytest.mark.parametrize(
    ("ingress", "expected"),
    [
        ({"routes": "gateway", "httpPort": 8080}, {"httpPort": 8080}),
        ({"routes": "gateway", "gateway": "a/b"}, {"routes": "gateway", "gateway": "a/b"}),
    ],
)
def test_it_has_ingresses_where_the_gateway_is_the_stack_s_own(ingress: Any, expected: Any) -> None:
    config = made({"ingress": ingress}, {"sites": [{"name": "shop", "canary": 10, "promoted": "0" * 16}]}).config
    assert config["ingress"] == expected
    assert not config["sites"][0].keys() & {"canary", "promoted"}


def test_a_stack_with_a_prefix_has_it_in_its_hosts() -> None:
    assert made({"prefix": "x", "sites": [{"name": "shop"}]}).config["sites"][0]["host"] == "blue.shop.x.localhost"


def test_all_of_its_hosts_are_its_own() -> None:
    only = site(host="a.com", hosts=["b.com"], redirects=[{"from": "c.com", "to": "a.com"}])
    assert (only["host"], only["hosts"]) == ("blue.a.com", ["blue.b.com"])
    assert only["redirects"] == [{"from": "blue.c.com", "to": "blue.a.com"}]


def test_it_has_one_pod_a_site_and_no_database_job_or_release_of_the_stack_s() -> None:
    given = {
        "replicas": 5, "autoscale": {"max": 9}, "release": "sha256:0", "database": True, "jobs": [{"name": "j"}],
        "egress": ["database", "dns"], "tls": "acme", "volumes": [{"name": "data", "path": "/data"}],
    }  # fmt: skip
    assert site(**given) == {
        "name": "shop", "host": "blue.shop.localhost", "replicas": 1, "egress": ["dns"], "tls": True,
        "volumes": given["volumes"],
    }  # fmt: skip
    assert made({"sites": [given]}).notes == ["inspiration is without its database, its jobs"]


def test_address_ranges_are_only_reached_if_that_is_asked_for() -> None:
    sites = {"sites": [{"name": "shop", "egress": ["internet", "site:blog", "10.0.0.0/8:5432", "database"]}]}
    confined, unconfined = made(sites), made(sites, unconfined=True)
    assert confined.config["sites"][0]["egress"] == ["internet", "site:blog"]
    assert confined.notes == ["shop is without the way to 10.0.0.0/8:5432 (--egress)"]
    assert unconfined.config["sites"][0]["egress"] == ["internet", "site:blog", "10.0.0.0/8:5432"]
    assert unconfined.notes == []


def test_secrets_are_taken_by_name_only() -> None:
    variables = {"TOKEN": SECRET, "OTHER": SECRET}
    sites = {"sites": [{"name": "shop", "secretEnv": variables}, {"name": "blog", "secretEnv": {"TOKEN": SECRET}}]}
    none, one = made(sites), made(sites, wanted=["TOKEN"])
    assert none.taken == []
    assert "secure" not in json.dumps(none.config)
    assert none.notes == ["shop is without TOKEN, OTHER (--secrets)", "blog is without TOKEN (--secrets)"]
    assert one.taken == ["sites[0].secretEnv.TOKEN", "sites[1].secretEnv.TOKEN"]
    assert "secure" not in json.dumps(one.config)
    assert one.notes == ["shop is without OTHER (--secrets)"]


def test_nothing_that_is_encrypted_is_copied() -> None:
    shared = {"domain": "a.com", "ingress": SECRET, "sites": [{"name": "shop", "env": {"A": SECRET, "B": "b"}}]}
    config = made(shared).config
    assert "secure" not in json.dumps(config)
    assert config["sites"][0]["env"] == {"B": "b"}
    assert made({"sites": [{"secretEnv": SECRET}]}).notes == [
        "inspiration is without its secretEnv, which is encrypted as a whole"
    ]


def test_a_password_is_its_own_and_stays() -> None:
    sites = {"sites": [{"name": "shop", "basicAuth": {"user": "me", "password": SECRET}}]}
    first = made(sites)
    [(path, password)] = first.generated.items()
    assert path == "sites[0].basicAuth.password"
    assert len(password) >= 16
    assert first.passwords == {"shop": path}
    assert first.config["sites"][0]["basicAuth"] == {"user": "me"}
    kept = {"secure": "its own"}
    again = made(sites, before={"sites": [{"name": "shop", "basicAuth": {"user": "me", "password": kept}}]})
    assert (again.generated, again.config["sites"][0]["basicAuth"]["password"]) == ({}, kept)


def test_a_kubeconfig_is_found_from_the_branch_s_checkout(tmp_path: Path) -> None:
    (tmp_path / "mine.kubeconfig").touch()
    path = made({"kubeconfig": "mine.kubeconfig"}, project=tmp_path).config["kubeconfig"]
    assert path == str(tmp_path / "mine.kubeconfig")
    assert made({"kubeconfig": "apiVersion: v1\n"}).config["kubeconfig"] == "apiVersion: v1\n"
    secret = made({"kubeconfig": SECRET})
    assert (secret.taken, secret.config.get("kubeconfig")) == (["kubeconfig"], None)


@pytest.mark.parametrize(
    ("sites", "wanted", "cause", "fix"),
    [
        ([], ["A"], "--secrets: no site has A in its secretEnv", "leave it out"),
        ([{"secretEnv": {"B": SECRET, "C": SECRET}}], ["A"], "--secrets: no site has A in its", "name some of B, C"),
        (SECRET, [], "the sites of the branch's configuration are no list of maps", "correct the stack's file"),
        (["shop"], [], "the sites of the branch's configuration are no list of maps", "correct the stack's file"),
    ],
)
def test_what_cant_be_configured(sites: Any, wanted: list[str], cause: str, fix: str) -> None:
    with pytest.raises(Failure, match=re.escape(cause)) as failure:
        made({"sites": sites}, wanted=wanted)
    assert failure.value.fix == fix


def test_keys_may_be_without_the_project_s_name() -> None:
    document = {"config": {"inspiration:domain": "a.com", "prefix": "x", "aws:region": "eu"}}
    assert plain("inspiration", document) == {"domain": "a.com", "prefix": "x", "aws:region": "eu"}
    assert plain("inspiration", None) == {}


# Checkouts


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the branches main and feature/login, whose project is in a folder of it."""
    root = tmp_path / "repository"
    (root / "project").mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    commit(root, "one")
    git(root, "branch", "feature/login")
    commit(root, "two")
    return root


def git(root: Path, *arguments: str) -> str:
    named = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    done = subprocess.run(["git", "-C", root, *named, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def commit(root: Path, text: str) -> None:
    (root / "project/page").write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-qm", text)


def test_a_branch_is_checked_out_and_again_after_a_commit(repository: Path, tmp_path: Path) -> None:
    found, folder = Repository(repository / "project"), tmp_path / "dev.main"
    project = found.check_out(folder, found.named("feature/login"))
    assert project == folder / "project"
    assert (project / "page").read_text() == "one"
    (project / "page").write_text("changed meanwhile")
    (project / "Pulumi.dev.main.yaml").write_text("its configuration")
    assert found.check_out(folder, found.named("main")) == project
    assert (project / "page").read_text() == "two"
    assert (project / "Pulumi.dev.main.yaml").exists()
    found.remove(folder)
    assert not folder.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("left", ["a folder", "an entry", "a lock"])
def test_what_is_left_of_a_checkout_is_no_hindrance(repository: Path, tmp_path: Path, left: str) -> None:
    found, folder = Repository(repository / "project"), tmp_path / "dev.main"
    commit_of_main = found.named("main")
    if left == "a folder":
        (folder / "project").mkdir(parents=True)
    else:
        found.check_out(folder, commit_of_main)
        git(repository, "worktree", "lock", str(folder))
    if left == "an entry":
        git(repository, "worktree", "unlock", str(folder))
        subprocess.run(["rm", "-r", folder], check=True)
    elif left == "a lock":
        (folder / ".git").unlink()
    assert (found.check_out(folder, commit_of_main) / "page").read_text() == "two"
    found.remove(folder)
    assert not folder.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_link_in_a_checkout_is_removed_and_not_followed(repository: Path, tmp_path: Path) -> None:
    found, folder, elsewhere = Repository(repository), tmp_path / "dev.main", tmp_path / "venv"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (found.check_out(folder, found.named("main")) / ".venv").symlink_to(elsewhere)
    found.remove(folder)
    assert (elsewhere / "kept").exists()


def test_a_branch_that_isnt_there(repository: Path) -> None:
    found = Repository(repository)
    assert found.commit("gone") is None
    with pytest.raises(Failure) as failure:
        found.named("gone")
    assert str(failure.value) == "there is no branch gone; name one of feature/login, main"


def test_a_branch_of_a_remote_repository(repository: Path) -> None:
    git(repository, "update-ref", "refs/remotes/origin/green", "main")
    assert Repository(repository).commit("origin/green") == Repository(repository).commit("main")


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"isn't a git repository .*clone it with git"):
        Repository(tmp_path)


# Tags

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stack", "half", "expired"),
    [
        (BranchStack("dev.blue"), True, False),
        (BranchStack("dev.blue", "blue", NOW, "made"), False, True),
        (BranchStack("dev.blue", "blue", NOW + timedelta(1), "failed"), False, False),
        (BranchStack("dev.blue", "blue", NOW + timedelta(1), "making"), True, False),
        (BranchStack("dev.blue", "blue", NOW + timedelta(1), "removing"), True, False),
        (BranchStack("dev.blue", "blue", None, "made"), True, False),
    ],
)
def test_what_is_half_or_over(stack: BranchStack, half: bool, expired: bool) -> None:
    assert (stack.is_half, stack.is_expired(NOW)) == (half, expired)


TAGS = {
    "dev": {},
    "dev.blue": {
        "inspiration:branch": "blue", "inspiration:expires": "2026-11-29T12:00:00+00:00", "inspiration:phase": "made",
    },
    "dev.mine": {},
    "dev.half": {},
    "prod.blue": {"inspiration:branch": "blue"},
}  # fmt: skip


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """Those that a ``pulumi`` knows which answers as the real one."""
    (tmp_path / "listed").write_text(json.dumps([{"name": name} for name in TAGS]))
    for name, tags in TAGS.items():
        (tmp_path / f"tags-{name}").write_text(json.dumps(tags))
    program = tmp_path / "pulumi"
    program.write_text(
        f"""#!/bin/sh
case "$*" in
  "stack ls --json "*) cat {tmp_path}/listed;;
  "stack tag ls --json --stack "*) cat "{tmp_path}/tags-$6";;
  "config set "*) cat >{tmp_path}/input; echo "$@" >{tmp_path}/words;;
  *) echo "error: that can't be" >&2; exit 255;;
esac
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Stacks(tmp_path)


def test_whose_stacks_there_are(stacks: Stacks) -> None:
    found = stacks.of_branches("dev", ["dev.half", "dev.gone", "prod.gone"])
    assert found == [
        BranchStack("dev.blue", "blue", NOW, "made"),
        BranchStack("dev.gone"),
        BranchStack("dev.half"),
    ]


def test_a_secret_is_on_no_command_line(stacks: Stacks, tmp_path: Path) -> None:
    stacks.run("config", "set", "--path", "sites[0].secretEnv.A", "--secret", text="s3cret")
    assert (tmp_path / "input").read_text() == "s3cret"
    assert "s3cret" not in (tmp_path / "words").read_text()


def test_what_pulumi_says_is_said(stacks: Stacks) -> None:
    with pytest.raises(Failure, match=r"`pulumi stack init` failed: that can't be; see `pulumi stack ls`"):
        stacks.run("stack", "init", "dev.blue")


def test_without_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="there is no pulumi on PATH"):
        Stacks(tmp_path).exists("dev")
