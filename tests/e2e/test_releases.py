"""``script/releases`` and ``script/rollback``: back to what a site was, without a build, and forth."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.checkout import Checkout
from tests.traffic import Traffic

SITE = "rolled"
HOST = f"{SITE}.localhost"


def page() -> str:
    return httpx.get("http://127.0.0.1/", headers={"Host": HOST}, timeout=10).text


def deploy(checkout: Checkout, text: str) -> None:
    (checkout.path / SITE / "index.html").write_text(f"<p>{text}</p>")
    checkout.up()


@pytest.fixture(scope="module")
def rolled(site: Checkout) -> Iterator[Checkout]:
    """The stack with a site that has had three releases."""
    (site.path / SITE).mkdir()
    try:
        site.configure({f"sites[1].{key}": SITE for key in ("name", "source")})
        for text in ("one", "two", "three"):
            deploy(site, text)
        yield site
    finally:
        site.restore()


def listed(checkout: Checkout) -> list[dict[str, object]]:
    done = checkout.run("script/releases", SITE, "--json")
    assert done.returncode == 0, done.stderr
    releases: list[dict[str, object]] = json.loads(done.stdout)[SITE]
    return releases


def test_back_to_a_release_and_forth(rolled: Checkout) -> None:
    newest, _, first = listed(rolled)
    assert newest["running"]
    assert newest["digest"] == rolled.outputs()["images"][SITE].partition("@")[2]
    images = rolled.images()

    with Traffic(HOST, requests_per_second=20) as traffic:
        done = rolled.run("script/rollback", SITE, str(first["digest"]).removeprefix("sha256:")[:12])
        traffic.wait_for(20)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "one" in page()
        assert [each["digest"] for each in listed(rolled) if each["running"]] == [first["digest"]]
        done = rolled.pulumi("preview", "--expect-no-changes")
        assert done.returncode == 0, done.stdout

        done = rolled.run("script/rollback", SITE, "--undo")
        traffic.wait_for(20)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "three" in page()
    assert traffic.failures == []
    # Nothing was built.
    assert rolled.images() == images


def test_the_preview_of_it_is_the_image_alone(rolled: Checkout) -> None:
    _, before, _ = listed(rolled)
    done = rolled.pulumi("config", "set", "--path", "sites[1].release", str(before["digest"]))
    assert done.returncode == 0, done.stderr
    try:
        steps = json.loads(rolled.pulumi("preview", "--diff", "--json").stdout)["steps"]
        [changed] = [step for step in steps if step["op"] != "same"]
        assert changed["urn"].endswith(f"::{SITE}-deployment")
        assert "spec.template.spec.containers[0].image" in changed["detailedDiff"]
        others = changed["detailedDiff"].keys() - {"spec.template.spec.containers[0].image"}
        assert all(path.startswith("metadata.annotations") for path in others)
    finally:
        rolled.pulumi("config", "rm", "--path", "sites[1].release")


def test_a_commit_is_no_change(rolled: Checkout) -> None:
    assert rolled.run("git", "add", SITE).returncode == 0
    named = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    assert rolled.run("git", *named, "commit", "-qm", "A site").returncode == 0
    try:
        done = rolled.pulumi("preview", "--expect-no-changes")
        assert done.returncode == 0, done.stdout
    finally:
        rolled.run("git", "reset", "-q", "HEAD~1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((SITE, "f00"), f"error: {SITE} has no release f00"),
        (("blog",), "error: the stack dev has no site blog"),
        ((SITE, "--stack", "nowhere"), "error: the stack's state can't be read"),
    ],
)
def test_what_cant_be_is_refused_and_changes_nothing(rolled: Checkout, words: tuple[str, ...], said: str) -> None:
    before = (rolled.path / "Pulumi.dev.yaml").read_text()
    done = rolled.run("script/rollback", *words)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert (rolled.path / "Pulumi.dev.yaml").read_text() == before


def test_a_release_whose_image_is_gone_is_refused(rolled: Checkout) -> None:
    gone = f"sha256:{'0' * 64}"
    done = rolled.pulumi("config", "set", "--path", "sites[1].release", gone)
    assert done.returncode == 0, done.stderr
    try:
        done = rolled.pulumi("preview")
        assert done.returncode != 0
        assert f"the registry localhost:32000 has no image {SITE}@{gone}" in done.stdout
    finally:
        rolled.pulumi("config", "rm", "--path", "sites[1].release")
