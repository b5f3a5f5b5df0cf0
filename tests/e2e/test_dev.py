"""``script/dev``: what is saved is served beside the site, and nothing of it is left."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, expect

from tests.checkout import Checkout, newcomer
from tests.waiting import eventually

SITE = "inspiration"
HOST = f"dev.{SITE}.localhost"
URL = f"http://{HOST}/"
KINDS = "pods,services,ingresses,networkpolicies,endpointslices,leases"


def ask(path: str = "/") -> httpx.Response:
    return httpx.get(f"http://127.0.0.1{path}", headers={"Host": HOST}, timeout=10)


@contextmanager
def edited(checkout: Checkout, output: Path, ending: int = signal.SIGINT) -> Iterator[subprocess.Popen[str]]:
    """Have ``script/dev`` run for the length of the block, from when it says where."""
    with output.open("w") as file, subprocess.Popen(
        ["script/dev", SITE],
        cwd=checkout.path, env=newcomer(), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, text=True,
        # As at a terminal: what a shell starts in the background ignores SIGINT, and so would what these tests start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        try:
            assert eventually(lambda: URL in output.read_text() or process.poll() is not None)
            assert process.poll() is None, output.read_text()
            yield process
        finally:
            process.send_signal(ending)
            process.wait()


def objects(checkout: Checkout) -> dict[str, Any]:
    """The uids of what is in the site's namespace, and how often its containers were restarted."""
    items = json.loads(checkout.kubectl("get", KINDS, "-n", SITE, "-o", "json"))["items"]
    return {
        each["metadata"]["uid"]: [status["restartCount"] for status in each["status"].get("containerStatuses", [])]
        if each["kind"] == "Pod"
        else []
        for each in items
    }


def newest(checkout: Checkout) -> str:
    """The hash in the labels of the pods that the site's Deployment wants."""
    sets = json.loads(checkout.kubectl("get", "replicasets", "-n", SITE, "-o", "json"))["items"]
    return next(str(each["metadata"]["labels"]["pod-template-hash"]) for each in sets if each["spec"]["replicas"])


def test_ten_saves_are_served_and_the_tab_shows_each(site: Checkout, browser: Browser, tmp_path: Path) -> None:
    before, state = objects(site), site.pulumi("stack", "export").stdout
    page, output = site.path / "site" / "index.html", tmp_path / "output"
    text = page.read_text()
    try:
        with edited(site, output) as process:
            tab = browser.new_page()
            tab.goto(URL)
            for number in range(10):
                page.write_text(f'{text}<p id="saved">save {number}</p>')
                assert eventually(lambda number=number: f"save {number}<" in ask().text, 20)  # type: ignore[misc]
                expect(tab.locator("#saved")).to_have_text(f"save {number}", timeout=20_000)

            # The rules of the server, and a mistake in them.
            (site.path / "site" / "_redirects").write_text("/moved / 301\n")
            assert eventually(lambda: ask("/moved").status_code == 301, 20)
            (site.path / "site" / "_redirects").write_text("/moved\n")
            mistake = "site/_redirects:1: 1 words; allowed: path, where to, and perhaps a status"
            expect(tab.get_by_role("alert")).to_contain_text(mistake, timeout=20_000)
            assert mistake in output.read_text()
            assert ask("/moved").status_code == 301
            (site.path / "site" / "_redirects").unlink()
            expect(tab.get_by_role("alert")).to_have_count(0, timeout=20_000)
            tab.close()

            # Somebody else.
            done = site.run("script/dev", SITE)
            assert done.returncode == 1
            assert f"error: {SITE} is being edited by " in done.stderr
            assert f"(process {process.pid})" in done.stderr
    finally:
        page.write_text(text)
        (site.path / "site" / "_redirects").unlink(missing_ok=True)
    assert process.returncode == 130
    assert output.read_text().endswith("ended; the cluster is as it was\n")
    assert objects(site) == before
    assert site.pulumi("stack", "export").stdout == state


def test_after_a_kill_the_next_one_takes_away_what_was_left(site: Checkout, tmp_path: Path) -> None:
    before = objects(site)
    with edited(site, tmp_path / "first", signal.SIGKILL):
        pass
    assert objects(site).keys() > before.keys()
    with edited(site, tmp_path / "second", signal.SIGTERM):
        assert ask().status_code == 200
    assert objects(site) == before


def test_a_program_is_built_and_replaced_and_what_is_wrong_is_shown(site: Checkout, tmp_path: Path) -> None:
    folder = site.path / "program"
    folder.mkdir()
    dockerfile = folder / "Dockerfile"
    good = (
        "FROM busybox:1.35.0\nCOPY index.html /www/index.html\n"
        'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]\n'
    )  # fmt: skip
    dockerfile.write_text(good)
    (folder / "index.html").write_text("<p>one</p>")

    def error() -> str:
        answer = ask("/.dev/state.json")
        return str(answer.json()["error"]) if answer.status_code == 200 else ""

    try:
        site.configure({"sites[0].source": "program", "sites[0].healthPath": "/"})
        site.up()
        # The pods before have had their time to end.
        site.kubectl("wait", "--for=delete", "pods", "-n", SITE, "-l", f"pod-template-hash!={newest(site)}")
        before = objects(site)
        with edited(site, tmp_path / "output"):
            (folder / "index.html").write_text("<p>two</p>")
            assert eventually(lambda: ask().text.startswith("<p>two</p><script"), 60)
            dockerfile.write_text(f"{good}RUN false\n")
            assert eventually(lambda: "RUN false" in error(), 60)
            assert ask().status_code == 200
            dockerfile.write_text(f'{good}CMD ["sh", "-c", "echo boom; exit 3"]\n')
            assert eventually(lambda: "the program has ended\nboom" in error(), 60)
            # What is in front of it still answers.
            assert "/.dev/reload.js" in ask().text
            dockerfile.write_text(good)
            assert eventually(lambda: ask().status_code == 200 and not error(), 60)
        assert objects(site) == before
        tags = httpx.get(f"http://{site.outputs()['registry']}/v2/{SITE}/tags/list").json()["tags"]
        assert "dev" not in tags
    finally:
        site.restore()


def test_what_cant_be_is_refused_in_a_line(site: Checkout) -> None:
    for words, said in (
        (("blog",), "error: the stack dev has no site blog\n  fix: name one of inspiration\n"),
        ((SITE, "--stack", "nowhere"), "error: the stack's state can't be read"),
    ):
        done = site.run("script/dev", *words)
        assert done.returncode == 1
        assert done.stderr.startswith(said)
