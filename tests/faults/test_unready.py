"""A new version that doesn't come up: the error says why, and the old one serves as if nothing had happened."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.checkout import Checkout
from tests.faults.conftest import assert_complete, configure_sites, write_page
from tests.traffic import Traffic
from tests.waiting import eventually

SECONDS = 45
"""How long an update that is to fail may stand still: enough for a pod to start, and to crash, on a busy machine."""

CRASHES = """FROM caddy:2.11.7
USER 65532:65532
CMD ["/usr/bin/caddy", "run", "--config", "/no/such/file"]
"""


def site_of(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "source": name, "replicas": 1, **options}


def failing_site(name: str, **options: Any) -> dict[str, Any]:
    return site_of(name, progressDeadlineSeconds=SECONDS, **options)


def served(checkout: Checkout, *sites: Mapping[str, Any]) -> None:
    """Put sites on the cluster, and wait until they answer."""
    configure_sites(checkout, *sites)
    checkout.up()
    for site in sites:
        with Traffic(f"{site['name']}.localhost", requests_per_second=5) as probe:
            assert eventually(lambda: _answers(probe), 120), probe.failures[-1:]


def _answers(probe: Traffic) -> bool:
    before = len(probe.failures)
    probe.wait_for(3)
    return len(probe.failures) == before


@contextlib.contextmanager
def losing_nothing(*names: str) -> Iterator[None]:
    """Ask each site all the time; no request may fail."""
    with contextlib.ExitStack() as stack:
        asked = {name: stack.enter_context(Traffic(f"{name}.localhost", requests_per_second=5)) for name in names}
        yield
        for traffic in asked.values():
            traffic.wait_for(10)
    assert {name: traffic.failures for name, traffic in asked.items() if traffic.failures} == {}


def fails(checkout: Checkout) -> str:
    """``pulumi up`` that fails, without a traceback; returns what it says, in one line."""
    done = checkout.pulumi("up", "--yes", "--skip-preview")
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    return " ".join(said.split())


def test_what_keeps_a_new_version_from_serving_is_named(undone: Checkout) -> None:
    names = ("crashes", "unready", "nowhere", "hungry")
    for name in names:
        write_page(undone, name, "the old version")
    served(undone, *(site_of(name) for name in names))

    (undone.path / "crashes" / "Dockerfile").write_text(CRASHES)
    enormous = {"cpu": "1000", "memory": "32Mi"}
    tiny = {"cpu": "100m", "memory": "8Mi"}
    configure_sites(
        undone,
        failing_site("crashes"),
        failing_site("unready", healthPath="/never"),
        failing_site("nowhere", resources={"requests": enormous, "limits": enormous}),
        failing_site("hungry", resources={"requests": {**tiny, "cpu": "10m"}, "limits": tiny}),
    )
    with losing_nothing(*names):
        said = fails(undone)

    for name in names:
        assert f"Deployment {name}/{name} isn't ready: " in said
    assert f"and nothing moved for {SECONDS} s" in said
    assert re.search(r"container site crashe[sd] (again and again )?\(exit code 1\)", said), said
    assert "/no/such/file" in said  # the last words of the container
    assert "Startup probe failed: HTTP probe failed with statuscode: 404" in said
    assert "no node can take it: 0/1 nodes are available: 1 Insufficient cpu" in said
    assert re.search(r"hungry.*OOM", said), said

    for name in names:
        (undone.path / name / "Dockerfile").unlink(missing_ok=True)
        write_page(undone, name, "the new version")
    with losing_nothing(*names):
        served(undone, *(site_of(name) for name in names))
    assert_complete(undone)
