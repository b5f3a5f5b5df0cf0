"""The cluster's network namespace, the link to it, and its way out.

What the machine gets, and gets rid of again: one interface, three firewall rules, and IP forwarding if it was off.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil

from embedded.cluster import plan
from embedded.cluster.plan import Files
from embedded.errors import Failure
from embedded.toolchain import system

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
COMMENT = ("-m", "comment", "--comment", "inspiration")
RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
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
    if not _is_bound(namespace):
        namespace.touch(mode=0o600)
        _run("unshare", f"--net={namespace}", "true")
    if owner is None:
        _run("ip", "link", "add", plan.INTERFACE, "type", "veth", "peer", "name", "eth0", "netns", str(namespace))
        _run("ip", "link", "set", plan.INTERFACE, "alias", str(files.state))
    _run("ip", "addr", "replace", f"{plan.HOST_ADDRESS}/30", "dev", plan.INTERFACE)
    _run("ip", "link", "set", plan.INTERFACE, "up")
    inside = ("nsenter", f"--net={namespace}")
    _run(*inside, "ip", "link", "set", "lo", "up")
    _run(*inside, "ip", "addr", "replace", f"{plan.NODE_ADDRESS}/30", "dev", "eth0")
    _run(*inside, "ip", "link", "set", "eth0", "up")
    _run(*inside, "ip", "route", "replace", "default", "via", plan.HOST_ADDRESS)
    _run(*inside, "sh", "-c", f"echo 1 >{FORWARDING}")
    if FORWARDING.read_text().strip() == "0":
        (files.state / "forwarding-was-off").touch()
        FORWARDING.write_text("1")
    for table, chain, rule in RULES:
        if not _succeeds("iptables", "-w", "-t", table, "-C", chain, *rule):
            _run("iptables", "-w", "-t", table, "-A", chain, *rule)


def down(files: Files) -> None:
    """Take away what :func:`up` made; what is gone already is fine."""
    if link_owner() == str(files.state):
        _succeeds("ip", "link", "delete", plan.INTERFACE)
        for table, chain, rule in RULES:
            while _succeeds("iptables", "-w", "-t", table, "-D", chain, *rule):
                pass  # an interrupted start may have left it twice
    was_off = files.state / "forwarding-was-off"
    if was_off.exists():
        FORWARDING.write_text("0")
        was_off.unlink()
    if _is_bound(files.network_namespace):
        _run("umount", str(files.network_namespace))
    files.network_namespace.unlink(missing_ok=True)


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


def link_owner() -> str | None:
    """The state folder of the cluster that the machine's link belongs to; None without a link."""
    command = ["ip", "-json", "link", "show", plan.INTERFACE]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None  # what has made no link yet: script/up installs it
    if shown.returncode != 0:
        return None
    return str(json.loads(shown.stdout)[0].get("ifalias", ""))


def _is_bound(namespace: Path) -> bool:
    return any(mount.mountpoint == str(namespace) for mount in psutil.disk_partitions(all=True))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    if done.returncode != 0:
        raise Failure(
            f"`{' '.join(command)}` failed: {done.stderr.strip()}",
            fix="the embedded cluster needs network namespaces, veth and iptables: run it on a machine (not in an "
            "unprivileged container), or point the stack at a cluster of yours",
        )


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, env=_environment()).returncode == 0


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": system.PATH}


def run_inside(files: Files, command: Sequence[str]) -> list[str]:
    """The command line that runs ``command`` in the cluster's network namespace."""
    return ["nsenter", f"--net={files.network_namespace}", *command]
