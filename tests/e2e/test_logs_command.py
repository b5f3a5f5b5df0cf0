"""``script/logs``: what the pods of a site have written, and write, without a change in the cluster."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from uuid import uuid4

import httpx
import yaml

from tests.checkout import Checkout, newcomer
from tests.waiting import eventually

SITE = "inspiration"
"""Its name, and that of its namespace."""
HOST = "inspiration.localhost"


def ask(path: str) -> None:
    """Have a pod of the site write a line with ``path``."""
    assert httpx.get(f"http://127.0.0.1/{path}", headers={"Host": HOST}).status_code == 404


def with_mark(text: str, mark: str) -> list[tuple[str, str]]:
    """The pod, and what follows the mark, of each line that has it."""
    lines = [line for line in text.splitlines() if mark in line]
    return [(line.split(maxsplit=1)[0], line.partition(mark)[2].partition("-")[0]) for line in lines]


def logs(checkout: Checkout, *options: str) -> str:
    done = checkout.run("script/logs", SITE, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pods(checkout: Checkout) -> set[str]:
    selector = f"app.kubernetes.io/name={SITE}"
    shown = checkout.kubectl("get", "pods", "-n", SITE, "-l", selector, "-o", "jsonpath={.items[*].metadata.name}")
    return set(shown.split())


def test_the_lines_of_all_pods_come_in_order(site: Checkout) -> None:
    mark, asked, found = f"{uuid4()}_", 0, list[tuple[str, str]]()

    def has_written() -> bool:
        found[:] = with_mark(logs(site), mark)
        return len(found) == asked

    # One after the other: the server writes lines together that come within a second.
    while {pod for pod, _ in found} != pods(site) and asked < 20:
        ask(f"{mark}{asked}-")
        asked += 1
        assert eventually(has_written), found
    assert {pod for pod, _ in found} == pods(site)
    assert [number for _, number in found] == [str(number) for number in range(asked)]
    assert with_mark(logs(site, "--tail", "2"), mark) == found[-2:]
    assert with_mark(logs(site, "--since", "1h30m"), mark) == found


def test_following_goes_on_with_what_comes(site: Checkout, tmp_path: Path) -> None:
    mark, asked, before = f"{uuid4()}_", 0, pods(site)
    ask(f"{mark}history-")
    assert eventually(lambda: bool(with_mark(logs(site), mark)))
    output = tmp_path / "output"

    def has_asked_and_read_of(which: set[str]) -> bool:
        nonlocal asked
        ask(f"{mark}{asked}-")
        asked += 1
        return any(pod in which and text != "history" for pod, text in with_mark(output.read_text(), mark))

    with output.open("wb") as file, subprocess.Popen(
        ["script/logs", SITE, "-f"],
        cwd=site.path, env=newcomer(), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, text=True,
        # As at a terminal: what a shell starts in the background ignores SIGINT, and so would what these tests start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as following:  # fmt: skip
        try:
            assert eventually(lambda: has_asked_and_read_of(before))
            site.kubectl("delete", "pod", "-n", SITE, sorted(before)[0])
            site.kubectl("rollout", "status", "-n", SITE, f"deployment/{SITE}")
            assert eventually(lambda: has_asked_and_read_of(pods(site) - before))
            assert eventually(lambda: len(with_mark(output.read_text(), mark)) == asked + 1)
            following.send_signal(signal.SIGINT)
            assert following.stderr is not None
            assert following.stderr.read() == "interrupted\n"
        finally:
            following.kill()
    assert following.returncode == 130
    # Each once, those of before too.
    assert sorted(text for _, text in with_mark(output.read_text(), mark)) == sorted(
        ["history", *map(str, range(asked))]
    )


def test_a_reader_that_has_seen_enough_is_no_error(site: Checkout) -> None:
    ask(f"{uuid4()}")
    assert eventually(lambda: logs(site) != "")
    done = site.run("bash", "-c", f'script/logs {SITE} | head -n 1; echo "${{PIPESTATUS[0]}}"')
    assert done.stderr == ""
    line, code = done.stdout.splitlines()
    assert line.startswith(SITE)
    assert code in ("0", "141")


def test_who_is_no_site_is_told_which_there_are(site: Checkout) -> None:
    done = site.run("script/logs", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: the stack dev has no site nobody\n  fix: name one of {SITE}\n"


def test_a_stack_of_ones_own_is_asked_by_its_own_configuration(site: Checkout) -> None:
    """As on another cluster: by the environment and the stack's configuration only."""
    mark = f"{uuid4()}_"
    ask(f"{mark}one-")

    def printed() -> str:
        done = site.run("script/logs", SITE, "--stack", "dev", environment=site.environment())
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert eventually(lambda: [text for _, text in with_mark(printed(), mark)] == ["one"])

    elsewhere = {**site.environment(), "KUBECONFIG": "/nowhere/kubeconfig"}
    done = site.run("script/logs", SITE, "--stack", "dev", environment=elsewhere)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: inspiration:kubeconfig: /nowhere/kubeconfig doesn't exist; allowed: ")

    done = site.run("script/logs", SITE, "--stack", "nobody", environment=site.environment())
    assert done.returncode == 1
    assert "error: the stack's state can't be read: error: no stack named 'nobody' found" in done.stderr


def test_who_may_not_see_pods_is_told_so(site: Checkout, tmp_path: Path) -> None:
    kubeconfig = yaml.safe_load(site.kubectl("config", "view", "--flatten", "--raw", "--minify"))
    kubeconfig["users"][0]["user"]["as"] = "eve"
    (tmp_path / "kubeconfig").touch(0o600)
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    as_eve = {**site.environment(), "KUBECONFIG": str(tmp_path / "kubeconfig")}
    done = site.run("script/logs", SITE, "--stack", "dev", environment=as_eve)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f'error: User "eve" cannot list resource "pods" in API group "" in the namespace "{SITE}"\n'
        "  fix: grant that permission, or use another user\n"
    )
