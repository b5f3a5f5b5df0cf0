"""A new version that doesn't come up: the error says why, and the old one serves as if nothing had happened."""

from __future__ import annotations

import re

from tests.checkout import Checkout
from tests.faults.conftest import assert_complete, configure_sites, write_page
from tests.faults.updates import SECONDS, failing_site, fails, losing_nothing, served, site_of

CRASHES = """FROM caddy:2.11.7
USER 65532:65532
CMD ["/usr/bin/caddy", "run", "--config", "/no/such/file"]
"""
# Which needs more than nginx does.
HUNGRY = """FROM caddy:2.11.7
COPY index.html /srv/
ENV XDG_CONFIG_HOME=/tmp XDG_DATA_HOME=/tmp
USER 65532:65532
CMD ["/usr/bin/caddy", "file-server", "--root", "/srv", "--listen", ":8080"]
"""


def test_what_keeps_a_new_version_from_serving_is_named(undone: Checkout) -> None:
    names = ("crashes", "unready", "nowhere", "hungry")
    for name in names:
        write_page(undone, name, "the old version")
    served(undone, *(site_of(name) for name in names))

    (undone.path / "crashes" / "Dockerfile").write_text(CRASHES)
    (undone.path / "hungry" / "Dockerfile").write_text(HUNGRY)
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

    assert said.count("failed to fully initialize or become live") >= len(names)
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
