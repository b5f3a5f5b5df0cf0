"""Everything listens on loopback only: as the machine lists it, and as an outsider finds it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from embedded import stack
from embedded.cluster import network, plan
from embedded.cluster.plan import Files, Ports
from embedded.cluster.supervision import Supervisor
from tests.checkout import Checkout
from tests.waiting import eventually

LINK = "insp-out0"
MACHINE, OUTSIDER = "198.51.100.1", "198.51.100.2"
"""The two ends of the link: addresses for documentation, which nobody has."""

CONTROL_PLANE = (2379, 2380, 6443, 10248, 10249, 10250, 10255, 10256, 10257, 10259)

CONNECT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def connects(target):
    with socket.socket() as client:
        client.settimeout(5)
        return client.connect_ex(tuple(target)) == 0

targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(64) as threads:
    print(json.dumps([target for target, found in zip(targets, threads.map(connects, targets)) if found]))
"""
"""A program that tries all addresses at once and prints those that answer."""


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def namespace_of(process: psutil.Process) -> str:
    return str(Path(f"/proc/{process.pid}/ns/net").readlink())


def listeners(processes: list[psutil.Process]) -> set[tuple[str, int]]:
    """The address and port of each TCP listener of the processes."""
    found = set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            found |= {
                (each.laddr.ip, each.laddr.port)
                for each in process.net_connections("tcp")
                if each.status == psutil.CONN_LISTEN
            }
    return found


@pytest.fixture
def ports(site: Checkout) -> Ports:
    """The ports of the machine, and those of the node behind them."""
    return stack.ports(site.path, stack.read_settings(site.path))


@pytest.fixture
def family(site: Checkout) -> list[psutil.Process]:
    """All processes of the cluster, its pods' included."""
    root = Supervisor(Files(site.state)).root()
    assert root is not None
    return [root, *root.children(recursive=True)]


def in_namespace(family: list[psutil.Process], namespace: str) -> list[psutil.Process]:
    found = []
    for process in family:
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
            if namespace_of(process) == namespace:
                found.append(process)
    return found


def test_the_machine_listens_on_loopback_for_the_cluster(family: list[psutil.Process], ports: Ports) -> None:
    here = in_namespace(family, namespace_of(psutil.Process()))
    assert listeners(here) == {("127.0.0.1", port) for port in ports.on_node()}


def test_the_node_listens_on_its_loopback_and_its_address(site: Checkout) -> None:
    # What psutil shows is the machine's namespace, whatever the process.
    shown = run(*network.run_inside(Files(site.state), ["ss", "--no-header", "--listening", "--tcp", "--numeric"]))
    local = [line.split()[3].rpartition(":") for line in shown.splitlines()]
    found = {(address, int(port)) for address, _, port in local}
    assert ("127.0.0.1", 2379) in found
    assert {address for address, _ in found} == {"127.0.0.1", plan.NODE_ADDRESS}
    assert {port for address, port in found if address == plan.NODE_ADDRESS} == {6443, 10250}


def test_nothing_is_forwarded_by_rules_of_the_machine(site: Checkout) -> None:
    """A NodePort or a host port is a rule, which no list of listeners has."""
    before = [line for line in run("iptables-save", "-t", "nat").splitlines() if line.startswith("-A")]
    assert [line for line in before if re.search(r"DNAT|REDIRECT|KUBE-|CNI-", line)] == []


def test_the_node_ports_are_those_of_the_configuration(site: Checkout, ports: Ports) -> None:
    expected = set(ports.on_node().values())
    services = json.loads(site.kubectl("get", "services", "-A", "-o", "json"))["items"]
    assert {port.get("nodePort") for each in services for port in each["spec"]["ports"]} - {None} == expected
    rules = run(*network.run_inside(Files(site.state), ["iptables-save", "-t", "nat"]))
    assert {int(port) for port in re.findall(r"^-A KUBE-NODEPORTS .*--dport (\d+)", rules, re.MULTILINE)} == expected
    assert re.findall(r"^-A CNI-HOSTPORT-DNAT .*", rules, re.MULTILINE) == []


@pytest.fixture
def outsider(site: Checkout) -> Iterator[list[str]]:
    """The head of commands that run on another computer on the machine's network.

    That is a process with a network namespace of its own, which ends with the process: ``ip netns add`` would leave a
    mount behind. It sends the machine everything, also what is for the cluster.
    """
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) as process:
        computer = psutil.Process(process.pid)
        assert eventually(lambda: namespace_of(computer) != namespace_of(psutil.Process()))
        inside = ["nsenter", f"--net=/proc/{process.pid}/ns/net"]
        try:
            run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", str(process.pid))
            run("ip", "addr", "add", f"{MACHINE}/30", "dev", LINK)
            run("ip", "link", "set", LINK, "up")
            run(*inside, "ip", "addr", "add", f"{OUTSIDER}/30", "dev", "eth0")
            run(*inside, "ip", "link", "set", "eth0", "up")
            run(*inside, "ip", "route", "add", plan.LINK_NETWORK, "via", MACHINE)
            yield inside
        finally:
            subprocess.run(["ip", "link", "delete", LINK], capture_output=True, check=False)


def reached(inside: list[str], targets: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Which of the addresses the outsider gets a connection to."""
    command = [*inside, sys.executable, "-c", CONNECT, json.dumps(targets)]
    return [(host, port) for host, port in json.loads(run(*command))]


def test_an_outsider_reaches_nothing(outsider: list[str], ports: Ports) -> None:
    tried = sorted({*ports.on_node(), *ports.on_node().values(), *CONTROL_PLANE})
    with socket.create_server((MACHINE, 0)) as control:
        # The outsider reaches what does listen there: what follows isn't for want of a way.
        open_port = control.getsockname()[1]
        targets = [(MACHINE, open_port), *((MACHINE, port) for port in tried)]
        assert reached(outsider, targets) == [(MACHINE, open_port)]
    # By way of the machine, which forwards for its pods.
    ways = [(host, port) for host in (plan.HOST_ADDRESS, plan.NODE_ADDRESS) for port in tried]
    assert reached(outsider, ways) == []


@pytest.mark.usefixtures("outsider")
def test_the_machine_itself_reaches_what_the_outsider_cannot(site: Checkout) -> None:
    for host, port in (("127.0.0.1", 80), ("127.0.0.1", 32000), (plan.NODE_ADDRESS, 6443)):
        socket.create_connection((host, port), timeout=10).close()
