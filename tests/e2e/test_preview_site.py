"""``script/preview-site``: branches beside what runs, of which nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.checkout import Checkout, newcomer
from tests.waiting import eventually

BLUE = "http://blue.inspiration.localhost/"


def page(url: str) -> str:
    """Return what is at a URL whose host Python can't look up."""
    host = httpx.URL(url).host
    return httpx.get("http://127.0.0.1/", headers={"Host": host}, timeout=10).text


def git(checkout: Checkout, *arguments: str) -> None:
    done = checkout.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def branched(site: Checkout) -> Iterator[Checkout]:
    """The checkout with the branches blue and feature/login, each with another page."""
    index = site.path / "site/index.html"
    for branch in ("blue", "feature/login"):
        git(site, "checkout", "-q", "-b", branch)
        index.write_text(f"<title>{branch}</title>")
        git(site, "commit", "-qam", branch)
        git(site, "checkout", "-q", "-")
    try:
        yield site
    finally:
        for branch in ("blue", "feature/login"):
            site.run("git", "branch", "-qD", branch)
        site.run("script/preview-site", "--prune")


def listed(checkout: Checkout) -> dict[str, dict[str, object]]:
    done = checkout.run("script/preview-site", "--list", "--json")
    assert done.returncode == 0, done.stderr
    return {each["branch"]: each for each in json.loads(done.stdout)}


def made(checkout: Checkout, *words: str) -> str:
    """Deploy a branch, and return its page."""
    with started(checkout, *words) as process:
        assert process.stdout
        # What is over is removed after that.
        site, url = process.stdout.readline().split()
        assert site == "inspiration"
        served = page(url)
    assert process.returncode == 0
    return served


def started(checkout: Checkout, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["script/preview-site", *words],
        cwd=checkout.path, env=newcomer(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip


def left(checkout: Checkout) -> list[str]:
    """Return what there is of branches, anywhere."""
    namespaces = checkout.kubectl("get", "namespaces", "--output", "name").split()
    hosts = checkout.kubectl("get", "ingresses", "-A", "-o", "jsonpath={.items[*].spec.rules[*].host}").split()
    ours = checkout.environment()
    stacks = [
        each["name"] for each in json.loads(checkout.run("pulumi", "stack", "ls", "--json", environment=ours).stdout)
    ]
    registry = f"http://{checkout.outputs()['registry']}/v2"
    names = [name for name in httpx.get(f"{registry}/_catalog?n=1000").json()["repositories"] if "/" in name]
    digests = [tag for name in names for tag in httpx.get(f"{registry}/{name}/tags/list").json().get("tags") or []]
    images = checkout.run("docker", "images", "--format", "{{.Repository}}", environment=ours).stdout
    worktrees = checkout.run("git", "worktree", "list").stdout.splitlines()[1:]
    return [
        *(name for name in namespaces if name.startswith("namespace/dev-")),
        *(host for host in hosts if host.startswith(("blue.", "feature-login"))),
        *(name for name in stacks if name.startswith("dev.")),
        *digests,
        *(name for name in images.split() if "/dev-" in name),
        *worktrees,
        *(str(path) for path in (checkout.state / "branches").glob("*")),
    ]


def killed(checkout: Checkout, branch: str) -> None:
    """Have a branch be deployed, and all that works on it be killed once it has a namespace."""
    with started(checkout, branch) as process:
        try:
            assert eventually(lambda: "/dev-" in checkout.kubectl("get", "namespaces", "--output", "name"), 30)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_two_branches_come_and_go_and_nothing_is_left(branched: Checkout) -> None:
    before, outputs = page("http://inspiration.localhost/"), branched.outputs()
    killed(branched, "blue")
    assert listed(branched) == {}
    assert left(branched) == []
    assert "<title>feature/login</title>" in made(branched, "feature/login", "--expires", "1s")
    # It has expired, and goes when the next one is served.
    assert "<title>blue</title>" in made(branched, "blue", "--at-most", "1")
    assert page("http://inspiration.localhost/") == before
    there = listed(branched)
    assert there.keys() == {"blue"}
    assert there["blue"]["urls"] == [BLUE]
    done = branched.run("script/preview-site", "--remove", "blue")
    assert done.returncode == 0, done.stderr
    assert listed(branched) == {}
    assert left(branched) == []
    assert branched.outputs() == outputs


def test_script_down_removes_branches_as_well(branched: Checkout) -> None:
    made(branched, "blue")
    try:
        done = branched.run("script/down")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "removed dev.blue" in done.stderr
    finally:
        again = branched.run("script/up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert listed(branched) == {}
    assert left(branched) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("green",), "error: there is no branch green"),
        (("--remove", "green"), "error: the branch green isn't deployed beside the stack dev"),
        (("blue", "--stack", "nowhere"), "error: the stack's state can't be read"),
        (("blue", "--secrets", "TOKEN"), "error: --secrets: no site has TOKEN in its secretEnv"),
        (("blue", "--at-most", "0"), "error: --at-most 0 branches are kept, and these are there: none"),
    ],
)
def test_what_cant_be_is_refused_and_leaves_nothing(branched: Checkout, words: tuple[str, ...], said: str) -> None:
    done = branched.run("script/preview-site", *words, environment=branched.environment())
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert listed(branched) == {}
