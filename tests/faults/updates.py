"""Sites that are updated while they are asked, with success or without."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.checkout import Checkout
from tests.faults.conftest import configure_sites
from tests.traffic import Traffic
from tests.waiting import eventually

SECONDS = 90
"""How long an update that is to fail may stand still: enough for a pod to start, and to crash, on a busy machine."""


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
    failures = {name: traffic.failures for name, traffic in asked.items() if traffic.failures}
    assert not failures, failures


def fails(checkout: Checkout) -> str:
    """``script/up`` that fails, without a traceback; returns what it says, in one line."""
    done = checkout.run("script/up")
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    return " ".join(said.split())
