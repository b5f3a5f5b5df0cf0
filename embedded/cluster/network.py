"""The cluster's network namespace, the link to it, and its way out.

What the machine gets, and gets rid of again: one interface, three firewall rules, and IP forwarding if it was off.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import psutil

from embedded.cluster import plan
from embedded.cluster.plan import Files
from embedded.errors import Failure
from embedded.toolchain import system

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGES = Path("/proc/sys/net/bridge")
"""Settings of the kernel's module br_netfilter, for each network namespace."""

COMMENT = ("-m", "comment", "--comment", "inspiration")
Rules: TypeAlias = tuple[tuple[str, str, tuple[str, ...]], ...]
RULES: Rules = (
    # Pods reach the outside as the machine does …
    ("nat", "POSTROUTING", ("-s", plan.LINK_NETWORK, "!", "-d", plan.LINK_NETWORK, *COMMENT, "-j", "MASQUERADE")),
    ("filter", "FORWARD", ("-i", plan.INTERFACE, *COMMENT, "-j", "ACCEPT")),
    # … and the outside reaches nothing here but the answers; the relay is the only way in.
    (
        "filter",
        "FORWARD",
        ("-o", plan.INTERFACE, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", *COMMENT, "-j", "ACCEPT"),
    ),
    ("filter", "FORWARD", ("-o", plan.INTERFACE, *COMMENT, "-j", "DROP")),
)


def up(files: Files) -> None:
    """Make what is missing of the namespace, the link, the firewall rules and forwarding.

    Raises:
        Failure: Another clone of the project has its cluster on this machine.
    """
    owner = refuse_another(files)
    namespace = files.network_namespace
    provide_namespace(namespace)
    if owner is None:
        add_link(files, plan.INTERFACE, "veth", "peer", "name", "eth0", "netns", str(namespace))
    run("ip", "addr", "replace", f"{plan.HOST_ADDRESS}/30", "dev", plan.INTERFACE)
    run("ip", "link", "set", plan.INTERFACE, "up")
    connect(files, f"{plan.NODE_ADDRESS}/30", plan.HOST_ADDRESS)
    was_off = files.state / "forwarding-was-off"
    if owner is None:
        was_off.unlink(missing_ok=True)  # of a run that the machine's end has ended
    if FORWARDING.read_text().strip() == "0":
        was_off.touch()
        FORWARDING.write_text("1")
    provide_rules(RULES)


def down(files: Files) -> None:
    """Take away what :func:`up` made; what is gone already is fine."""
    if link_owner() == str(files.state):
        succeeds("ip", "link", "delete", plan.INTERFACE)
        remove_rules(RULES)
    was_off = files.state / "forwarding-was-off"
    if was_off.exists():
        FORWARDING.write_text("0")
        was_off.unlink()
    remove_namespace(files.network_namespace)


def add_link(files: Files, name: str, *kind: str) -> None:
    """Make a link of the machine, of a ``kind`` as ``ip link add type`` has it, that says whose it is.

    It gets its name when it does so: a run that is interrupted between the two leaves no link that seems to be of
    another cluster.
    """
    remove_unnamed(name)
    run("ip", "link", "add", f"{name}-", "type", *kind)
    run("ip", "link", "set", f"{name}-", "alias", str(files.state))
    run("ip", "link", "set", f"{name}-", "name", name)


def remove_unnamed(name: str) -> None:
    """Take away what an interrupted :func:`add_link` has left."""
    succeeds("ip", "link", "delete", f"{name}-")


def provide_namespace(namespace: Path) -> None:
    """Make a network namespace that stays until it is removed."""
    if not _is_bound(namespace):
        namespace.touch(mode=0o600)
        run("unshare", f"--net={namespace}", "true")


def remove_namespace(namespace: Path) -> None:
    """Remove it with all that is in it."""
    if _is_bound(namespace):
        run("umount", str(namespace))
    namespace.unlink(missing_ok=True)


def connect(files: Files, address: str, gateway: str) -> None:
    """Give a node's end of its link an address, as ``10.0.0.2/24``, and a way out."""
    inside = run_inside(files, [])
    commands = (
        "ip link set lo up",
        f"ip addr replace {address} dev eth0",
        "ip link set eth0 up",
        f"ip route replace default via {gateway}",
        f"echo 1 >{FORWARDING}",
    )
    run(*inside, "sh", "-ec", "; ".join(commands))
    _filter_bridges(inside)


def _filter_bridges(inside: Sequence[str]) -> None:
    """Have what pods of the node say to each other pass iptables, where Services and NetworkPolicies are.

    The embedded Docker Engine loads the module for it too, but it starts with its first client only.
    """
    if not BRIDGES.exists():
        succeeds("modprobe", "br_netfilter")
        if not BRIDGES.exists():
            raise Failure(
                "the kernel can't filter what passes a bridge: its module br_netfilter is missing",
                fix="install the package of your kernel that has it, then run `modprobe br_netfilter`",
            )
        for setting in BRIDGES.glob("bridge-nf-call-*"):
            setting.write_text("0")  # for the machine's own bridges all is as it was
    run(*inside, "sh", "-c", f"echo 1 >{BRIDGES / 'bridge-nf-call-iptables'}")


def provide_rules(rules: Rules, *inside: str) -> None:
    """Have firewall rules before all others, those of the machine too, which may end in one that rejects the rest.

    Args:
        rules: Each with its table and its chain.
        inside: What a command begins with that runs in a network namespace; by default it is the machine's.
    """
    if not all(succeeds(*inside, "iptables", "-w", "-t", table, "-C", chain, *rule) for table, chain, rule in rules):
        remove_rules(rules, *inside)
        for table, chain, rule in reversed(rules):
            run(*inside, "iptables", "-w", "-t", table, "-I", chain, *rule)


def remove_rules(rules: Rules, *inside: str) -> None:
    """Take away what :func:`provide_rules` made."""
    for table, chain, rule in rules:
        while succeeds(*inside, "iptables", "-w", "-t", table, "-D", chain, *rule):
            pass  # an interrupted start may have left it twice


def refuse_another(files: Files) -> str | None:
    """Return whose the machine's link is: this cluster's, or None without a link.

    Raises:
        Failure: It is that of another clone of the project.
    """
    owner = link_owner()
    if owner is not None and owner != str(files.state):
        raise Failure(
            f"another embedded cluster is on this machine: that of {Path(owner).parent}",
            fix=f"stop it there with script/down --keep, or use it from here: export INSPIRATION_STATE={owner}",
        )
    return owner


def link_owner(interface: str = plan.INTERFACE) -> str | None:
    """The state folder of the cluster that the machine's link belongs to; None without a link."""
    command = ["ip", "-json", "link", "show", interface]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None  # what has made no link yet: script/up installs it
    if shown.returncode != 0:
        return None
    return str(json.loads(shown.stdout)[0].get("ifalias", ""))


def _is_bound(namespace: Path) -> bool:
    return any(mount.mountpoint == str(namespace) for mount in psutil.disk_partitions(all=True))


def run(*command: str) -> None:
    """Run a command.

    Raises:
        Failure: It fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    if done.returncode != 0:
        raise Failure(
            f"`{' '.join(command)}` failed: {done.stderr.strip()}",
            fix="the embedded cluster needs network namespaces, veth and iptables: run it on a machine (not in an "
            "unprivileged container), or point the stack at a cluster of yours",
        )


def succeeds(*command: str) -> bool:
    """Run a command, and tell whether it went well."""
    return subprocess.run(command, capture_output=True, check=False, env=_environment()).returncode == 0


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": system.PATH}


def run_inside(files: Files, command: Sequence[str]) -> list[str]:
    """The command line that runs ``command`` in the cluster's network namespace."""
    return ["nsenter", f"--net={files.network_namespace}", *command]
