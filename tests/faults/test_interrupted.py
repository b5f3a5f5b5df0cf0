"""``script/up`` that is interrupted, killed, or loses the API server on the way: what it says, and that it goes on."""

from __future__ import annotations

import re

import httpx
import psutil

from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout
from tests.faults.conftest import assert_complete, configure_sites, write_page
from tests.faults.running import Running
from tests.waiting import eventually

MAKING = r"kubernetes:core/v1:Namespace hello-namespace created"
BUILDING = r"docker:index:Image hello-docker (creating|updating)"
WAITING = r"kubernetes:apps/v1:Deployment hello-deployment .*\(\d/\d Pods available\)"
"""Three points in the middle of ``up``: an object is being made, an image built, pods waited for."""


def page() -> str:
    """What the second site serves; empty while it doesn't."""
    try:
        answer = httpx.get("http://127.0.0.1/", headers={"Host": "hello.localhost"}, timeout=10)
    except httpx.HTTPError:
        return ""
    return answer.text if answer.status_code == 200 else ""


def plugins_of(checkout: Checkout) -> list[str]:
    """Command lines of the Pulumi plugins that run for a checkout."""
    home = str(checkout.state / "pulumi-home")
    processes = psutil.process_iter(["cmdline"])
    return [" ".join(each.info["cmdline"]) for each in processes if home in " ".join(each.info["cmdline"] or [])]


def finish(checkout: Checkout) -> str:
    """``script/up`` to its end: everything is there, and a preview has nothing to do. Returns what it said."""
    done = checkout.run("script/up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert eventually(lambda: "third" in page())
    assert_complete(checkout)
    return done.stdout + done.stderr


def test_ctrl_c_at_three_points(undone: Checkout) -> None:
    configure_sites(undone, {"name": "hello", "source": "hello"})
    for text, point in (("first", MAKING), ("second", BUILDING), ("third", WAITING)):
        write_page(undone, "hello", text)
        with Running(undone, "script/up") as up:
            up.until(point)
            up.interrupt()
            assert up.ended() == 130, up.said
        assert "^C received; cancelling" in up.said
        assert "interrupted; what is done stays, script/up goes on from there" in up.said
        assert "Traceback" not in up.said
        if point == WAITING:
            assert 'Resource operation was cancelled for "hello"' in up.said
        # It has ended in order: no lock is left, and nothing works on in the background.
        assert eventually(lambda: plugins_of(undone) == [])
    assert "which was killed" not in finish(undone)


def test_kill_9_at_three_points(undone: Checkout) -> None:
    configure_sites(undone, {"name": "hello", "source": "hello"})
    write_page(undone, "hello", "first")
    with Running(undone, "script/up") as up:
        up.until(MAKING)
        up.kill_pulumi()
        assert up.ended() == 1, up.said
    assert "error: pulumi was killed (SIGKILL); what it has made so far stays" in up.said
    assert "fix: run the same command again, it goes on from there" in up.said

    # Plain `pulumi` says who holds the stack, and what to do.
    locked = undone.pulumi("up", "--yes", "--skip-preview")
    assert locked.returncode != 0
    assert "the stack is currently locked by 1 lock(s)" in locked.stderr + locked.stdout
    assert "`pulumi cancel`" in locked.stderr + locked.stdout

    for text, point in (("second", BUILDING), ("third", WAITING)):
        write_page(undone, "hello", text)
        with Running(undone, "script/up") as up:
            up.until(point)
            up.kill()
            up.ended()
        assert re.search(r"removed the lock of an earlier pulumi \(pid \d+\), which was killed", up.said), up.said
        # The plugins see that the engine is gone; Pulumi's own do so after some minutes.
        assert eventually(lambda: all("resource-kubernetes" in plugin for plugin in plugins_of(undone)))

    said = finish(undone)
    assert eventually(lambda: plugins_of(undone) == [])
    assert re.search(r"removed the lock of an earlier pulumi \(pid \d+\), which was killed", said), said
    # All that was under way is made again, or found to be there: nobody has to look after it.
    assert "pending operations" not in said


def test_an_api_server_that_restarts_ends_up_at_most_and_the_next_one_goes_on(undone: Checkout) -> None:
    """Pulumi's provider waits for no API server that refuses connections."""
    configure_sites(undone, {"name": "hello", "source": "hello"})
    supervisor = Supervisor(Files(undone.state))
    for text, point in (("second", MAKING), ("third", WAITING)):
        write_page(undone, "hello", text)
        with Running(undone, "script/up") as up:
            up.until(point)
            victim = supervisor.processes()["kube-apiserver"]
            victim.kill()
            victim.wait()
            code = up.ended()
        assert code == 0 or "script/up again, which goes on from there" in up.said, up.said
        assert "Traceback" not in up.said
    finish(undone)
