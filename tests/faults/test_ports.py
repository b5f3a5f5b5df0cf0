"""A port that somebody else holds is named before anything is made."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from embedded.cluster import network
from embedded.cluster.plan import Files, Ports
from embedded.cluster.preflight import check
from embedded.errors import Failure
from tests.checkout import Checkout
from tests.waiting import eventually


@pytest.fixture
def held() -> Iterator[int]:
    """A real listener on a port of loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no other cluster on this machine, whatever runs."""
    monkeypatch.setattr(network, "link_owner", lambda: None)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("which", "section", "name"),
    [
        ("http", "inspiration:ingress", "httpPort"),
        ("https", "inspiration:ingress", "httpsPort"),
        ("registry", "inspiration:registry", "nodePort"),
    ],
)
def test_the_error_names_port_program_pid_and_key(
    tmp_path: Path, held: int, which: str, section: str, name: str
) -> None:
    free: dict[str, Any] = {"http": 59080, "https": 59443, "registry": 59032}

    files, ports = Files(tmp_path), Ports(**{**free, which: held})
    with pytest.raises(Failure) as failure:
        check(files, ports, own=())

    start = f"port {held} is held by {psutil.Process().name()} (pid {os.getpid()}): stop it, or choose another port: "
    # There is no pulumi yet.
    assert str(failure.value) == (f"{start}in Pulumi.dev.yaml, {section}: {{{name}: {held + 1}}}; nothing was changed")
    assert list(tmp_path.iterdir()) == []

    files.environment.touch()
    with pytest.raises(Failure) as failure:
        check(files, ports, own=())
    assert str(failure.value) == f"{start}`pulumi config set --path {section}.{name} {held + 1}`; nothing was changed"


@pytest.mark.usefixtures("alone")
def test_every_held_port_is_named_at_once(tmp_path: Path, held: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        second = other.getsockname()[1]
        with pytest.raises(Failure) as failure:
            check(Files(tmp_path), Ports(http=held, https=second, registry=59032), own=())
    assert f"port {held} is held" in str(failure.value)
    assert f"port {second} is held" in str(failure.value)


@pytest.mark.usefixtures("alone")
def test_the_clusters_own_listeners_are_fine(tmp_path: Path, held: int) -> None:
    check(Files(tmp_path), Ports(http=held, https=59443, registry=59032), own=[os.getpid()])


def test_another_cluster_is_named_rather_than_its_ports(
    tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "link_owner", lambda: "/srv/other/.inspiration")
    with pytest.raises(Failure) as failure:
        check(Files(tmp_path), Ports(http=held, https=59443, registry=59032), own=())
    assert str(failure.value) == (
        "another embedded cluster is on this machine: that of /srv/other; stop it there with script/down --keep, or "
        "use it from here: export INSPIRATION_STATE=/srv/other/.inspiration"
    )
    monkeypatch.setattr(network, "link_owner", lambda: str(tmp_path))
    with pytest.raises(Failure, match=f"port {held} is held"):
        check(Files(tmp_path), Ports(http=held, https=59443, registry=59032), own=())


@pytest.fixture
def configured(site: Checkout) -> Iterator[Checkout]:
    """The copy, whose configuration and stack are put back afterwards."""
    yield site
    site.run("git", "checkout", "-q", "Pulumi.dev.yaml")
    done = site.run("script/up")
    assert done.returncode == 0, done.stdout + done.stderr


def test_up_stops_before_anything_is_changed(configured: Checkout, held: int) -> None:
    configured.pulumi("config", "set", "--path", "ingress.httpPort", str(held))
    before = configured.pulumi("stack", "export").stdout

    done = configured.run("script/up")

    assert done.returncode == 1
    assert f"error: port {held} is held by " in done.stderr
    assert f"(pid {os.getpid()})" in done.stderr
    assert f"pulumi config set --path inspiration:ingress.httpPort {held + 1}" in done.stderr
    assert configured.pulumi("stack", "export").stdout == before


def answers(url: str, host: str) -> bool:
    try:
        return httpx.get(url, headers={"Host": host}, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def test_another_port_is_a_matter_of_the_config(configured: Checkout) -> None:
    configured.pulumi("config", "set", "--path", "inspiration:ingress.httpPort", "18080")

    done = configured.run("script/up")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "http://inspiration.localhost:18080/" in done.stdout
    assert eventually(lambda: answers("http://127.0.0.1:18080/", "inspiration.localhost:18080"))
    with pytest.raises(httpx.ConnectError):
        httpx.get("http://127.0.0.1/", timeout=10)
