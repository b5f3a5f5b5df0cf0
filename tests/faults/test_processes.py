"""Processes that die: back by themselves, with the site and the registry as they were."""

from __future__ import annotations

import json

import httpx
import psutil
import pytest

from embedded.cluster.plan import Files
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout
from tests.disruption import kill
from tests.waiting import eventually

PROCESSES = (
    "etcd", "containerd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy",
    "kube-router", "relay", "dockerd",
)  # fmt: skip


def supervisor(site: Checkout) -> Supervisor:
    return Supervisor(Files(site.state))


def answers(path: str, host: str, port: int = 80) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Host": host}, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def site_is_back(site: Checkout) -> bool:
    digest = json.loads(site.pulumi("stack", "output", "images", "--json").stdout)["inspiration"].split("@")[1]
    return (
        eventually(lambda: answers("/", "inspiration.localhost"), 300)
        and eventually(lambda: answers(f"/v2/inspiration/manifests/{digest}", "localhost:32000", 32000), 300)
        and eventually(lambda: site.run("kubectl", "get", "nodes", environment=site.environment()).returncode == 0)
    )


@pytest.mark.parametrize("name", PROCESSES)
def test_a_killed_process_is_back(site: Checkout, name: str) -> None:
    victim = kill(site, name)

    # It may end once more, while the API server that it needs isn't there yet.
    assert eventually(lambda: supervisor(site).processes().get(name, victim).pid != victim.pid)
    assert site_is_back(site)


def test_after_all_are_killed_up_brings_the_site_back(site: Checkout) -> None:
    root = supervisor(site).root()
    assert root is not None
    everything = [root, *root.children(recursive=True)]
    for process in reversed(everything):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(everything, timeout=30)
    assert not answers("/", "inspiration.localhost")

    done = site.run("script/up")

    assert done.returncode == 0, done.stdout + done.stderr
    assert site_is_back(site)
    assert "unchanged" in done.stdout
